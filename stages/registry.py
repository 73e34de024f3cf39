"""The stages by name, those of installed packages included, and the order in which they run."""

from collections import defaultdict

from curation.core.errors import ConfigError
from curation.core.plugins import Registry
from curation.stages.base import Stage

STAGES: Registry[Stage] = Registry(
    Stage, "curation.stages", ["curation.stages"], what="stage", key="name", entry="stage"
)
FIRST = "decode"
"""Before all stages."""


def plug_in_stages() -> list[type[Stage]]:
    """The stages of installed packages, by name. Those that cannot be imported are left out: `curation doctor` names
    them, and a configuration that has a section for one is an error.
    """
    broken = {item.name for item, _ in STAGES.problems()}
    return [STAGES[name] for name in sorted(STAGES.plug_ins) if name not in broken]


def ordered_stages() -> list[type[Stage]]:
    """All stages in the order in which they run. Raises ConfigError for a plug-in after an unknown stage."""
    following: dict[str, list[type[Stage]]] = defaultdict(list)
    for stage in [*plug_in_stages(), *STAGES.built_in.values()]:  # plug-ins come first among those after the same stage
        following[stage.after].append(stage)
    order = _from(FIRST, following)
    if lost := [stage for stages in following.values() for stage in stages if stage not in order]:
        known = ", ".join([FIRST, *(stage.name for stage in order)])
        msg = f"the stage {lost[0].name!r} is to run after {lost[0].after!r}, which is none of {known}"
        raise ConfigError(msg)
    return order


def _from(name: str, following: dict[str, list[type[Stage]]]) -> list[type[Stage]]:
    return [item for stage in following.get(name, ()) for item in [stage, *_from(stage.name, following)]]
