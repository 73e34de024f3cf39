"""The thresholds of a configuration as rules, in the order in which they are tried."""

from collections.abc import Iterator
from typing import Any

from curation.core.errors import ConfigError
from curation.core.settings import Section, extra_of
from curation.manifests.verdicts import MOST_RULES, Rule
from curation.stages.registry import ordered_stages


def rules_of(config: Section) -> list[Rule]:
    """The rules of the stages that are on in a `BuildConfig`, in the order of the stages and of the fields of their
    sections.

    The first rule that a segment breaks is the reason of its rejection.
    """
    sections = [(stage.name, getattr(config, stage.name, None)) for stage in ordered_stages()]
    return [rule for name, section in sections if section is not None for rule in _of_section(config, name, section)]


def check_number(config: Section, origin: str) -> None:
    """Raise ConfigError where more thresholds are on than a segment has bits for; `origin` names the configuration."""
    on = [rule.field for rule in rules_of(config)]
    if len(on) > MOST_RULES:
        msg = (
            f"{origin}: {len(on)} thresholds are on, and a corpus can hold the outcome of {MOST_RULES}: switch "
            f"{len(on) - MOST_RULES} of them off: {', '.join(on)}"
        )
        raise ConfigError(msg)


def _of_section(config: Section, name: str, section: Section) -> Iterator[Rule]:
    for key, field in type(section).model_fields.items():
        declared, value = extra_of(field).get("rule"), getattr(section, key)
        if declared is not None and value is not None and value != declared["off"] and _is_on(config, declared["only"]):
            required = _is_required(config, declared["required"])
            yield Rule(f"{name}.{key}", declared["score"], declared["rejects"], value, required, declared["unless"])


def _is_on(config: Section, only: tuple[str, str] | None) -> bool:
    return only is None or _value(config, only[0]) == only[1]


def _is_required(config: Section, required: Any) -> bool:
    if isinstance(required, bool):
        return required
    field, least = required
    return bool(_value(config, field) >= least)


def _value(config: Section, field: str) -> Any:
    section, _, key = field.partition(".")
    return getattr(getattr(config, section), key)
