"""The served page in Firefox, as the page of files: it asks its server, audio plays, and its console is silent."""

import io
import shutil

import pytest
from PIL import Image

from tests.support.audit.firefox import Firefox

pytestmark = [
    pytest.mark.slow,  # starts another browser
    pytest.mark.skipif(shutil.which("firefox-esr") is None, reason="Debian's firefox-esr is not installed"),
]
GOOD = "ann-0000032000-0000052000"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    with Firefox(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def place(firefox, address, served):
    """The page, once the link was opened."""
    firefox.visit(served[2].link(int(address.rpartition(":")[2])))
    assert firefox.run("return location.href") == f"{address}/{served[2].place}/"
    return firefox.run("return location.href")


def test_every_tab_is_there_and_the_console_is_silent(firefox, place):
    for tab in ("overview", "thresholds", "listen", "ask", "systems", "speakers", "marks"):
        firefox.visit(f"{place}#/{tab}")
        assert firefox.run("return document.querySelector('nav [aria-current]').hash") == f"#/{tab}"
        assert firefox.run("return document.querySelector('main').innerText.length") > 40
    assert firefox.complaints() == []


def test_any_segment_is_heard(firefox, place):
    firefox.visit(f"{place}#id={GOOD}")
    firefox.until("document.querySelector('.card .said')?.innerText === 'Sensibility'")
    firefox.until("document.querySelector('audio')?.duration > 0")
    assert firefox.run("return document.querySelector('audio').error") is None
    firefox.run("document.querySelector('.segmented button:last-child').click()")
    firefox.until("document.querySelector('audio').src.endsWith('.src.opus')")


def test_sql_is_answered(firefox, place):
    firefox.visit(f"{place}#/ask")
    firefox.run(
        "const box = document.getElementById('sql'); box.value = 'SELECT 6 * 7 AS n';"
        "box.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    firefox.run("document.querySelector('.ask button[type=submit]').click()")
    firefox.until("document.querySelector('.answer td')?.innerText === '42'")
    picture = Image.open(io.BytesIO(firefox.picture())).convert("L")
    dark, light = picture.getextrema()
    assert light - dark > 100
