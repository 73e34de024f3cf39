"""Settings of the diarize stage, and of its diarizer; of one from a plug-in in tests/curation/core/test_kinds.py."""

import pytest

from curation.core.errors import ConfigError
from curation.pipeline.config import load_config


@pytest.mark.parametrize(("least", "most", "fits"), [(1, 20, True), (20, 20, True), (20.5, 20, False), (5, 4, False)])
def test_the_shortest_utterance_is_no_longer_than_the_longest(least, most, fits):
    overrides = [f"diarize.min_seconds={least}", f"diarize.max_seconds={most}"]
    if fits:
        assert load_config(overrides=overrides).diarize.max_seconds == most
    else:
        with pytest.raises(ConfigError, match=f"diarize: min_seconds {least} is above max_seconds {most}"):
            load_config(overrides=overrides)


def test_the_settings_of_pyannote_are_those_of_the_stage():
    config = load_config().diarize
    assert config.settings == {"pyannote": config}
