"""What the label pass took is kept with the edition that it belongs to."""

import pytest

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.error_rates import ErrorRate
from curation.manifests.history.labelling import Labelling, read_labelling, write_labelling


def test_labelling_is_of_its_edition(tmp_path):
    out, found = Storage(str(tmp_path)), Labelling()
    found.add(StageTimes({"vad": 1.0}, {"whisper": 2.0}, 5), {"whisper": ErrorRate(4, 1, "broken")})
    found.add(StageTimes({"vad": 0.5}, {}, 9), {"whisper": ErrorRate(2, 0, "")})
    write_labelling(out, 3, found)
    assert read_labelling(out, 3) == found
    assert (found.times.stages, found.errors["whisper"].calls) == ({"vad": 1.5}, 6)
    assert read_labelling(out, 2) == Labelling()


def test_damage_says_what_is_lost(tmp_path):
    out = Storage(str(tmp_path))
    out.write_bytes("generations/000003-labelling.json", b"{}}")
    with pytest.raises(DataError, match=r"000003-labelling\.json is damaged .*: remove it: only the times"):
        read_labelling(out, 3)
