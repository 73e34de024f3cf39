"""Declarations of stages and model adapters, made on their class and nowhere else.

The engine, `curation plan`, `curation doctor`, `curation schema` and the reference pages read these records. `Declared`
is the base of stages and of adapters; `Adapter` that of everything that wraps a model: ASR systems, denoisers,
diarizers, aligners and tokenizers. Thresholds are declared on fields of sections (`curation.core.settings.threshold`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal

from curation.core.settings import Section, extra_of


@dataclass(frozen=True, slots=True)
class Score:
    """A number that is stored with a segment, a recording or a hypothesis."""

    name: str
    """As stored; `*` stands for a part that depends on the configuration: `pwer.*` has one score for each system."""
    unit: str
    """`1` for a ratio or a probability, else `words`, `s`, …"""
    meaning: str
    of: Literal["segment", "recording", "hypothesis"] = "segment"
    short: str = ""
    """Another name of its column in `segments/`; empty: its name with `_` in place of dots."""

    @property
    def column(self) -> str:
        """Name of its column in `segments/`; empty where the name has a `*`: it has none of its own."""
        return "" if "*" in self.name else self.short or self.name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Note:
    """A text that is stored with a segment or a recording: what was chosen, or why something is missing."""

    name: str
    meaning: str
    of: Literal["segment", "recording"] = "segment"


def declared(name: str, records: Iterable[Score] | Iterable[Note]) -> bool:
    """Whether one of the records declares a stored name."""
    return any(fnmatchcase(name, record.name) for record in records)


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that a worker process needs. The stages of a worker run one after the other, so that it needs the
    most CPUs and the largest share of a GPU that one of them asks for, and the sum of their memory.
    """

    cpus: float = 1.0
    """Where the section has `threads`, at least that many are counted."""
    gpus: float = 1.0
    """Share of a GPU; counted only where the section says `device: cuda`."""
    memory_gib: float | None = None
    """Main memory with its models loaded and a batch in progress, beyond what every worker takes; None: not measured,
    then the size of its models stands for it where they run on the CPU."""
    batch_seconds: float | None = None
    """Seconds of padded audio that it prefers per batch unless configured; None: one utterance."""


@dataclass(frozen=True, slots=True)
class Package:
    """An optional dependency: a module to look for, and the requirement for `pip install`."""

    module: str
    install: str

    @property
    def command(self) -> str:
        """The command that installs it."""
        return f"pip install '{self.install}'"


@dataclass(frozen=True, slots=True)
class Environment:
    """A separate Python environment, for packages that conflict with ours; created once per machine in the model
    store.
    """

    name: str
    requirements: tuple[str, ...]
    gib: float
    """Disk space."""
    interpreter: str = ""
    """The Python to create it with; empty: our own."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Facts about a model that are known before it is fetched, for `plan` and `doctor`."""

    reference: str
    """As in a configuration, without a revision."""
    about: str
    licence: str
    gib: float | None = None
    """GiB of the parameters as they are loaded; None: unknown."""
    note: str = ""
    """Restrictions on its use: not for commercial use, to be accepted on its page, …"""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not installed."""

    what: str
    found: str
    remedy: str
    """A command or a setting."""


class Declared:
    """Class declarations that stages and adapters have in common."""

    section: ClassVar[type[Section] | None] = None
    """Its settings; an object of it is the argument of the constructor. None: the constructor takes nothing."""
    packages: ClassVar[tuple[Package, ...]] = ()
    """Optional dependencies that it needs."""
    resources: ClassVar[Resources] = Resources()
    models: ClassVar[tuple[str, ...]] = ()
    """References of models that it loads whatever its settings are. Settings that name one are `model_field`s."""
    weights: ClassVar[tuple[Weights, ...]] = ()
    """Facts about models that the catalogue does not have."""
    scores: ClassVar[tuple[Score, ...]] = ()
    notes: ClassVar[tuple[Note, ...]] = ()

    @classmethod
    def model_names(cls, section: Section | None) -> list[str]:
        """The models that it loads with these settings: those of the class, and those that its settings name."""
        fields = type(section).model_fields if section is not None else {}
        named = [getattr(section, name) for name, field in fields.items() if "model" in extra_of(field)]
        return [name for name in dict.fromkeys([*cls.models, *named]) if name]

    @classmethod
    def environment(cls, section: Any) -> Environment | None:  # noqa: ARG003 - for subclasses
        """The separate environment that it needs with these settings, if any."""
        return None

    @classmethod
    def missing(cls, section: Any) -> Missing | None:  # noqa: ARG003 - for subclasses
        """What has to be installed for these settings that `packages` cannot express; None: nothing is missing."""
        return None


class Adapter(Declared):
    """Base of everything that wraps a model. A subclass that sets `kind` is an adapter that configurations can name."""

    kind: ClassVar[str]
    """Its name in configurations."""


@dataclass(frozen=True, slots=True)
class Use:
    """A stage or an adapter as a configuration uses it."""

    name: str
    """`denoise`, `transcribe.whisper-base`: its place in the configuration."""
    declared: type[Declared]
    section: Section | None
    instead: str = ""
    """Its fallback where it cannot be loaded; empty: none."""

    @property
    def model_names(self) -> list[str]:
        """The models that it loads with these settings."""
        return self.declared.model_names(self.section)

    @property
    def resources(self) -> Resources:
        """Of the class, with the threads and the device of these settings."""
        stated = self.declared.resources
        cpus = max(stated.cpus, float(getattr(self.section, "threads", 0)))
        on_gpu = getattr(self.section, "device", "cpu") == "cuda"
        return replace(stated, cpus=cpus, gpus=stated.gpus if on_gpu else 0.0)
