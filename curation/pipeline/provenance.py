"""How a build was made: its configuration (`build.yaml`), and the settings that its labels depend on.

config, labelled = open_labelled("corpus")      # as the build's own thresholds judge it
"""

import difflib
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import yaml

from curation.core.errors import ConfigError, DataError
from curation.core.settings import parse_yaml, to_yaml
from curation.core.storage import Storage
from curation.manifests.index import read_index
from curation.manifests.marks.effects import effects
from curation.manifests.marks.files import read as read_marks
from curation.manifests.selection import LabelledBuild
from curation.models.store import COMMIT, at_commit, identity
from curation.pipeline.assemble import steps
from curation.pipeline.config import BuildConfig, label_settings, validate
from curation.pipeline.rules import rules_of
from curation.stages.consensus.recalibrate import Recalibration

log = logging.getLogger(__name__)

HUB_MODEL = re.compile(r"(?P<kind>(?:[\w-]+:)?)(?P<model>hf:[\w.-]+(?:/[\w.-]+)?(?:@[\w./-]+)?)")
LABEL_FORMAT = 12
"""Raised when what the label pass writes changes, by its files or by what the stages make of the same input."""
CONFIG_FILE = "build.yaml"
LABEL_FILE = "plan/settings.json"
CONFIG_REMEDY = "restore it from a copy, or remove it and run `curation build` with the settings of the build"
LABEL_REMEDY = f"restore it from a copy, or remove it and run `curation build` with the settings of {CONFIG_FILE}"


def write_config(out: Storage, config: BuildConfig) -> None:
    """Write the resolved configuration."""
    out.write_bytes(CONFIG_FILE, to_yaml(config).encode())


def tell_changes(out: Storage, config: BuildConfig) -> None:
    """Log what differs from the configuration of the last run.

    Settings are not carried over: a threshold that was set in an earlier run, but not in this one, has its default.
    """
    if out.exists(CONFIG_FILE):
        old, new = _flat(_read_sections(out)), _flat(config.model_dump(mode="json"))
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if names:
            changes = "; ".join(f"{name}: {old.get(name)} -> {new.get(name)}" for name in names)
            log.warning("settings differ from those of the last run: %s", changes)


def read_config(out: Storage) -> BuildConfig:
    """The configuration of a build's last run. Raises ConfigError where there is no build, or its file is damaged."""
    try:
        return validate(_read_sections(out), f"{out.root}/{CONFIG_FILE}")
    except FileNotFoundError:
        msg = f"{out.root} holds no build: run `curation build` first"
        raise ConfigError(msg) from None
    except ConfigError as error:
        labels = _label_format(out)
        if labels == LABEL_FORMAT:
            raise
        msg = (
            f"{out.root} was labelled in format {labels} by another version of the software, whose settings this one "
            f"(format {LABEL_FORMAT}) cannot read: use that version, or build again into another folder ({error})"
        )
        raise ConfigError(msg) from error


def _label_format(out: Storage) -> Any:
    """The format of a build's labels, as its record says; this version's, where there is no such record."""
    found = out.read_json(LABEL_FILE, LABEL_REMEDY) if out.exists(LABEL_FILE) else {}
    return found.get("labels", "unknown") if isinstance(found, dict) and found else LABEL_FORMAT


def with_its_split(out: Storage, config: BuildConfig) -> BuildConfig:
    """The configuration with the split of the corpus, where it says nothing of one: what was held out stays so."""
    known = None if "split" in config.publish.model_fields_set else _known_split(out)
    if known is None:
        return config
    values = config.model_dump(mode="json")
    return validate({**values, "publish": {**values["publish"], "split": known}}, f"{out.root}/{CONFIG_FILE}")


def _known_split(out: Storage) -> Any:
    """The split of the published corpus: a build that was killed may have switched to it, and not written its settings.
    Where none is published, or its index is damaged, that of the last run.
    """
    try:
        return read_index(out).split
    except (FileNotFoundError, DataError):
        found = _read_sections(out) if out.exists(CONFIG_FILE) else {}
        return (found.get("publish") or {}).get("split")


def pinned(out: Storage, config: BuildConfig) -> BuildConfig:
    """The configuration with each `hf:` model at a commit, so that all workers load the same files, now and later.

    One without a revision stays at the commit with which the build began.
    """
    begun: dict[str, str] = {}
    kept = [out.read_json(LABEL_FILE, LABEL_REMEDY)] if out.exists(LABEL_FILE) else []
    for values in [*kept, _read_sections(out)] if out.exists(CONFIG_FILE) else kept:
        _with_models(values, lambda name: begun.setdefault(name.partition("@")[0], name))
    pins: dict[str, str] = {}
    values = _with_models(
        config.model_dump(mode="json"), lambda name: pins.setdefault(name, begun.get(name) or at_commit(name))
    )
    unknown = [name for name, pin in pins.items() if not COMMIT.fullmatch(pin.partition("@")[2])]
    if unknown:
        log.warning("not pinned, since neither this machine nor the hub says their commit: %s", ", ".join(unknown))
    return validate(values, "pinned models")


def _with_models(values: Any, change: Callable[[str], str]) -> Any:
    """Settings with another name for each `hf:` model, also where the kind of a tokenizer stands before it."""
    if isinstance(values, dict):
        return {name: _with_models(value, change) for name, value in values.items()}
    if isinstance(values, list):
        return [_with_models(value, change) for value in values]
    found = HUB_MODEL.fullmatch(values) if isinstance(values, str) else None
    return values if found is None else found["kind"] + change(found["model"])


def check_label_settings(out: Storage, config: BuildConfig, *, is_new: bool) -> None:
    """Raise ConfigError where the build was labelled with other settings: its rows would not belong together."""
    names = {name for step in steps(config) if step.name != "tokenize" for use in step.uses for name in use.model_names}
    models = {name: found for name in sorted(names) if (found := identity(name))}
    settings = {"labels": LABEL_FORMAT, "models": models, **label_settings(config)}
    if is_new or not out.exists(LABEL_FILE):
        out.write_json(LABEL_FILE, settings)
        return
    old = out.read_json(LABEL_FILE, LABEL_REMEDY)
    if isinstance(old, dict) and isinstance(old.get("models"), dict):  # what is not on this machine cannot be compared
        settings["models"] = {name: models.get(name, found) for name, found in old["models"].items()}
    if old == json.loads(json.dumps(settings)):
        return
    lines = difflib.unified_diff(
        yaml.safe_dump(old).splitlines(), yaml.safe_dump(settings).splitlines(), n=0, lineterm=""
    )
    changed = "\n  ".join(line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"})
    remedy = "Use the old ones, or another output folder; thresholds, tokenize, publish and engine limits may change."
    if isinstance(old, dict) and old.get("labels") != LABEL_FORMAT:
        remedy = "Its labels are those of another version of the software: use that version, or another output folder."
    msg = f"{out.root} was labelled with other settings:\n  {changed}\n{remedy}"
    raise ConfigError(msg)


def labelled_build(out: Storage, config: BuildConfig, edition: int = 0) -> LabelledBuild:
    """A labelled build, judged by the thresholds of a configuration, for an edition of the corpus."""
    said, consensus = effects(read_marks(out)), config.consensus
    fresh = None
    if consensus.recalibration is not None:
        fresh = Recalibration.of(consensus.recalibration, consensus.calibration, consensus.combination)
    return LabelledBuild(out, rules_of(config), config.publish.speaker_join_threshold, edition, said, fresh)


def open_labelled(root: str) -> tuple[BuildConfig, LabelledBuild]:
    """The configuration of a labelled build, and the build as its own thresholds judge it. Raises ConfigError."""
    out = Storage(root)
    config = read_config(out)
    return config, labelled_build(out, config)


def _read_sections(out: Storage) -> dict[str, Any]:
    return parse_yaml(out.read_bytes(CONFIG_FILE), f"{out.root}/{CONFIG_FILE}", CONFIG_REMEDY)


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted names, as `--set` takes them."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
