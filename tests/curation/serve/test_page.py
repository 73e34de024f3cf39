"""The page of `curation serve` in Debian's Chromium: each thing that it does, with its microphone a tone of Chromium's.

`curation/serve/page.py` and `curation/serve/static/`.
"""

import io
from pathlib import Path

import axe_core_python
import httpx
import pytest
import soundfile
from selenium.webdriver.common.by import By

from curation.audio.wave import SAMPLE_RATE
from curation.serve.settings import ServeSettings
from tests.curation.serve.served import served
from tests.support.audit.browser import Browser
from tests.support.real_speech import librivox

pytestmark = pytest.mark.usefixtures("short_speech")

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
MICROPHONE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
SETTINGS = ServeSettings(name="tiny", slots=4, max_audio_seconds=8)


@pytest.fixture(scope="module")
def address(model):
    with served(model, SETTINGS) as (found, _):
        yield found


@pytest.fixture(scope="module")
def driven():
    with Browser(*MICROPHONE) as found:
        yield found


@pytest.fixture
def browser(driven, address):
    show(driven, address)
    driven.until("document.getElementById('state').textContent === 'Ready'")
    return driven


def show(browser, address):
    browser.driver.get("about:blank")
    browser.forget()
    browser.driver.get(address)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "a.flac"
    soundfile.write(path, librivox()[0][:24_000], SAMPLE_RATE)
    return path


def give(browser, path):
    browser.driver.find_element(By.ID, "file").send_keys(str(path))


def done(browser, what):
    state = "document.getElementById('state').textContent"
    browser.until(f"{state}.startsWith({what!r}) && !{state}.endsWith('…')", 60)
    assert browser.text("#error") == ""


def test_a_recording_becomes_the_text_that_the_api_gives(browser, address, recording):
    give(browser, recording)
    browser.click("#transcribe")
    done(browser, "Transcribed")
    answer = httpx.post(
        f"{address}/v1/audio/transcriptions", data={"model": "tiny"}, files={"file": recording.read_bytes()}, timeout=60
    )
    assert browser.run("return document.getElementById('text').value") == answer.json()["text"]


def test_a_text_is_spoken_and_can_be_saved(browser, address):
    browser.driver.find_element(By.ID, "text").send_keys("A word.")
    browser.click("#speak")
    done(browser, "First sound after")
    body = {"model": "tiny", "input": "A word.", "voice": "default", "response_format": "wav"}
    whole = httpx.post(f"{address}/v1/audio/speech", json=body, timeout=60).content
    seconds = soundfile.info(io.BytesIO(whole)).duration
    assert browser.run("return document.getElementById('spoken').duration") == pytest.approx(seconds, abs=0.12)
    assert browser.run("return document.getElementById('save').href").startswith("blob:")
    assert browser.complaints() == []


def test_a_voice_is_recorded_kept_used_and_deleted(browser, address):
    browser.click("#record")
    browser.until("document.getElementById('record').getAttribute('aria-pressed') === 'true'")
    browser.driver.execute_async_script("setTimeout(arguments[0], 1500)")
    browser.click("#record")
    browser.until("!document.getElementById('heard').hidden")
    browser.driver.find_element(By.ID, "name").send_keys("beep")
    browser.driver.find_element(By.ID, "said").send_keys("A beep.")
    browser.click("#add")
    done(browser, "Kept")
    kept = httpx.get(f"{address}/v1/voices").json()["data"]
    assert [(voice["id"], voice["transcript"]) for voice in kept] == [("beep", "A beep."), ("default", "")]
    assert browser.run("return document.getElementById('voice').value") == "beep"
    browser.click("#convert")
    done(browser, "First sound after")
    browser.click("#forget")
    done(browser, "Deleted")
    assert [voice["id"] for voice in httpx.get(f"{address}/v1/voices").json()["data"]] == ["default"]


def test_an_error_is_said_and_the_page_goes_on(browser, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"no sound")
    give(browser, path)
    browser.click("#transcribe")
    browser.until("document.getElementById('state').textContent === 'Failed'")
    assert browser.text("#error").startswith("file: ")
    browser.driver.find_element(By.ID, "text").send_keys("?!")
    browser.click("#speak")
    browser.until("document.getElementById('error').textContent.startsWith('input: it has no letter')")


def test_speech_can_be_stopped(browser):
    browser.driver.find_element(By.ID, "text").send_keys("A long story, and so on. " * 20)
    browser.click("#speak")
    browser.click("#stop")
    browser.until("document.getElementById('state').textContent === 'Stopped'")
    browser.until("!document.getElementById('speak').disabled")


def test_a_key_is_asked_for_and_used(driven, model):
    with served(model, ServeSettings(name="tiny", slots=1, keys=frozenset({"right"}))) as (address, _):
        show(driven, address)
        driven.until("!document.getElementById('key-form').hidden")
        for key, state in (("wrong", "Failed"), ("right", "Ready")):
            driven.driver.find_element(By.ID, "key").send_keys(key + "\n")
            driven.until(f"document.getElementById('state').textContent === {state!r}")
        assert driven.run("return document.getElementById('key-form').hidden")


@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(browser, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE})
    found = browser.driver.execute_async_script("axe.run(document, {preload: false}).then(arguments[0])")
    assert [item["id"] for item in found["violations"] if item["impact"] in {"serious", "critical"}] == []
    assert browser.run("return document.documentElement.scrollWidth") <= width


def ask(address, **headers):
    body = {"model": "tiny", "input": "A word."}
    return httpx.post(f"{address}/v1/audio/speech", json=body, headers=headers, timeout=60).status_code


def test_pages_of_others_cannot_ask(address):
    own = address.removeprefix("http://")
    assert ask(address, origin=address) == 200
    for origin in ("https://evil.example", "null", "http://[", f"http://{own}.evil.example"):
        assert ask(address, origin=origin) == 403
    rebound = "evil.example:8000"
    assert ask(address, origin=f"http://{rebound}", host=rebound) == 403
