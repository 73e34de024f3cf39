"""Hours by speaker and by recording."""

import pytest

from curation.audit.corpus import Corpus
from curation.audit.page import totals
from tests.support.audit.segments import write_segments


def segments(folder, seconds, status="kept"):
    """One utterance of so many seconds for each speaker."""
    rows = [
        {
            "id": f"u{at}",
            "recording_id": f"r{at % 3}",
            "path": f"/in/{at % 3}.wav",
            "start": 0.0,
            "speaker": f"s{at:04d}",
        }
        | {"seconds": float(length), "status": "kept" if length else "rejected"}
        for at, length in enumerate(seconds)
    ]
    write_segments(folder, rows)
    return Corpus.open(str(folder))


def test_equal_speakers_and_one_that_has_all(tmp_path):
    found = totals.speakers(segments(tmp_path, [2.0] * 10))
    assert (found["count"], found["gini"]) == (10, pytest.approx(0))
    assert found["lorenz"][0] == [0, 0]
    assert found["lorenz"][5] == pytest.approx([0.5, 0.5])
    assert found["top"][0] == ["s0000", 32_000, 1]


@pytest.mark.parametrize("lengths", [[1], [1, 1000], [3, 1, 2] * 7, [number**2 for number in range(1, 451)]])
def test_gini_and_curve_are_those_of_the_definition(tmp_path, lengths):
    found = totals.speakers(segments(tmp_path, lengths))
    count, total = len(lengths), sum(lengths)
    differences = sum(abs(one - other) for one in lengths for other in lengths)
    assert found["gini"] == pytest.approx(differences / (2 * count * total), abs=1e-9)
    curve = found["lorenz"]
    assert curve[-1] == pytest.approx([1, 1])
    assert len(curve) <= 2 * totals.POINTS
    ordered = sorted(lengths)
    for x, y in curve:
        assert y == pytest.approx(sum(ordered[: round(x * count)]) / total)


def test_without_a_kept_utterance_there_is_no_speaker(tmp_path):
    found = totals.speakers(segments(tmp_path, [0.0]))
    assert (found["count"], found["gini"], found["top"]) == (0, 0, [])


def test_recordings_that_lose_most_come_first(tmp_path):
    rows = [
        {"id": f"{name}{at}", "recording_id": name, "path": f"/in/{name}.wav", "start": 0.0, "seconds": seconds}
        | {"status": status}
        for name, parts in {"a": [(5.0, "kept")], "b": [(1.0, "kept"), (3.0, "rejected")]}.items()
        for at, (seconds, status) in enumerate(parts)
    ]
    write_segments(tmp_path, rows)
    found = totals.recordings(Corpus.open(str(tmp_path)))
    assert found == {"count": 2, "top": [["b", "/in/b.wav", 2, 64_000, 16_000], ["a", "/in/a.wav", 1, 80_000, 80_000]]}
