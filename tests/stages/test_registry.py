"""The stages of this repository, by name, and the order in which they run."""

from curation.pipeline.config import BuildConfig
from curation.stages.registry import FIRST, STAGES, ordered_stages

ORDER = ["loudness", "denoise", "diarize", "quality", "boundary", "transcribe", "consensus", "punctuate"]


def test_the_label_pass_has_the_order_of_the_paper():
    ours = [stage for stage in ordered_stages() if stage.__module__.startswith("curation.")]
    assert [stage.name for stage in ours] == ORDER
    assert [stage.after for stage in ours] == [FIRST, *ORDER[:-1]]


def test_every_stage_has_a_field_in_the_configuration_and_defaults():
    assert set(STAGES.built_in) == set(ORDER) <= set(BuildConfig.model_fields)
    for name, stage in STAGES.built_in.items():
        assert stage.name == name
        assert type(stage().config) is stage.section
