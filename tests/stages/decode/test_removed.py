"""The samples of a recording are known in every lossless container, and those that were removed are refused."""

from functools import partial

import numpy as np
import pytest
import soundfile

from curation.core.storage import Storage
from curation.manifests.records import Source
from curation.manifests.removals import tombstones
from curation.manifests.removals.tombstones import REASON, Tombstones
from curation.stages.decode.removed import unless_removed
from curation.stages.decode.stage import DecodeConfig, decode_spans

CONFIG = DecodeConfig(max_span_seconds=2, span_search_seconds=0.5)


def spans(path):
    return list(decode_spans(Source("a", str(path)), CONFIG))


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2)])
def test_equal_samples_have_one_hash_in_any_container(tmp_path, rate, channels):
    wave = np.random.default_rng(1).integers(-9000, 9000, (rate * 5 + 77, channels)).astype(np.int16)
    for name in ("a.wav", "b.flac", "c.aiff"):
        soundfile.write(tmp_path / name, wave, rate, subtype="PCM_16")
    soundfile.write(tmp_path / "d.wav", wave[:-1], rate, subtype="PCM_16")
    found = [[span.media.pcm for span in spans(tmp_path / name)] for name in ("a.wav", "b.flac", "c.aiff", "d.wav")]
    assert all(hashes[:-1] == [""] * (len(hashes) - 1) and len(hashes) > 2 for hashes in found)
    last = [hashes[-1] for hashes in found]
    assert (len(last[0]), len({*last[:3]}), last[3] == last[0]) == (64, 1, False)
    whole = list(decode_spans(Source("a", str(tmp_path / "a.wav")), DecodeConfig()))
    assert [span.media.pcm for span in whole] == last[:1]  # whatever it is cut into


def test_what_has_no_samples_has_no_hash(tmp_path):
    (only,) = spans(tmp_path / "missing.wav")
    assert only.media.pcm == ""


def test_removed_samples_are_one_rejected_row(tmp_path):
    out = Storage(str(tmp_path / "out"))
    for name, seed in (("gone.wav", 1), ("stays.wav", 2)):
        wave = np.random.default_rng(seed).integers(-9000, 9000, 5 * 16_000).astype(np.int16)
        soundfile.write(tmp_path / name, wave, 16_000, subtype="PCM_16")
    tombstones.make_key(out)
    tombstones.write(out, 1, Tombstones.read(out).made(1, [("x", [spans(tmp_path / "gone.wav")[-1].media.pcm])]))
    decode = {
        name: partial(decode_spans, Source("b", str(tmp_path / name)), CONFIG) for name in ("gone.wav", "stays.wav")
    }
    (row,) = unless_removed(decode["gone.wav"], Tombstones.read(out))
    assert (row.verdict.status, row.verdict.reason, row.num_samples, row.last) == ("rejected", REASON, 80_000, True)
    assert (row.audio, row.original, row.media.pcm) == (None, None, "")
    stays = list(unless_removed(decode["stays.wav"], Tombstones.read(out)))
    assert sum(len(span.audio) for span in stays) == 80_000
    assert len(list(unless_removed(decode["gone.wav"], Tombstones()))) > 1
