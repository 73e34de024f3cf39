"""Whether a corpus is what it says: every file there, unaltered, and the totals adding up.

    problems = verify(Storage("corpus"))       # empty: it is

The index names the SHA-256 of shards, ledger and segments, has its own, and that of the index before it. Receipts,
summary and the times of the label pass are sealed; the last receipt has the SHA-256 of the tombstones; the mixture is
added up again. What only the build reads (plan, staging, tokens, runs) is not looked at.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError, DataError
from curation.core.records import json_bytes
from curation.core.storage import Storage
from curation.manifests import index, ledger, shards
from curation.manifests.history import chain, labelling
from curation.manifests.history.seal import FIELD, check_seal
from curation.manifests.index import ShardIndex, finished_index
from curation.manifests.removals import receipts
from curation.manifests.segments import table as segments
from curation.manifests.splits.mixture import FILE as MIXTURE
from curation.manifests.summary import FILE as SUMMARY
from curation.manifests.summary import added_up, read_summary

PIECE = 2**20
"""Bytes that are hashed at once."""
FOLDERS = (shards.FOLDER, ledger.FOLDER, segments.FOLDER)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as the corpus says."""

    file: str
    """Name in the build."""
    what: str


def verify(out: Storage) -> list[Problem]:
    """Everything that is wrong with a corpus. Raises ConfigError where there is none, or one of an older version."""
    try:
        corpus, content = finished_index(out), out.read_bytes(index.FILE)
        if not corpus.generations and FIELD not in json.loads(content):
            msg = f"{out.root} is of a version that kept no hashes: `curation compact {out.root}` writes them"
            raise ConfigError(msg)
        check_seal(content, index.FILE)
    except DataError as error:
        return [Problem(index.FILE, str(error))]
    checks = _generations(out, corpus, content), _files(out, corpus), _receipts(out, corpus), _strangers(out, corpus)
    again = f"`curation build -o {out.root}` writes it again"
    records = (SUMMARY, again), (chain.file_name(corpus.edition, chain.LABELLING), labelling.REMEDY)
    problems = [*itertools.chain(*checks, *(_unsealed(out, *record) for record in records))]
    return problems or [*_totals(out, corpus)]


def _generations(out: Storage, corpus: ShardIndex, current: bytes) -> Iterator[Problem]:
    """The copies of the indexes, which are a chain up to the current one."""
    expected = [*(step.before for step in corpus.generations[1:]), hashlib.sha256(current).hexdigest()]
    for step, sha256 in zip(corpus.generations, expected, strict=True):
        yield from _altered(out, chain.file_name(step.number), sha256)


def _files(out: Storage, corpus: ShardIndex) -> Iterator[Problem]:
    said = {f"{shards.FOLDER}/{entry.file}": entry.sha256 for entry in corpus.shards} | corpus.sha256
    for folder in FOLDERS:
        for name in corpus.names(folder):
            yield from _altered(out, f"{folder}/{name}", said.get(f"{folder}/{name}", ""))


def _receipts(out: Storage, corpus: ShardIndex) -> Iterator[Problem]:
    removals = [step.number for step in corpus.generations if step.kind == "remove"]
    if out.exists(receipts.INTENT):
        yield Problem(receipts.INTENT, f"a removal was interrupted: finish it with `curation remove {out.root}`")
        return
    for number in removals:
        try:
            receipt = receipts.read_receipt(out, number)
            for name, sha256 in receipt.refusals.items() if number == removals[-1] else ():
                yield from _altered(out, name, sha256)
        except FileNotFoundError:
            yield Problem(receipts.file_name(number), "is missing")
        except DataError as error:
            yield Problem(receipts.file_name(number), str(error))
    for number in {*receipts.numbers(out)} - {*removals}:
        yield Problem(receipts.file_name(number), "is a receipt of no removal of this corpus")


def _altered(out: Storage, name: str, sha256: str) -> Iterator[Problem]:
    found = hashlib.sha256()
    try:
        with out.open(name) as file:
            while piece := file.read(PIECE):
                found.update(piece)
    except FileNotFoundError:
        yield Problem(name, "is missing")
        return
    if found.hexdigest() != sha256:
        yield Problem(
            name, f"was altered: its SHA-256 is {found.hexdigest()}, that of the corpus {sha256 or 'unknown'}"
        )


def _unsealed(out: Storage, name: str, remedy: str) -> Iterator[Problem]:
    """A record that was changed; those of older versions have no seal."""
    try:
        content = out.read_bytes(name)
        if FIELD in json.loads(content):
            check_seal(content, name)
    except FileNotFoundError:
        return
    except (ValueError, TypeError, RecursionError, DataError):
        yield Problem(name, f"was changed after it was written: {remedy}")


def _strangers(out: Storage, corpus: ShardIndex) -> Iterator[Problem]:
    """Files that are none of the corpus."""
    known = {f"{folder}/{name}" for folder in FOLDERS for name in corpus.names(folder)}
    known |= {chain.file_name(step.number) for step in corpus.generations}
    known |= {index.FILE, chain.file_name(corpus.edition, chain.LABELLING)}
    for folder in (*FOLDERS, chain.FOLDER):
        for name in out.names(folder):
            if f"{folder}/{name}" not in known:
                yield Problem(f"{folder}/{name}", "is not of the corpus: a pass under way, or killed, may have left it")


def _totals(out: Storage, corpus: ShardIndex) -> Iterator[Problem]:
    """What the files add up to is what index and summary say."""
    tally, speakers, mixture = added_up(out, corpus)
    kept = sum(count for count, _ in tally.lines.get("kept", {}).values())
    if kept != corpus.rows:
        yield Problem(index.FILE, f"has {corpus.rows} utterances, the ledger {kept}")
    try:
        summary = read_summary(out)
    except (DataError, ConfigError) as error:
        yield Problem(SUMMARY, str(error))
        return
    lines = {(line.status, line.reason): (line.count, round(line.seconds * SAMPLE_RATE)) for line in summary.lines}
    counted = {(status, reason): (count, samples) for status, reason, count, samples in tally.verdicts()}
    said = summary.recordings, summary.utterances, summary.speakers, lines
    if said != (tally.recordings, corpus.rows, speakers, counted):
        yield Problem(SUMMARY, "says other totals than the ledger: `curation build` writes it again")
    if out.exists(MIXTURE) and out.read_bytes(MIXTURE) != json_bytes(mixture):
        yield Problem(MIXTURE, "says something else than the ledger: `curation build` writes it again")
