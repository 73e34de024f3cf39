"""What a build is made of: a section that is null switches its stage off, and everything that it brings along."""

import pytest

from curation.pipeline.assemble import build_stages, declared_notes, declared_scores, steps, worker_needs
from curation.pipeline.config import load_config

ALL = ["loudness", "denoise", "diarize", "boundary", "transcribe", "consensus", "punctuate"]


def test_stages_in_their_order():
    assert [stage.name for stage in build_stages(load_config())] == ALL
    assert [step.name for step in steps(load_config())] == ["decode", *ALL, "tokenize"]


@pytest.mark.parametrize("name", ["denoise", "boundary", "punctuate"])
def test_a_section_that_is_null_switches_its_stage_off(name):
    config = load_config(overrides=[f"{name}=null"])
    assert [stage.name for stage in build_stages(config)] == [stage for stage in ALL if stage != name]
    assert name not in [step.name for step in steps(config)]
    lost = {score.name for score in declared_scores(load_config())} - {score.name for score in declared_scores(config)}
    assert (len(lost) > 0) == (name != "punctuate")
    assert not set(declared_notes(config)) > set(declared_notes(load_config()))


def test_without_tokenizers_nothing_is_tokenized():
    assert [step.name for step in steps(load_config(overrides=["tokenize=null"]))] == ["decode", *ALL]


def test_each_stage_has_the_settings_of_its_section():
    settings = ["loudness.ratio=9", "denoise.choose=never", "diarize.min_seconds=2", "punctuate.aligner=pocketsphinx"]
    stages = {stage.name: stage for stage in build_stages(load_config(overrides=settings))}
    assert stages["loudness"].config.ratio == 9
    assert stages["denoise"].config.choose == "never"
    assert stages["diarize"].config.min_seconds == 2


def test_a_worker_needs_what_all_its_models_take_and_the_cpus_of_one():
    every, fewer = worker_needs(load_config()), worker_needs(load_config(overrides=["denoise=null", "punctuate=null"]))
    systems = load_config().transcribe.systems
    one = load_config(overrides=["transcribe.language_system=" + systems[0].name]).model_copy(
        update={"transcribe": load_config().transcribe.model_copy(update={"systems": systems[:1]})}
    )
    assert every.memory_gib > fewer.memory_gib > 0.75
    assert every.memory_gib > worker_needs(one).memory_gib
    assert every.cpus >= fewer.cpus > 0
    assert every.gpus == 0
