"""What tests of decoding share: run it, check that the rows account for the source, compare with the original."""

import numpy as np

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Recording, Source
from curation.stages.decode.stage import DecodeConfig, decode_spans
from tests.support.dummies import speech

SECONDS = 6.0
SPEECH = speech(SECONDS, 3.0)


def decode(path, open_file=None, **config) -> list[Recording]:
    rows = list(decode_spans(Source("talk", str(path)), DecodeConfig(**config), open_file=open_file))
    assert_accounted(rows)
    return rows


def assert_accounted(rows):
    assert [row.last for row in rows] == [False] * (len(rows) - 1) + [True]
    assert [row.span for row in rows] == list(range(len(rows)))
    assert [row.offset for row in rows] == list(np.cumsum([0, *[row.num_samples for row in rows[:-1]]]))
    for row in rows:
        assert (row.audio is None) == (row.verdict is not None)
        assert row.audio is None or (row.audio.dtype == np.float32 and row.audio.shape == (row.num_samples,))


def only(rows: list[Recording]) -> Recording:
    assert len(rows) == 1, [(row.num_samples, row.verdict) for row in rows]
    return rows[0]


def total_seconds(rows) -> float:
    return sum(row.num_samples for row in rows) / SAMPLE_RATE


def similarity(audio, reference) -> float:
    length = min(len(audio), len(reference))
    return float(np.corrcoef(audio[:length], reference[:length])[0, 1])
