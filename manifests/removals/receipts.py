"""Receipts: what a removal did, in a sealed record of its own, `removals/NNNNNN.json`. It names nothing that is gone.

While a removal is under way `removals/intent.json` says what it is to do; it goes when the receipt is there.
"""

import re
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Literal

from curation.core.errors import ConfigError, DataError
from curation.core.records import Count, Finite, typed
from curation.core.storage import Storage
from curation.manifests.history.seal import check_seal, sealed
from curation.manifests.removals.tombstones import FOLDER, Tombstone

INTENT = f"{FOLDER}/intent.json"
Reason = Literal["consent", "licence", "takedown", "other"]
NOT_REACHED = (
    "copies of the corpus, and backups",
    "older versions that an object store keeps",
    "exports, audit pages, and shards that were copied elsewhere",
    "copies of the recordings with other samples, as another lossy encoding has them: `curation dedup` finds some",
    "the recordings themselves: they are the inputs of the build",
    "trained weights and checkpoints, and the positions of trainings that began before",
)


@dataclass(frozen=True, slots=True)
class State:
    """A corpus before or after."""

    index: str
    """SHA-256 of `shards/_index.json`."""
    rows: Count
    seconds: Finite
    """Of the utterances."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that had something of the recordings. Empty: there was none, or there is none."""

    was: str
    was_sha256: str
    now: str = ""
    now_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a removal did."""

    number: Count
    """The generation that it made."""
    reason: Reason
    at: str
    """When it began, UTC."""
    recordings: Count
    """With the duplicates."""
    samples: Count
    """Of the recordings, at 16 kHz."""
    tombstones: Count
    asked: list[str]
    """Keyed hashes of the names that were given, and of the ids and paths that went (`Tombstones.of_name`): who asks
    again gets this receipt.
    """
    before: State
    after: State
    files: list[FileChange] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=lambda: [*NOT_REACHED])
    software: str = ""
    duplicates: Count = 0
    """Recordings that nobody named, and that went since they have the samples of one that was."""
    licences: dict[str, Count] = field(default_factory=dict)
    """Utterances that went, by licence; empty for none."""
    refusals: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the tombstones of all removals so far, and of their key, by file."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a removal is to do, in full: every step can be repeated."""

    number: Count
    reason: Reason
    at: str
    recordings: dict[str, Count]
    """Ids, with the samples of each."""
    paths: list[str]
    units: list[Count]
    """Of the plan that have them."""
    before: State
    asked: list[str]
    """See `Receipt.asked`."""
    tombstones: list[Tombstone]
    files: dict[str, str]
    """Files that are changed in place, with their hashes before."""
    duplicates: Count = 0
    """See `Receipt.duplicates`."""


def file_name(number: int) -> str:
    """The receipt of a removal."""
    return f"{FOLDER}/{number:06d}.json"


def numbers(out: Storage) -> list[int]:
    """Of all receipts of a build."""
    found = (re.fullmatch(r"(\d{6,})\.json", name) for name in out.names(FOLDER))
    return [int(match[1]) for match in found if match]


def write_receipt(out: Storage, receipt: Receipt) -> None:
    """Write it, sealed."""
    out.write_bytes(file_name(receipt.number), sealed(asdict(receipt)))


def read_receipt(out: Storage, number: int) -> Receipt:
    """A receipt. Raises DataError where it was changed, FileNotFoundError where it is missing."""
    name = f"{out.root}/{file_name(number)}"
    try:
        return typed(Receipt, check_seal(out.read_bytes(file_name(number)), name))
    except ValueError as error:
        msg = f"{name} is no receipt ({error}): restore it from a copy"
        raise DataError(msg) from error


def write_intent(out: Storage, intent: Intent) -> None:
    """Keep it until the removal is done."""
    out.write_json(INTENT, asdict(intent))


def read_intent(out: Storage) -> Intent | None:
    """What a removal that is not finished is to do; None where there is none. Raises DataError where it is damaged."""
    return out.read_record(INTENT, partial(typed, Intent), "restore it from a copy") if out.exists(INTENT) else None


def check_no_intent(out: Storage) -> None:
    """Raise ConfigError while a removal is not finished."""
    if out.exists(INTENT):
        msg = f"{out.root}: a removal was interrupted: finish it with `curation remove {out.root}`"
        raise ConfigError(msg)
