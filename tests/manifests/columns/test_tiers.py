"""Tiers: the first all whose rules an utterance meets."""

import pyarrow as pa
import pytest

from curation.core.errors import ConfigError
from curation.manifests.columns.tiers import tier_of, tiers_of

COLUMNS = ["seconds", "pwer", "confidence"]


def test_the_first_tier_whose_rules_are_met():
    tiers = tiers_of({"gold": ["pwer <= 0.02", "seconds>=1"], "silver": ["pwer < .1"], "bronze": []}, COLUMNS)
    rows = [
        (0.02, 1.0, "kept"),
        (0.02, 0.5, "kept"),
        (0.1, 5.0, "kept"),
        (None, 5.0, "kept"),
        (float("nan"), 5.0, "kept"),
        (0.0, 5.0, "rejected"),
    ]
    pwer, seconds, status = (pa.chunked_array([list(values)]) for values in zip(*rows, strict=True))
    found = tier_of({"pwer": pwer, "seconds": seconds, "status": status}, tiers)
    assert found.to_pylist() == ["gold", "silver", "bronze", "bronze", "bronze", None]
    assert tier_of({"pwer": pwer, "seconds": seconds, "status": status}, tiers[:2])[2].as_py() is None
    assert tier_of({"status": status}, []).null_count == len(rows)


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ({"Gold!": []}, "publish.tiers.Gold!: 'Gold!' is no name"),
        ({"gold": ["pwer"]}, "publish.tiers.gold: 'pwer' is no rule"),
        ({"gold": ["pwer <= nan"]}, "is no rule"),
        ({"gold": ["pwer <= 0.1; DROP"]}, "is no rule"),
        ({"gold": ["pwr <= 0.1"]}, "no column of numbers 'pwr'; did you mean pwer?"),
        ({"gold": ["text <= 1"]}, "no column of numbers 'text'"),
    ],
)
def test_what_is_no_tier_names_the_setting(tiers, message):
    with pytest.raises(ConfigError) as error:
        tiers_of(tiers, COLUMNS)
    assert message in str(error.value)
