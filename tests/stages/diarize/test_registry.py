"""The diarizers, by kind (`base.py`), and how their settings are found in `config.py`."""

import pytest
from pydantic import ValidationError

from curation.core.errors import ConfigError
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.registry import DIARIZERS
from curation.stages.diarize.stage import Diarize


def test_those_of_this_repository_are_found_by_their_kind():
    assert {kind: item.__module__ for kind, item in DIARIZERS.built_in.items()} == {
        "pyannote": "curation.stages.diarize.pyannote.adapter"
    }


def test_an_unknown_diarizer_is_named():
    with pytest.raises(ConfigError, match="unknown diarizer 'magic': expected one of pyannote"):
        DIARIZERS["magic"]
    with pytest.raises(ValidationError, match="unknown diarizer 'magic'"):
        DiarizeConfig(diarizer="magic")


def test_settings_of_the_section_reach_the_diarizer():
    config = DiarizeConfig(clustering_threshold=0.5, segmentation_step_seconds=1.0)
    (use,) = Diarize.adapters(config)
    assert use.name == "diarize.pyannote"
    assert (use.section.clustering_threshold, use.section.segmentation_step_seconds) == (0.5, 1.0)
