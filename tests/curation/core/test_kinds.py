"""Settings of adapters by kind: they are the adapter's own, checked at their place, and part of the configuration."""

import pytest
import yaml

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.core.kinds import make, section_for
from curation.core.settings import to_yaml
from curation.pipeline.assemble import build_stages, steps
from curation.pipeline.config import label_settings, load_config, validate
from curation.stages.denoise.registry import DENOISERS
from curation.tokenize.pair import TokenizeConfig, described
from curation.tokenize.registry import load_codec, load_content
from tests.support.plug_in import write_installed

CODE = """
from curation.core.settings import Section, model_field
from curation.stages.denoise.base import Denoiser
from curation.stages.diarize.base import Diarizer
from curation.stages.diarize.turns import Turn
from curation.stages.punctuate.base import Aligner, Interval
from curation.tokenize.adapters.base import TokenizerKind
from curation.tokenize.adapters.compact import Compact
from pydantic import Field


class GainConfig(Section):
    factor: float = Field(gt=0)
    weights: str = model_field("path:/nowhere/gain", "weights")


class Gain(Denoiser):
    kind = "gain"
    section = GainConfig

    def __init__(self, config):
        self.config = config

    def denoise(self, wave):
        return wave * self.config.factor


class HalvesConfig(Section):
    speakers: int = 2


class Halves(Diarizer):
    kind = "halves"
    section = HalvesConfig

    def __init__(self, config):
        self.config = config

    def diarize(self, wave):
        step = len(wave) // self.config.speakers
        return [Turn(place * step, (place + 1) * step, f"v{place}") for place in range(self.config.speakers)]


class Even(Aligner):
    kind = "even"

    def speaks(self, language):
        return language == "en"

    def align(self, wave, words, language):
        step = len(wave) // max(1, len(words))
        return [Interval(place * step, (place + 1) * step) for place in range(len(words))]


class Twin(Compact):
    kind = "twin"
    streams = ("content",)
    codec = TokenizerKind.codec

class Plain(TokenizerKind):
    kind = "plain"
    streams = ("content",)

    def content(self, folder, device):
        assert device == "cpu"
        return Compact().content(folder, device)
"""
POINTS = {
    "curation.denoisers": {"gain": "Gain"},
    "curation.diarizers": {"halves": "Halves"},
    "curation.aligners": {"even": "Even"},
    "curation.tokenizers": {"twin": "Twin", "plain": "Plain"},
}
GAIN = ["denoise.denoiser=gain", "denoise.options={gain: {factor: 0.5}}"]


@pytest.fixture(autouse=True)
def _package(tmp_path, monkeypatch):
    write_installed(tmp_path, "four-kinds", POINTS, CODE)
    monkeypatch.syspath_prepend(tmp_path)


def test_settings_reach_the_adapter():
    config = load_config(overrides=GAIN)
    denoiser = make(DENOISERS, "gain", config.denoise.options)
    assert denoiser.denoise(2.0) == 1.0
    assert validate(yaml.safe_load(to_yaml(config)), "build.yaml") == config
    other = load_config(overrides=["denoise.denoiser=gain", "denoise.options={gain: {factor: 0.25}}"])
    assert label_settings(config) != label_settings(other)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["denoise.denoiser=gain"], "the denoiser 'gain' needs settings: factor"),
        (["denoise.options={gain: {factr: 1}}"], r"denoise\.options\.gain\.factr: unknown key; did you mean 'factor'"),
        (["denoise.options={gain: {factor: 0}}"], r"denoise\.options\.gain\.factor: input should be greater than 0"),
        (["denoise.options={gian: {}}"], "unknown denoiser 'gian': did you mean 'gain'"),
        (["denoise.options={rnnoise: {}}"], "the denoiser 'rnnoise' has no settings"),
        (["diarize.diarizer=halve"], r"diarize\.diarizer: .*unknown diarizer 'halve': did you mean 'halves'"),
        (["punctuate.fallback=odd"], r"punctuate\.fallback: .*unknown aligner 'odd': expected one of .*, even, none"),
    ],
)
def test_mistakes_are_named_with_their_place(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=overrides)


def test_defaults_stand_in_for_settings_that_are_not_given():
    config = load_config(overrides=["diarize.diarizer=halves"])
    (use,) = [use for step in steps(config) for use in step.uses if use.name == "diarize.halves"]
    assert use.section.speakers == 2
    assert section_for(DENOISERS, "rnnoise", {}) is None


def test_models_of_options_are_looked_for():
    uses = [use for step in steps(load_config(overrides=GAIN)) for use in step.uses]
    assert "path:/nowhere/gain" in {name for use in uses for name in use.model_names}


def test_settings_that_came_later_do_not_stop_an_older_build():
    """`options` and `diarizer` were not there when it was labelled."""
    settings = label_settings(load_config())
    assert {"options", "diarizer"} & {key for section in settings.values() if section for key in section} == set()
    assert label_settings(load_config(overrides=["diarize.diarizer=halves"]))["diarize"]["diarizer"] == "halves"


def test_a_diarizer_and_an_aligner_of_a_package_are_used():
    from tests.support.real_speech import TWO_CITIES, recording, wave

    config = load_config(
        overrides=["diarize.diarizer=halves", "diarize.options={halves: {speakers: 3}}", "punctuate.aligner=even"]
    )
    stages = {stage.name: stage for stage in build_stages(config)}
    row = recording(wave(TWO_CITIES)[: 6 * SAMPLE_RATE])
    for name in ("diarize", "punctuate"):
        stages[name].setup()
    stages["diarize"].process([row])
    assert [segment.speaker for segment in row.live_segments] == ["S0", "S1", "S2"]
    for segment in row.live_segments:
        segment.text, segment.language = "one two three", "en"
    stages["punctuate"].process([row])
    assert [segment.notes["punctuate.aligner"] for segment in row.live_segments] == ["even"] * 3
    assert [len(segment.words) for segment in row.live_segments] == [3, 3, 3]


def test_a_tokenizer_of_a_package_is_used():
    assert load_content("twin").fingerprint == load_content("compact").fingerprint
    for kind in ("twin", "plain"):
        assert described(TokenizeConfig(glm=kind))["glm"]["size"] == load_content("twin").codebook_size
    with pytest.raises(
        ConfigError, match=r"tokenize\.bicodec: the tokenizer 'twin' has no such stream, it has content"
    ):
        load_codec("twin")
    names = [use.name for step in steps(load_config(overrides=["tokenize.glm=twin"])) for use in step.uses]
    assert names[-2:] == ["tokenize.twin", "tokenize.compact"]
