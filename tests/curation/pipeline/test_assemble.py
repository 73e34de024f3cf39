"""What a build is made of: a section that is null switches its stage off, and everything that it brings along."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.declarations import Resources
from curation.models.catalogue import facts_of
from curation.pipeline.assemble import (
    STAGES,
    SYSTEMS,
    Node,
    build_stages,
    declared_notes,
    declared_scores,
    fitting_workers,
    memory_gib,
    none_fits,
    steps,
    tokenizer_gpus,
    worker_needs,
)
from curation.pipeline.config import EngineConfig, load_config

ALL = ["loudness", "denoise", "diarize", "boundary", "transcribe", "consensus", "punctuate"]


def test_stages_in_their_order():
    assert [stage.name for stage in build_stages(load_config())] == ALL
    assert [step.name for step in steps(load_config())] == ["decode", *ALL, "tokenize"]


@pytest.mark.parametrize("name", ["denoise", "boundary", "punctuate"])
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

    assert set(of_diarize()) == {"pyannote-segmentation", "ge2e-speaker-encoder"}
    whole = of_diarize("diarize.pipeline=path:/a/pipeline")
    assert set(whole) == {"path:/a/pipeline", "ge2e-speaker-encoder"}
    assert "pyannote-segmentation" not in of_diarize(preset="paper")


def test_weights_stand_for_memory_that_nobody_measured():
    (large,) = [
        use
        for use in next(step for step in steps(load_config(preset="paper")) if step.name == "transcribe").uses
        if getattr(use.section, "name", "").startswith("canary")
    ]
    assert memory_gib(large) == 0  # its weights are on the GPU
    on_cpu = replace(large, section=large.section.model_copy(update={"device": "cpu"}))
    assert memory_gib(on_cpu) == pytest.approx(facts_of("hf:nvidia/canary-1b-v2").gib)


def fit(needs, *nodes, **settings):
    workers = fitting_workers(needs, nodes, EngineConfig(**settings))
    return workers.count, workers.each.cpus, workers.each.gpus


@pytest.mark.parametrize("cpus", [1, 2, 3, 8, 9, 10, 18, 36, 71, 72])
def test_workers_and_decoding_fit_on_any_number_of_cpus(cpus):
    """With 0.9 CPUs each, 10 workers took all of 9 CPUs, and decoding waited for ever."""
    count, each, _ = fit(Resources(0.9, 0, 1), Node(cpus))
    assert count == int(cpus / 0.9)
    assert count * each + 0.1 <= cpus
    assert each > 0.8


@pytest.mark.parametrize(
    ("needs", "nodes", "expected"),
    [
        (Resources(1, 0), [Node(1)], (1, 0.9, 0)),
        (Resources(1, 0), [Node(2)], (2, 0.95, 0)),
        (Resources(4, 1), [Node(4, 1), Node(4, 1)], (2, 3.9, 1)),  # a GPU is not left idle for a decoder
        (Resources(3.9, 1), [Node(4, 1), Node(32)], (1, 3.9, 1)),
        (Resources(1, 0.5), [Node(64, 4)], (8, 1, 0.5)),
        (Resources(1, 0.4), [Node(64, 2)], (4, 1, 0.4)),  # a share is of one device
        (Resources(1, 2), [Node(64, 5)], (2, 1, 2)),
        (Resources(1, 0, 3), [Node(64, 0, 10), Node(1, 0, 10)], (4, 0.9, 0)),
        (Resources(2, 0), [Node(1), Node(1)], (0, 2, 0)),  # a worker does not span nodes
        (Resources(1, 0), [], (0, 1, 0)),
        (Resources(1, 0), [Node(0), Node(4)], (4, 0.975, 0)),  # the head labels nothing
    ],
)
def test_workers_fit_node_by_node(needs, nodes, expected):
    assert fit(needs, *nodes) == expected


def test_gpus_are_not_needed_where_there_are_none_and_the_cpu_may_stand_in():
    assert fit(Resources(1, 1), Node(4)) == (0, 1, 1)
    assert fit(Resources(1, 1), Node(4), gpu_fallback=True) == (4, 0.975, 0)
    assert fit(Resources(1, 1), Node(4, 1), gpu_fallback=True) == (1, 1, 1)


def test_no_more_workers_than_configured():
    assert fit(Resources(1, 0), Node(8), workers=3)[0] == 3
    assert fit(Resources(1, 0), Node(2), workers=3)[0] == 2


def test_why_none_fits_names_what_is_short():
    nodes = [Node(2, 0, 1.5)]
    message = none_fits(fitting_workers(Resources(1, 1, 2.0), nodes, EngineConfig()), nodes)
    assert "1 GPUs (engine.worker_gpus) and 2.0 GiB" in message
    assert "2 CPUs, 0 GPUs, 1.5 GiB" in message


shares = st.floats(0.01, 8.0)
machines = st.builds(Node, st.integers(0, 96), st.integers(0, 8), st.floats(0.5, 512))


@given(shares, st.sampled_from([0, 0.25, 0.3, 0.5, 1, 2]), st.floats(0.1, 8), st.lists(machines, max_size=4), shares)
def test_what_fits_leaves_room_for_decoding_on_each_node(cpus, gpus, memory, nodes, decode):
    workers = fitting_workers(Resources(cpus, gpus, memory), nodes, EngineConfig(decode_cpus=decode))
    each, most = workers.each, 0
    for node in nodes:
        count = 0
        while (
            (count + 1) * each.cpus + decode <= node.cpus + 1e-9
            and (count + 1) * each.gpus <= node.gpus + 1e-9
            and (count + 1) * each.memory_gib <= node.memory_gib + 1e-9
        ):
            count += 1
        most += count
    assert 0 <= workers.count <= most
    able = [node for node in nodes if node.cpus >= cpus + decode and node.gpus >= gpus and node.memory_gib >= memory]
    assert bool(workers.count) >= bool(able)
    assert each.cpus <= cpus
