"""The thresholds of a configuration as rules, in the order in which they are tried."""

from collections.abc import Iterator
from typing import Any

from curation.core.settings import Section, extra_of
from curation.manifests.verdicts import Rule
from curation.pipeline.config import BuildConfig
from curation.stages.registry import ordered_stages


def rules_of(config: BuildConfig) -> list[Rule]:
    """The rules of the stages that are on, in the order of the stages and of the fields of their sections.

    The first rule that a segment breaks is the reason of its rejection.
    """
    sections = [(stage.name, getattr(config, stage.name, None)) for stage in ordered_stages()]
    return [rule for name, section in sections if section is not None for rule in _of_section(config, name, section)]


def _of_section(config: BuildConfig, name: str, section: Section) -> Iterator[Rule]:
    for key, field in type(section).model_fields.items():
        declared, value = extra_of(field).get("rule"), getattr(section, key)
        if declared is not None and value is not None and value != declared["off"]:
            required = _is_required(config, declared["required"])
            yield Rule(f"{name}.{key}", declared["score"], declared["rejects"], value, required, declared["unless"])


def _is_required(config: BuildConfig, required: Any) -> bool:
    if isinstance(required, bool):
        return required
    field, least = required
    section, _, key = field.partition(".")
    return bool(getattr(getattr(config, section), key) >= least)
