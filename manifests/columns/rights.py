"""Where a recording is from, and what may be done with it: `licence`, `consent`, `source_url`, `rights_holder`.

A manifest says it. It is carried in the further columns of a source (`extra`), which label files hold as they are, and
becomes columns of its own where it is published.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from curation.core.counts import counted
from curation.core.errors import ConfigError
from curation.manifests.records import Source

COLUMNS = ("licence", "consent", "source_url", "rights_holder")
ALIASES = {"license": "licence"}
LONGEST = 500
NO_CONSENT = frozenset({"no", "false", "0", "none", "withdrawn", "revoked", "refused", "denied"})
_REMEDIES = {
    "licence": "write the name of a licence (CC-BY-4.0), an SPDX expression, or the URL of one",
    "consent": "write how it was given (signed form 17 of 2024-03-01)",
    "source_url": "write the address that it was taken from, with its protocol (https://…), without a password",
    "rights_holder": "write a name",
}


def checked(values: Mapping[str, Any], where: str) -> dict[str, str]:
    """What a row of a manifest says, of what it says anything. Raises ConfigError, which names row and column."""
    found: dict[str, str] = {}
    for written, value in values.items():
        name = ALIASES.get(written, written)
        if name not in COLUMNS or value is None or not str(value).strip():
            continue
        if found.get(name, str(value).strip()) != str(value).strip():
            msg = f"{where}: {written}: it says {value!r}, and {name} says {found[name]!r}: remove one"
            raise ConfigError(msg)
        found[name] = _text(name, written, value, where)
    return found


def _text(name: str, written: str, value: Any, where: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if name == "consent" and str(value).strip().casefold() in NO_CONSENT:
        msg = f"{where}: {written} is {value!r}: a recording without consent is not built: remove the row"
        raise ConfigError(msg)
    if not text or len(text) > LONGEST or not text.isprintable() or (name == "source_url" and not _is_url(text)):
        msg = f"{where}: {written}: {str(value)[:80]!r} is none: {_REMEDIES[name]}"
        raise ConfigError(msg)
    return text


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(re.fullmatch(r"[a-z][a-z0-9+.-]*", parts.scheme) and parts.hostname) and not parts.password
    except ValueError:
        return False


def require_licence(named: Iterable[tuple[str, Source]]) -> None:
    """Raise ConfigError where sources have no licence; each with the place to look at."""
    missing, first = 0, ""
    for where, source in named:
        if not source.extra.get("licence"):
            missing, first = missing + 1, first or where
    if missing:
        msg = (
            f"inputs.require_licence: {counted(missing, 'recording')} without a licence, e.g. {first}: name it in the "
            "column `licence` of a manifest; what a build knows already keeps its columns: use another output folder"
        )
        raise ConfigError(msg)


def published(extra: pa.Array) -> dict[str, pa.Array]:
    """The columns, null where nothing was said, and `extra` without them. Equal texts are parsed once."""
    texts = extra.dictionary_encode()
    parsed = [json.loads(text or "{}") for text in texts.dictionary.to_pylist()]
    columns = {name: [values.pop(name, None) for values in parsed] for name in COLUMNS}
    columns["extra"] = [json.dumps(values, sort_keys=True, ensure_ascii=False) for values in parsed]
    return {name: pa.array(values, pa.string()).take(texts.indices) for name, values in columns.items()}
