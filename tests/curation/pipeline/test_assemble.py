"""What a build is made of: a section that is null switches its stage off, and everything that it brings along."""

from dataclasses import replace

import pytest

from curation.models.catalogue import facts_of
from curation.pipeline.assemble import (
    STAGES,
    SYSTEMS,
    build_stages,
    declared_notes,
    declared_scores,
    memory_gib,
    steps,
    tokenizer_gpus,
    worker_needs,
)
from curation.pipeline.config import load_config

ALL = ["loudness", "denoise", "diarize", "quality", "boundary", "transcribe", "consensus", "punctuate"]


def test_stages_in_their_order():
    assert [stage.name for stage in build_stages(load_config())] == ALL
    assert [step.name for step in steps(load_config())] == ["decode", *ALL, "tokenize"]


@pytest.mark.parametrize("name", ["denoise", "quality", "boundary", "punctuate"])
def test_a_section_that_is_null_switches_its_stage_off(name):
    config = load_config(overrides=[f"{name}=null"])
    assert [stage.name for stage in build_stages(config)] == [stage for stage in ALL if stage != name]
    assert name not in [step.name for step in steps(config)]


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


def test_only_the_publish_pass_reserves_a_gpu_for_tokenizers():
    config = load_config(overrides=["tokenize.device=cuda", "tokenize.glm=glm:path:/nowhere"])
    assert worker_needs(config).gpus == 0
    assert tokenizer_gpus(config) == 1
    assert tokenizer_gpus(load_config(overrides=["tokenize.device=cuda"])) == 0  # the compact ones use the CPU
    assert tokenizer_gpus(load_config(overrides=["tokenize=null"])) == 0


def test_scores_and_notes_of_stages_and_adapters_are_declared():
    declared = [*(STAGES[kind] for kind in STAGES), *(SYSTEMS[kind] for kind in SYSTEMS)]
    assert any(SYSTEMS[kind].scores for kind in SYSTEMS)
    assert {score for owner in declared for score in owner.scores} <= set(declared_scores())
    assert {note for owner in declared for note in owner.notes} <= set(declared_notes())
    halved = load_config(overrides=["tokenize.device=cuda", "tokenize.glm=glm:path:/nowhere", "engine.worker_gpus=0.5"])
    assert tokenizer_gpus(halved) == 0.5


def test_models_of_pyannote_count_only_where_it_uses_them():
    def of_diarize(*settings, preset="offline"):
        step = next(step for step in steps(load_config(preset=preset, overrides=settings)) if step.name == "diarize")
        return [name for use in step.uses for name in use.model_names]

    assert set(of_diarize()) == {"pyannote-segmentation-3.0", "campplus"}
    whole = of_diarize("diarize.pipeline=path:/a/pipeline")
    assert set(whole) == {"path:/a/pipeline", "campplus"}
    assert "pyannote-segmentation-3.0" not in of_diarize(preset="paper")


def test_weights_stand_for_memory_that_nobody_measured():
    (large,) = [
        use
        for use in next(step for step in steps(load_config(preset="paper")) if step.name == "transcribe").uses
        if getattr(use.section, "name", "").startswith("canary")
    ]
    assert memory_gib(large) == 0  # its weights are on the GPU
    on_cpu = replace(large, section=large.section.model_copy(update={"device": "cpu"}))
    assert memory_gib(on_cpu) == pytest.approx(facts_of("hf:nvidia/canary-1b-v2").gib)
