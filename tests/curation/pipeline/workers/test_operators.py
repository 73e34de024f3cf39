"""The parts of the label pass, by what stages and adapters declare."""

import itertools

import pytest

from curation.core.declarations import Resources
from curation.pipeline.assemble import build_stages, worker_needs
from curation.pipeline.config import load_config
from curation.pipeline.workers.operators import operators
from curation.stages.base import Stage
from tests.support.builds import toy_config
from tests.support.toy import choir_stages, toy_stages


def parts(config, stages=build_stages):
    return operators(config, stages(config))


def names(levels):
    return [[operator.name for operator in level] for level in levels]


def test_each_system_is_a_part_and_the_stages_before_and_after_them_are():
    config = load_config()
    levels = parts(config)
    lead, *others = [system.name for system in config.transcribe.systems]
    assert names(levels) == [["denoise+diarize+quality"], [lead], others, ["consensus+punctuate"]]
    assert levels[0][0].stages == ("loudness", "denoise", "diarize", "quality", "boundary")
    assert levels[3][0].stages == ("transcribe", "consensus", "punctuate")
    assert (levels[1][0].leads, levels[3][0].joins, levels[3][0].commits) == (True, True, True)
    assert sum(operator.commits for level in levels for operator in level) == 1


def test_all_parts_together_need_what_a_worker_with_all_of_them_needs():
    config = load_config()
    every = [operator for level in parts(config) for operator in level]
    own = [operator.needs.memory_gib - 0.75 for operator in every]
    assert sum(own) + 0.75 == pytest.approx(worker_needs(config).memory_gib)


def test_workers_of_all_parts_have_room_for_long_batches():
    config = load_config()
    short, long = (itertools.chain(*operators(config, build_stages(config), seconds)) for seconds in (300, 2700))
    more = [other.needs.memory_gib - one.needs.memory_gib for one, other in zip(short, long, strict=True)]
    assert more == pytest.approx([worker_needs(config, 2700).memory_gib - worker_needs(config).memory_gib] * len(more))
    assert more[0] > 0.3  # measured: docs/results/2026-11-27-staging.md


def test_the_system_that_identifies_languages_goes_first():
    config = load_config(overrides=["transcribe.language_system=whisper-tiny.en"])
    assert names(parts(config))[1] == ["whisper-tiny.en"]


def test_on_the_paper_preset_the_systems_have_gpus_and_the_rest_has_none():
    levels = parts(load_config(preset="paper"))
    on_gpus = {operator.name for level in levels for operator in level if operator.needs.gpus}
    assert {operator.name for operator in levels[-1]} & on_gpus == set()
    assert {"whisper-large-v3"} <= on_gpus
    before = [("loudness", "denoise"), ("diarize",), ("quality", "boundary")]
    assert [level[0].stages for level in levels[:3]] == before
    assert "diarize" in on_gpus
    assert not {"denoise", "quality"} & on_gpus


def test_without_its_section_a_stage_is_in_no_part():
    config = load_config(overrides=["denoise=null", "quality=null", "punctuate=null", "boundary=null"])
    levels = parts(config)
    assert [level[0].stages for level in levels] == [
        ("loudness", "diarize"), ("transcribe",), ("transcribe",), ("transcribe", "consensus")
    ]  # fmt: skip


def test_stages_without_models_are_one_part():
    assert names(parts(toy_config(), toy_stages)) == [["hear"]]
    assert parts(toy_config(), toy_stages)[0][0].stages == ("loudness", "cut", "misbehave", "hear")
    assert names(parts(toy_config(), choir_stages)) == [["cut"], ["mid"], ["high", "low"], ["hear"]]


class Large(Stage):
    name, resources = "large", Resources(cpus=4, memory_gib=3)

    def process(self, batch):
        """Does nothing."""


def test_stages_of_an_own_function_count_by_what_they_declare():
    def stages(config):
        first, *others = toy_stages(config)
        return [first, Large(), *others, Large()]

    (level,) = parts(toy_config(), stages)
    assert level[0].stages == ("loudness", "large", "cut", "misbehave", "hear", "large")
    assert level[0].needs.cpus == 4
    assert level[0].needs.memory_gib == 0.75 + 2 * 3
