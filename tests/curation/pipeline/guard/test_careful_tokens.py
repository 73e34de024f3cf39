"""Tokens of kept utterances: one recording at a time where a tokenizer has killed its process."""

import json

import numpy as np
import pyarrow as pa
import pytest

from curation.audio.flac import encode_flac
from curation.core.storage import Storage
from curation.pipeline.encode import encode_recordings
from curation.pipeline.guard.quarantine import UNEXPLAINED, Attempt, Crash, working_on
from curation.tokenize.base import CodecTokens
from curation.tokenize.pair import DualTokenizer
from tests.support.dummies import tone

UTTERANCES = [("a", "a-0"), ("b", "b-0"), ("a", "a-1"), ("c", "c-0")]
RECORDINGS, IDS = (pa.chunked_array([list(column)]) for column in zip(*UTTERANCES, strict=True))
AUDIO = pa.chunked_array([[encode_flac(tone(0.5 + number / 10)) for number in range(len(UTTERANCES))]])


class Content:
    """Looks at the notes of the attempt when it encodes."""

    name, fingerprint, codebook_size = "watching", "w", 9

    def __init__(self, out):
        self.out, self.calls = out, []

    def num_tokens(self, samples):
        return samples // 1280

    def encode(self, waves):
        notes = [json.loads(self.out.read_bytes(f"attempts/{name}")) for name in self.out.names("attempts")]
        self.calls.append((len(waves), [(note["current"], note["detail"]) for note in notes]))
        return [np.zeros(self.num_tokens(len(wave)), np.int32) for wave in waves]


class Codec:
    name, fingerprint, semantic_size, global_size, num_global = "none", "n", 1, 1, 1

    def num_semantic(self, samples):
        return samples // 320

    def encode(self, waves):
        return [CodecTokens(np.zeros(len(wave) // 320, np.int32), np.zeros(1, np.int32)) for wave in waves]


@pytest.fixture
def content(tmp_path):
    return Content(Storage(str(tmp_path)))


def encoded(content, attempt):
    """Errors of the utterances, in their order."""
    with working_on(attempt):
        rows = encode_recordings(DualTokenizer(content, Codec()), RECORDINGS, IDS, AUDIO).to_pylist()
    errors = {row["id"]: row["error"] for row in rows}
    assert all((row["glm"] is None) == bool(row["error"]) for row in rows)
    assert len(errors) == len(rows)
    return [errors[name] for name in IDS.to_pylist()]


def test_all_are_encoded_together_where_nothing_has_died(content):
    assert encoded(content, Attempt(content.out, "t")) == ["", "", "", ""]
    assert content.calls == [(4, [])]


def test_after_a_death_each_recording_is_alone_and_noted_before(content):
    attempt = Attempt(content.out, "t").after_death()
    assert encoded(content, attempt) == ["", "", "", ""]
    doing = f"{UNEXPLAINED} in tokenizing"
    assert content.calls == [(2, [("a", doing)]), (1, [("b", doing)]), (1, [("c", doing)])]
    # What kills the process after that is no recording's fault.
    assert attempt.after_death().victims == {}


def test_a_recording_that_did_it_is_failed_with_the_reason(content):
    attempt = Attempt(content.out, "t", deaths=2, victims={"a": Crash("it hung")})
    assert encoded(content, attempt) == ["it hung", "", "it hung", ""]
    assert [count for count, _ in content.calls] == [1, 1]
