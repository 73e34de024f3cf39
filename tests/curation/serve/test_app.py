"""The server, asked by OpenAI's own client and by clients that misbehave.

`curation/serve/admission.py`, `curation/serve/answers.py`, `curation/serve/errors.py`, `curation/serve/figures.py`,
`curation/serve/gate.py`, `curation/serve/settings.py`, `curation/serve/sound.py`, `curation/serve/voices.py` and
`curation/serve/work.py` through its routes.
"""

import io
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import av
import httpx
import numpy as np
import openai
import pytest
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.serve.settings import ServeSettings, read_keys
from curation.serve.sound import FORMATS
from curation.train.infer.streaming import Chunking
from tests.curation.serve.served import served, settled
from tests.support.real_speech import BECKETT, librivox, wave

pytestmark = pytest.mark.usefixtures("short_speech")

SPEECH = librivox()[0][:24_000]
SETTINGS = ServeSettings(name="tiny", slots=4, queue=8, max_upload_bytes=200_000, max_audio_seconds=8)


def wav(samples, suffix="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format=suffix)
    return file.getvalue()


@pytest.fixture(scope="module")
def server(model):
    with served(model, SETTINGS) as (address, app):
        yield address, app


@pytest.fixture(scope="module")
def address(server):
    return server[0]


@pytest.fixture(scope="module")
def client(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def spoken(model):
    from curation.models.packaged_speech import BECKETT as SHIPPED
    from curation.models.store import resolve
    from curation.train.infer.files import read_recording

    voice = model.voice(read_recording(str(resolve(SHIPPED))))
    return np.concatenate(list(model.speak_stream("A word.", voice)))


def say(client, **changed):
    return client.audio.speech.create(
        **{"input": "A word.", "model": "tiny", "voice": "default", "response_format": "wav"} | changed
    )


def test_speech_is_what_the_model_says(client, spoken):
    with client.audio.speech.with_streaming_response.create(
        input="A word.", model="tiny", voice="default", response_format="wav"
    ) as answer:
        assert answer.headers["content-type"] == "audio/wav"
        data = b"".join(answer.iter_bytes())
    samples = np.frombuffer(data[data.index(b"data") + 8 :], "<i2") / 32768
    np.testing.assert_allclose(samples, np.clip(spoken, -1, 1), atol=1.5 / 32768)


def test_the_first_chunk_waits_for_as_much_as_the_settings_say(model, spoken):
    chunking = Chunking(first=10, first_look_ahead=0)
    with (
        served(model, replace(SETTINGS, chunking=chunking)) as (address, app),
        openai.OpenAI(base_url=f"{address}/v1", api_key="none") as client,
    ):
        data = say(client).content
        voice = app.state.service.voices.sample("default")
    samples = np.frombuffer(data[data.index(b"data") + 8 :], "<i2") / 32768
    expected = np.concatenate(list(model.speak_stream("A word.", voice, chunking=chunking)))
    np.testing.assert_allclose(samples, np.clip(expected, -1, 1), atol=1.5 / 32768)
    assert np.abs(expected - spoken).max() > 0.01


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_playable_and_as_long(client, spoken, name):
    data = say(client, response_format=name).content
    seconds = len(spoken) / SAMPLE_RATE
    if name == "pcm":
        assert len(data) / 2 / 24_000 == pytest.approx(seconds, abs=0.01)
        return
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
    assert sum(frame.samples / frame.sample_rate for frame in frames) == pytest.approx(seconds, abs=0.12)
    assert {frame.layout.nb_channels for frame in frames} == {1}


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_speech_of_no_length_is_a_file_too(address, name):
    """What is shorter than a token has none."""
    data, files = {"model": "tiny", "response_format": name}, {"file": wav(SPEECH[:100])}
    answer = httpx.post(f"{address}/v1/audio/conversions", data=data, files=files, timeout=60)
    assert answer.status_code == 200
    with av.open(io.BytesIO(answer.content)) as container:
        assert not list(container.decode(audio=0))


def test_a_seed_decides_what_is_said(client):
    first, again, other = (say(client, extra_body={"seed": seed, "temperature": 1}).content for seed in (1, 1, 2))
    assert first == again != other


def test_numbers_are_read_in_the_language_that_is_asked_for(client):
    in_words, in_digits, as_written = (
        say(client, input=text, extra_body={"language": language}).content
        for text, language in (("three.", "de"), ("3.", ""), ("3.", "de"))
    )
    assert in_words == in_digits != as_written


def hear(client, **changed):
    return client.audio.transcriptions.create(**{"file": ("a.wav", wav(SPEECH)), "model": "tiny"} | changed)


def test_transcription_in_all_its_forms(client, model):
    text = hear(client).text
    assert hear(client, response_format="text").rstrip("\n") == text
    whole = hear(client, response_format="verbose_json", language="en")
    assert (whole.text, whole.language, whole.duration) == (text, "en", 1.5)
    events = list(hear(client, stream=True))
    assert "".join(event.delta for event in events[:-1]) == text == events[-1].text
    assert [event.type for event in events] == ["transcript.text.delta"] * (len(events) - 1) + ["transcript.text.done"]
    assert hear(client, file=("a.ogg", wav(SPEECH, "OGG"))).text


def convert(address, **fields):
    data = {"model": "tiny", "response_format": "wav", **fields}
    return httpx.post(f"{address}/v1/audio/conversions", data=data, files={"file": wav(SPEECH)}, timeout=60)


def test_a_registered_voice_speaks_until_it_is_deleted(client, address):
    files = {"file": wav(wave(BECKETT)[:48_000])}
    made = httpx.post(f"{address}/v1/voices", data={"name": "beckett"}, files=files, timeout=60)
    assert (made.status_code, made.json()["id"]) == (201, "beckett")
    names = [voice["id"] for voice in httpx.get(f"{address}/v1/voices").json()["data"]]
    assert names == ["beckett", "default"]
    assert say(client, voice="beckett").content != say(client).content
    converted = convert(address, voice="beckett")
    assert (converted.status_code, converted.headers["x-accel-buffering"]) == (200, "no")  # no proxy may hold it back
    assert soundfile.info(io.BytesIO(converted.content)).samplerate == SAMPLE_RATE
    assert httpx.post(f"{address}/v1/voices", data={"name": "beckett"}, files=files, timeout=60).status_code == 409
    assert httpx.delete(f"{address}/v1/voices/beckett").json()["deleted"]
    with pytest.raises(openai.NotFoundError, match="there is no voice 'beckett'"):
        say(client, voice="beckett")
    assert httpx.delete(f"{address}/v1/voices/default").status_code == 400


def test_a_voice_whose_text_is_known_is_gone_on_from(client, address):
    data, clip = {"name": "known", "transcript": "What is said."}, SPEECH[:16_000]
    made = httpx.post(f"{address}/v1/voices", data=data, files={"file": wav(clip)}, timeout=60)
    assert (made.status_code, made.json()["transcript"]) == (201, "What is said.")
    heard = say(client, voice="known", response_format="pcm", extra_body={"temperature": 0}).content
    httpx.delete(f"{address}/v1/voices/known")
    httpx.post(f"{address}/v1/voices", data={"name": "known"}, files={"file": wav(clip)}, timeout=60)
    assert say(client, voice="known", response_format="pcm", extra_body={"temperature": 0}).content != heard
    httpx.delete(f"{address}/v1/voices/known")
    long = httpx.post(f"{address}/v1/voices", data={**data, "transcript": "a" * 1001}, files={"file": wav(clip)})
    assert (long.status_code, long.json()["error"]["param"]) == (400, "transcript")


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "", "a" * 65, ".hidden", "a b", "a\x00"])
def test_a_name_that_could_be_a_path_is_refused(address, name):
    made = httpx.post(f"{address}/v1/voices", data={"name": name}, files={"file": wav(SPEECH)}, timeout=60)
    assert made.status_code == 400
    assert made.json()["error"]["param"] == "name"


def test_models(client):
    assert [found.id for found in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "curation"
    with pytest.raises(openai.NotFoundError, match="this server has 'tiny'"):
        client.models.retrieve("gpt-4o-mini-tts")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "other"}, "there is no model 'other'"),
        ({"voice": "alloy"}, "there is no voice 'alloy': register it"),
        ({"voice": {}}, "voice.str: Input should be a valid string"),
        ({"input": ""}, "input: .*at least 1 character"),
        ({"input": "?!"}, "input: it has no letter"),
        ({"input": "a" * 5000}, "input: 5000 letters, at most 4096"),
        ({"response_format": "wma"}, "response_format"),
        ({"speed": 2.0}, "speed"),
        ({"instructions": "Whisper."}, "instructions"),
        ({"extra_body": {"temperature": 3}}, "temperature"),
        ({"extra_body": {"seed": -1}}, "seed"),
    ],
)
def test_a_wrong_wish_is_named(client, changed, message):
    with pytest.raises((openai.BadRequestError, openai.NotFoundError), match=message):
        say(client, **changed)


def test_a_field_of_a_form_that_is_not_known_is_named(client, address):
    with pytest.raises(openai.BadRequestError, match="prompt: unknown field; known fields: file, language, model"):
        hear(client, prompt="Names: Ann.")
    answer = convert(address, speed="2")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "speed")


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{path}\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage" * 100,
        wav(SPEECH)[:30],
        wav(np.zeros(8000, np.float32)),
        PLAYLIST,
        "ffconcat version 1.0\nfile '{path}'\n",
        b"RIFF\xff\xff\xff\xffWAVEfmt ",
    ],
)
def test_uploads_that_are_no_speech_are_refused_and_open_nothing(client, tmp_path, data):
    path = tmp_path / "secret.wav"
    path.write_bytes(wav(SPEECH))
    given = data.format(path=path).encode() if isinstance(data, str) else data
    with pytest.raises(openai.BadRequestError, match="file: ") as caught:
        hear(client, file=("a.m3u8", given))
    assert str(tmp_path) not in str(caught.value)


def test_limits_of_size_and_length(client, address):
    with pytest.raises(openai.BadRequestError, match=r"longer than 8 s"):
        hear(client, file=("a.flac", wav(np.tile(SPEECH, 6) * 0.5, "OGG")))
    with pytest.raises(openai.APIStatusError, match="more than 265536 bytes") as caught:
        hear(client, file=("a.wav", wav(np.tile(SPEECH, 8))))
    assert caught.value.status_code == 413
    parts = iter([b'--q\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n', *[b"x" * 100_000] * 5])
    headers = {"content-type": "multipart/form-data; boundary=q"}
    answer = httpx.post(f"{address}/v1/audio/transcriptions", content=parts, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_requests_without_place_are_told_to_come_again(model):
    """One place, no queue: of several at once, one is answered."""
    with served(model, ServeSettings(name="tiny", slots=1, queue=0)) as (address, app):
        body = {"model": "tiny", "input": "One word and another, and one more.", "response_format": "wav"}
        ask = lambda _: httpx.post(f"{address}/v1/audio/speech", json=body, timeout=60)  # noqa: E731
        with ThreadPoolExecutor(6) as executor:
            answers = list(executor.map(ask, range(6)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {answer.status_code for answer in answers} == {200, 429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert refused[0].json()["error"]["code"] == "rate_limit_exceeded"
        assert settled(app)
        assert ask(0).status_code == 200


def test_a_recording_is_decoded_in_the_place_that_its_request_has(model):
    """One place, no queue: nobody else is there to be sent away for."""
    with served(model, ServeSettings(name="tiny", slots=1, queue=0)) as (address, app):
        for route, data in (
            ("audio/transcriptions", {"model": "tiny"}),
            ("audio/conversions", {"model": "tiny"}),
            ("voices", {"name": "one"}),
        ):
            files = {"file": wav(SPEECH[:8000])}
            answer = httpx.post(f"{address}/v1/{route}", data=data, files=files, timeout=60)
            assert answer.status_code in {200, 201}, answer.text
            assert settled(app)


def test_a_format_that_cannot_be_encoded_keeps_no_place_and_a_server_that_only_fails_is_not_healthy(model, monkeypatch):
    monkeypatch.setitem(FORMATS, "aac", replace(FORMATS["aac"], codec="lacking"))  # as in another build of FFmpeg
    with served(model, ServeSettings(name="tiny", slots=1, queue=0)) as (address, app):
        body = {"model": "tiny", "input": "A word.", "response_format": "aac"}
        assert httpx.post(f"{address}/v1/audio/speech", json=body, timeout=60).status_code == 500
        counted = 'curation_serve_requests_total{endpoint="/v1/audio/speech",status="500"} 1.0'
        assert counted in httpx.get(f"{address}/metrics").text.splitlines()
        assert settled(app, 5)
        assert httpx.get(f"{address}/health").status_code == 200
        for _ in range(4):
            httpx.post(f"{address}/v1/audio/speech", json=body, timeout=60)
        health = httpx.get(f"{address}/health")
        assert (health.status_code, health.json()["status"][:30]) == (503, "the last requests all failed: ")


def leave(address, body, after):
    """Ask for speech, read `after` bytes of the answer, and hang up."""
    host, port = address.removeprefix("http://").split(":")
    data = json.dumps(body).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + data)
        if after:
            connection.recv(after)


def workers():
    """Threads of the servers of this process."""
    return sum(thread.name.startswith("serve") for thread in threading.enumerate())


def test_clients_that_leave_and_garbage_leave_nothing_behind(server, model, spoken, client):
    address, app = server
    body = {"model": "tiny", "input": "A long story, and so on. " * 8, "response_format": "pcm"}

    def trouble(number):
        if number % 3 == 0:
            leave(address, body, after=(0, 64, 4096)[number // 3 % 3])
        elif number % 3 == 1:
            httpx.post(f"{address}/v1/audio/transcriptions", content=b"\xff" * 1000, timeout=60)
        else:
            httpx.post(f"{address}/v1/audio/speech", json={**body, "input": "A word."}, timeout=60)

    before = workers()
    with ThreadPoolExecutor(6) as executor:
        list(executor.map(trouble, range(18)))
    assert settled(app)
    assert model.engine.cache.num_free == model.engine.cache.slots
    data = say(client).content
    np.testing.assert_allclose(
        np.frombuffer(data[data.index(b"data") + 8 :], "<i2") / 32768, np.clip(spoken, -1, 1), atol=1.5 / 32768
    )
    assert workers() <= before + SETTINGS.slots + 2


def test_a_client_that_stops_sending_or_reading_loses_its_place(model):
    """One place, which two such clients would keep."""
    settings = ServeSettings(name="tiny", slots=1, queue=0, patience_seconds=0.5, max_text_letters=100_000)
    with served(model, settings) as (address, app):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert connection.recv(64).startswith(b"HTTP/1.1 408")
        body = json.dumps({"model": "tiny", "input": "A word. " * 1000, "response_format": "pcm"}).encode()
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((host, int(port)))
            head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            assert connection.recv(1)
            assert settled(app, 60)
        say = {"model": "tiny", "input": "A word."}
        assert httpx.post(f"{address}/v1/audio/speech", json=say, timeout=60).status_code == 200


def figures(address):
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_a_client_that_leaves_in_the_middle_is_not_counted_as_answered(server):
    address, app = server
    counts = [f'curation_serve_requests_total{{endpoint="/v1/audio/speech",status="{code}"}}' for code in (200, 499)]
    before = figures(address)
    body = {"model": "tiny", "input": "A long story, and so on. " * 8, "response_format": "pcm"}
    leave(address, body, after=64)
    assert settled(app)
    after = figures(address)
    assert [after.get(name, 0) - before.get(name, 0) for name in counts] == [0, 1]


def test_figures_count_requests_and_seconds(address, client):
    before = figures(address)
    hear(client)
    after = figures(address)
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    assert grown['curation_serve_requests_total{endpoint="/v1/audio/transcriptions",status="200"}'] == 1
    assert grown['curation_serve_audio_seconds_total{direction="heard"}'] == 1.5
    assert grown['curation_serve_whole_seconds_count{endpoint="transcription"}'] == 1
    assert after["curation_serve_held"] == 0


def test_keys_are_read_from_a_file(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# of the team\nabc  # Ann\n\n  def\n")
    assert read_keys(path) == {"abc", "def"}
    path.write_text("# nothing\n")
    with pytest.raises(ConfigError, match="holds no key"):
        read_keys(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_keys(tmp_path / "none")


def test_a_limit_that_allows_nothing_is_refused():
    with pytest.raises(ConfigError, match="slots 0: must be 1 or more"):
        ServeSettings(slots=0)


def test_a_key_opens_all_but_health(model, tmp_path):
    settings = ServeSettings(name="tiny", keys=frozenset({"ä-secret", "other"}), voices=tmp_path)
    with served(model, settings) as (address, _):
        assert httpx.get(f"{address}/health").json()["status"] == "ok"
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "other"}):
            for path in ("/v1/models", "/metrics", "/v1/voices", "/docs", "/openapi.json"):
                assert httpx.get(f"{address}{path}", headers=headers).status_code == 401
        good = {"authorization": "bearer other"}  # RFC 9110: the scheme has no case
        assert httpx.get(f"{address}/v1/models", headers=good).status_code == 200
        assert "secret" not in repr(settings)
        files, data = {"file": wav(SPEECH)}, {"name": "kept"}
        assert httpx.post(f"{address}/v1/voices", headers=good, files=files, data=data, timeout=60).status_code == 201
    (tmp_path / "broken.json").write_text("{")
    with served(model, settings) as (address, _):
        found = httpx.get(f"{address}/v1/voices", headers=good).json()["data"]
        assert [voice["id"] for voice in found] == ["default", "kept"]
