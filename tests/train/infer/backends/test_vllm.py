"""A model whose tokens come from a server with vLLM's API: the same answers, and what can go wrong between the two.

`train/infer/backends/remote.py` through it.
"""

import json
import re
import socket
import sys
import time
from dataclasses import replace

import httpx
import numpy as np
import pytest

from curation.core.errors import ConfigError, DataError, ServiceError
from curation.serve.settings import ServeSettings
from curation.tokenize.vocabulary import make_vocabulary
from curation.train.infer.backends.base import Request
from curation.train.infer.backends.vllm import Vllm
from curation.train.infer.engine import Engine
from curation.train.infer.sampling import Allowed, Sampling
from curation.train.infer.speech_model import SpeechModel
from tests.curation.serve.served import served as in_front
from tests.curation.serve.served import settled
from tests.support.commands import curation, message
from tests.support.real_speech import librivox
from tests.train.infer.backends.stand_in import error, vllm

VOICE = librivox()[0][:16_000]
GREEDY = Sampling()


@pytest.fixture(scope="module")
def running(checkpoint, model):
    with vllm(checkpoint, Engine(model.engine.decoder, 8, 1024)) as found:
        yield found


@pytest.fixture
def served(running):
    """The server without a fault."""
    given = {name: getattr(running, name) for name in ("text_only", "cut_after", "fail_after", "done_after", "foreign")}
    running.asked.clear()
    yield running
    for name, value in given.items():
        setattr(running, name, value)
    running.answers.clear()


@pytest.fixture
def remote(checkpoint, served):
    return SpeechModel.open(checkpoint, engine=f"{served.url}/v1", slots=4)


def prompt(model, text="A word, and so on."):
    """A request for speech."""
    ids = model.vocabulary.text_ids(text)
    return Request(ids, model.speech_ids, 100, GREEDY)


def test_answers_are_those_of_the_engine_of_this_process(remote, served, model):
    texts = [VOICE, VOICE[4000:]]
    assert remote.transcribe(texts) == model.transcribe(texts) == ["".join(remote.transcribe_stream(w)) for w in texts]
    said = ["Yes.", "No, not yet.", "Perhaps."]
    for speech, expected in zip(remote.speak(said, [VOICE], GREEDY), model.speak(said, [VOICE], GREEDY), strict=True):
        np.testing.assert_allclose(speech, expected, rtol=0, atol=2e-5)
    assert served.most > 1
    streamed = np.concatenate(list(remote.convert_stream(VOICE, VOICE, GREEDY)))
    np.testing.assert_allclose(streamed, model.convert([VOICE], [VOICE], GREEDY)[0], rtol=0, atol=2e-5)
    assert remote.engine.describe() == {"engine": served.url, "model": "tiny", "slots": 4}


def test_answers_end_as_they_do_in_this_process(remote, model):
    asked = [replace(prompt(model), limit=limit) for limit in (1, 3, 7, 100)]
    few = Allowed(range(100, 104), (104,))
    asked += [replace(prompt(model, text), allowed=few) for text in ("A", "B and more", "C", "D or less", "E", "F")]
    found, expected = remote.engine.run(asked), model.engine.run(asked)
    assert [(one.ids, one.finished, one.end) for one in found] == [(one.ids, one.finished, one.end) for one in expected]
    assert {one.finished for one in found} == {"end", "limit"}
    assert [list(remote.engine.follow(one)) for one in found] == [one.ids for one in expected]


def test_what_is_asked(remote, served, model):
    request = replace(prompt(model), sampling=Sampling(0.5, 0.9, 1.1, seed=7))
    first, again, other = remote.engine.run([request, request, replace(request, sampling=Sampling(0.5, seed=8))])
    assert first.ids == again.ids != other.ids
    one, two, three = sorted(served.asked, key=lambda body: body["top_p"])
    assert one["seed"] == two["seed"] != three["seed"]
    assert one | {"seed": 0} == {
        "model": "tiny",
        "prompt": request.prompt.tolist(),
        "max_tokens": 100,
        "allowed_token_ids": [*model.speech_ids.body, *model.speech_ids.ends],
        "stop_token_ids": [model.vocabulary.end],
        "temperature": 0.5,
        "top_p": 0.9,
        "repetition_penalty": 1.1,
        "seed": 0,
        "top_k": 0,
        "min_p": 0.0,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "stream": True,
        "return_token_ids": True,
    }


def test_a_key_is_sent_where_there_is_one(checkpoint, served, monkeypatch):
    served.keys.clear()
    SpeechModel.open(checkpoint, engine=served.url)
    assert served.keys == {""}
    monkeypatch.setenv("VLLM_API_KEY", "abc")
    SpeechModel.open(checkpoint, engine=served.url)
    assert served.keys == {"", "Bearer abc"}
    monkeypatch.setenv("VLLM_API_KEY", "abc\n")  # as a file with it ends
    SpeechModel.open(checkpoint, engine=served.url)
    assert served.keys == {"", "Bearer abc"}
    for key in ("schlüssel", "a\nb"):
        monkeypatch.setenv("VLLM_API_KEY", key)
        with pytest.raises(ConfigError, match="VLLM_API_KEY: holds what is no key") as caught:
            SpeechModel.open(checkpoint, engine=served.url)
        assert key not in str(caught.value)


def idle(served, seconds=30.0):
    end = time.monotonic() + seconds
    while served.running and time.monotonic() < end:
        time.sleep(0.02)
    return not served.running and served.engine.cache.num_free == served.engine.slots


def test_a_closed_stream_ends_the_request_there(remote, served, model):
    endless = replace(prompt(model), limit=900, allowed=replace(model.speech_ids, ends=(0,)))
    before, answer = served.broken, remote.engine.submit(endless)
    stream = remote.engine.follow(answer)
    next(stream)
    stream.close()
    assert answer.finished == "cancelled"
    assert idle(served)
    assert served.broken == before + 1


def test_a_request_that_is_cancelled_elsewhere_stops(remote, served, model):
    answer = remote.engine.submit(replace(prompt(model), limit=900, allowed=replace(model.speech_ids, ends=(0,))))
    stream = remote.engine.follow(answer)
    next(stream)
    remote.engine.cancel(answer)
    assert len(list(stream)) < 3
    assert list(remote.engine.follow(answer)) == answer.ids
    assert idle(served)


def test_one_that_fails_ends_the_others_of_a_run(remote, served, model):
    endless = replace(prompt(model), limit=900, allowed=replace(model.speech_ids, ends=(0,)))
    served.fail_after = 6
    with pytest.raises(ServiceError, match="EngineCore encountered an issue"):
        remote.engine.run([endless] * 6)
    assert idle(served)


@pytest.mark.parametrize(
    ("fault", "value", "reason"),
    [
        ("text_only", True, "answers in text alone: it must know return_token_ids: vLLM 0.10.2 or later"),
        ("cut_after", 3, "does not answer /v1/completions (.*): does `vllm serve` run there"),
        ("done_after", 3, "broke off after 3 tokens: its log says why"),
        ("fail_after", 3, "failed (EngineCore encountered an issue.): its log says why"),
        ("foreign", True, "answered with id .*, which was not allowed"),
    ],
)
def test_faults_of_a_server_name_it(remote, served, model, fault, value, reason):
    setattr(served, fault, value)
    answer = remote.engine.submit(prompt(model))
    with pytest.raises(ServiceError, match=pattern(f"the engine at {served.url} {reason}")):
        list(remote.engine.follow(answer))
    with pytest.raises(ServiceError):
        list(remote.engine.follow(answer))
    assert answer.finished == "failed"


def pattern(text):
    """A text as a pattern in which `.*` stays what it is."""
    return re.escape(text).replace(re.escape(".*"), ".*")


def test_an_error_of_a_request_says_what_the_server_says(remote, served, model):
    served.answers["/v1/completions"] = 400, error("temperature must be non-negative", 400)
    with pytest.raises(ServiceError, match="answers /v1/completions with 400: temperature must be non-negative"):
        remote.engine.run([prompt(model)])
    served.answers["/v1/completions"] = 502, "<html>Bad Gateway"
    with pytest.raises(ServiceError, match="answers /v1/completions with 502: b'<html>Bad Gateway'"):
        remote.engine.run([prompt(model)])


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        (None, "failed"),
        (5, "not JSON of vLLM"),
        ([5], "not JSON of vLLM"),
        ([{"token_ids": 5}], "not JSON of vLLM"),
        ([{"token_ids": [True]}], "not JSON of vLLM"),
        ([{"token_ids": [2600] * 101, "finish_reason": "length"}], "answered with more than the 100 tokens"),
    ],
)
def test_answers_of_another_form_are_named(remote, served, model, choices, reason):
    assert 2600 in model.speech_ids.body
    served.answers["/v1/completions"] = 200, f"data: {json.dumps({'choices': choices})}\n\n"
    answer = remote.engine.submit(prompt(model))
    with pytest.raises(ServiceError, match=reason):
        list(remote.engine.follow(answer))
    assert answer.finished == "failed"
    assert len(answer.ids) <= 100


def test_no_more_is_read_than_an_answer_can_be(remote, served, model):
    served.answers["/v1/completions"] = 200, "data: " + " " * 6_000_000
    with pytest.raises(ServiceError, match="answers with more than 4194304 bytes at once"):
        remote.engine.run([prompt(model)])
    served.answers["/v1/completions"] = 500, " " * 6_000_000
    with pytest.raises(ServiceError, match="answers with more than 4194304 bytes at once"):
        remote.engine.run([prompt(model)])


@pytest.mark.parametrize(
    ("path", "status", "body", "reason"),
    [
        ("/v1/models", 200, '{"data": []}', "serves no model"),
        ("/v1/models", 401, '{"error": "Unauthorized"}', "answers /v1/models with 401: Unauthorized"),
        ("/v1/models", 200, "<html>", "not JSON of vLLM"),
        ("/v1/models", 200, "[" * 100_000, "not JSON of vLLM"),
        ("/v1/models", 200, '{"data": [5]}', "not JSON of vLLM"),
        ("/v1/models", 200, '{"data": [{"id": "tiny", "max_model_len": -1}]}', "not JSON of vLLM"),
        ("/v1/models", 302, "<html>", "answers /v1/models with 302: b'<html>'"),
        ("/tokenize", 404, '{"detail": "Not Found"}', "answers /tokenize with 404"),
        ("/tokenize", 200, '{"tokens": [1, 2]}', "serves tiny, which has another vocabulary"),
    ],
)
def test_what_is_no_server_of_the_checkpoint_is_named_when_it_is_opened(checkpoint, served, path, status, body, reason):
    served.answers[path] = status, body
    with pytest.raises(ServiceError, match=f"the engine at {served.url} .*{reason}"):
        SpeechModel.open(checkpoint, engine=served.url)


def test_a_model_of_another_vocabulary_is_refused(served):
    with pytest.raises(ServiceError, match="serves tiny, which has another vocabulary: start `vllm serve` with this"):
        Vllm(served.url, make_vocabulary(glm=1, global_=1, semantic=1, texts=["a b"] * 9, text_size=260))


@pytest.mark.parametrize(
    "url",
    [
        *("there:8000", "http://", "ftp://there", "http://there:port", "http://[::1", f"http://{'a' * 70}.x"),
    ],
)
def test_an_address_that_is_none_is_refused(checkpoint, url):
    said = pattern(f"--engine {url}: not an address of a server: give http://HOST:PORT")
    with pytest.raises(ConfigError, match=said):
        SpeechModel.open(checkpoint, engine=url)


@pytest.mark.parametrize("url", ["http://there?key=secret", "http://name:secret@there", "http://secret@there/v1"])
def test_an_address_with_a_secret_is_refused_without_it(checkpoint, url):
    said = r"--engine http://there(/v1)?: not an address of a server: give http://HOST:PORT alone"
    with pytest.raises(ConfigError, match=said) as raised:
        SpeechModel.open(checkpoint, engine=url)
    assert "secret" not in str(raised.value)


def test_weights_are_the_servers(checkpoint, served):
    with pytest.raises(ConfigError, match="has the weights, which cannot be int8 here"):
        SpeechModel.open(checkpoint, engine=served.url, dtype="int8")


def test_prompts_that_the_server_has_no_room_for_are_refused_here(remote, model):
    assert remote.engine.length == 1024
    with pytest.raises(DataError, match="a prompt of 1024 tokens"):
        remote.engine.submit(replace(prompt(model), prompt=np.zeros(1024, np.int32)))


def test_a_server_in_front_of_it_says_that_it_cannot_answer(remote, served):
    body = {"model": "front", "input": "Yes.", "response_format": "wav", "temperature": 0}
    with in_front(remote, ServeSettings(name="front")) as (address, app):
        assert httpx.post(f"{address}/v1/audio/speech", json=body, timeout=60).status_code == 200
        served.answers["/v1/completions"] = 500, error("EngineCore died, see /root/vllm.log", 500)
        told = httpx.post(f"{address}/v1/audio/speech", json=body, timeout=60)
        assert (told.status_code, told.json()["error"]["type"]) == (502, "server_error")
        assert "root" not in told.text
        assert settled(app)


def test_commands_ask_it_and_say_when_it_is_gone(checkpoint, served, model, tmp_path, monkeypatch):
    import soundfile

    soundfile.write(tmp_path / "a.wav", VOICE, 16_000)
    told = curation("transcribe", checkpoint, tmp_path / "a.wav", "--json", "--engine", served.url).stdout
    assert json.loads(told) == json.loads(curation("transcribe", checkpoint, tmp_path / "a.wav", "--json").stdout)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{unused.getsockname()[1]}"
        told = message(curation("transcribe", checkpoint, tmp_path / "a.wav", "--engine", gone, code=1))
    assert re.search(rf"the engine at {gone} does not answer /v1/models \(.*refused.*\): does `vllm serve` run", told)
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "curation.train.infer.backends.vllm")
    told = message(curation("transcribe", checkpoint, tmp_path / "a.wav", "--engine", served.url, code=2))
    assert "needs the package httpx: pip install 'curation[vllm]'" in told
