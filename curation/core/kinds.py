"""Settings that choose an adapter by its kind, and hold the settings of the one that is chosen.

denoiser: Annotated[str, KindOf(DENOISERS)] = "rnnoise"                             # the name of an adapter
options: Annotated[Options, OptionsOf(DENOISERS)] = {}                              # its settings, by its name
systems: list[SerializeAsAny[Annotated[SystemConfig, SectionOf(SYSTEMS)]]] = []     # sections that say their kind
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializeAsAny, ValidationError
from pydantic_core import CoreSchema, core_schema

from curation.core.declarations import Adapter
from curation.core.errors import ConfigError
from curation.core.plugins import Registry
from curation.core.settings import Section, validate_inside

A = TypeVar("A", bound=Adapter)
NONE = "none"

Options = dict[str, SerializeAsAny[Section]]
"""Settings of adapters by their kind."""


@dataclass(frozen=True)
class KindOf:
    """Of a field that holds the kind of an adapter, or `none` where that is allowed."""

    registry: Registry[Any]
    or_none: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """See pydantic."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """One of the kinds that there are, for the reference pages and for editors."""
        return {**handler(schema), "enum": [*self.registry, *([NONE] if self.or_none else [])]}

    def _check(self, kind: str) -> str:
        if kind not in self.registry and not (self.or_none and kind == NONE):
            raise ValueError(self.registry.unknown(kind, *([NONE] if self.or_none else [])))
        return kind


@dataclass(frozen=True)
class OptionsOf:
    """Of a mapping from kinds to the settings of these adapters, each validated by the adapter's `section`."""

    registry: Registry[Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """See pydantic."""
        return core_schema.no_info_before_validator_function(self._sections, handler(source))

    def _sections(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {kind: self._section(str(kind), item) for kind, item in value.items()}

    def _section(self, kind: str, value: Any) -> Section:
        section = self.registry[kind].section
        if section is None:
            msg = f"the {self.registry.what} {kind!r} has no settings"
            raise ValueError(msg)
        return validate_inside(section, value, at=(kind,))  # type: ignore[no-any-return]  # the registry is of Any


@dataclass(frozen=True)
class SectionOf:
    """Of a section that says in its field `kind` which adapter it is for: validated by that adapter's `section`."""

    registry: Registry[Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """See pydantic."""
        return core_schema.no_info_before_validator_function(self._section, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """One of the sections of all kinds."""
        broken = {item.name for item, _ in self.registry.problems()}
        sections = [self.registry[kind].section for kind in self.registry if kind not in broken]
        return {"oneOf": [handler(section.__pydantic_core_schema__) for section in sections]}

    def _section(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        kind = value.get("kind")
        if not isinstance(kind, str):
            msg = f"`kind` is missing: one of {', '.join(self.registry)}"
            raise ValueError(msg)  # noqa: TRY004 - pydantic wants a ValueError
        return validate_inside(self.registry[kind].section, value)


def section_for(registry: Registry[A], kind: str, options: Mapping[str, Section | None]) -> Section | None:
    """The settings of an adapter: those in `options`, else its defaults; None where it has no settings.

    Raises ConfigError where it has settings without a default, and they are not given.
    """
    section = registry[kind].section
    if section is None or options.get(kind) is not None:
        return options.get(kind)
    try:
        return section()
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        msg = f"the {registry.what} {kind!r} needs settings: {missing}"
        raise ConfigError(msg) from None


def make(registry: Registry[A], kind: str, options: Mapping[str, Section | None]) -> A:
    """The adapter with its settings, not loaded. Raises ConfigError."""
    settings = section_for(registry, kind, options)
    adapter: Any = registry[kind]
    made: A = adapter() if settings is None else adapter(settings)
    return made
