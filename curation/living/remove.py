"""Takes recordings out of a corpus for good, and writes a receipt.

    receipt = remove("corpus", Wanted(speakers=["Ann"]), reason="consent")

Resolve, write down what is to be done, write anew only the published files that have something of the recordings,
switch the index, take the recordings out of everything that the build keeps for itself, write the receipt. Every step
can be repeated: killed anywhere, the corpus is the old or the new one, and the same command finishes it. No model runs.
"""

import hashlib
import itertools
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.core.version import __version__
from curation.living import scrub
from curation.manifests import index, ledger, plan, shards, staging
from curation.manifests.columns.maps import one_chunk
from curation.manifests.duplicates.exact import with_same_samples
from curation.manifests.history import chain
from curation.manifests.history.labelling import read_labelling, write_labelling
from curation.manifests.index import ShardIndex, finished_index, published_index, read_index
from curation.manifests.removals import receipts, tombstones
from curation.manifests.removals.receipts import INTENT, FileChange, Intent, Reason, Receipt, State
from curation.manifests.removals.tombstones import Tombstones
from curation.manifests.schemas import LEDGER
from curation.manifests.segments import table as segments
from curation.manifests.summary import write_removal
from curation.pipeline.edition import ANEW, Edition
from curation.pipeline.guard.lock import Lock, held
from curation.pipeline.job import FileRewritten
from curation.pipeline.publish import account
from curation.pipeline.run import unfinished_units
from curation.pipeline.runtime.local import LocalRuntime
from curation.pipeline.without import Without, rest, rewrite_tasks


@dataclass(frozen=True)
class Wanted:
    """What is to go."""

    recordings: Sequence[str] = ()
    """Ids, or paths as the corpus has them."""
    speakers: Sequence[str] = ()
    """As the manifest or the corpus names them: every recording goes in which one of them is heard."""

    @property
    def names(self) -> set[str]:
        """All of them."""
        return {*self.recordings, *self.speakers}


def remove(
    root: str, wanted: Wanted, reason: Reason, *, wait_seconds: float = 0.0, force_unlock: bool = False
) -> Receipt:
    """Remove recordings, after finishing a removal that was interrupted; returns the receipt of the last of the two.

    What is removed already changes nothing: the receipt is that of its removal. Raises ConfigError where there is no
    corpus, where nothing has one of the names, or while the build is not finished.
    """
    out = Storage(root)
    finished_index(out)  # before the lock, which would make a folder
    with held(out, uuid.uuid4().hex, wait_seconds=wait_seconds, force=force_unlock) as lock:
        if intent := receipts.read_intent(out):
            finished = _carried_out(out, intent, lock)
            if not wanted.names:
                return finished
        found, gone = _resolve(out, _published(out), wanted)
        if gone and not found:
            return gone
        return _carried_out(out, _intent(out, found, wanted, reason), lock)


def read_list(file: str) -> list[str]:
    """The names in a file, one a line. Raises ConfigError where it cannot be read."""
    try:
        lines = Path(file).expanduser().read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file} cannot be read: {error}: give a text file with an id or path in each line"
        raise ConfigError(msg) from error
    return [name for line in lines if (name := line.strip())]


def _published(out: Storage) -> ShardIndex:
    corpus = published_index(out)
    for name in corpus.ledger[:1]:
        if out.read_table(f"{ledger.FOLDER}/{name}", remedy=index.REMEDY).schema.names != LEDGER.names:
            msg = f"{out.root} is of a version with other columns: `curation compact {out.root}` writes them"
            raise ConfigError(msg)
    if unfinished_units(out, plan.read_plan(out))[0] or out.exists(ANEW):
        msg = f"{out.root}: a build is not finished: do that first, with `curation build -o {out.root}`"
        raise ConfigError(msg)
    return corpus


def _resolve(out: Storage, corpus: ShardIndex, wanted: Wanted) -> tuple[set[str], Receipt | None]:
    """The ids of what is to go, and the receipt of what went before."""
    names, speakers = {*wanted.recordings}, {*wanted.speakers}
    if not wanted.names:
        msg = f"{out.root}: nothing to remove: give --recording, --speaker or --list"
        raise ConfigError(msg)
    if not all(name.strip() for name in wanted.names):  # recordings without a speaker have the empty name
        msg = f"{out.root}: a name to remove is empty: give an id, a path or a speaker"
        raise ConfigError(msg)
    found: set[str] = set()
    known: set[str] = set()
    for identifier, path, speaker in _planned(plan.read_plan(out), names, speakers):
        mine = {identifier, path} & names | {speaker} & speakers
        if mine:
            found.add(identifier)
            known |= mine
    for name in corpus.segments:
        heard = out.read_table(f"{segments.FOLDER}/{name}", ["recording_id", "speaker"], index.REMEDY)
        heard = heard.filter(pc.is_in(heard["speaker"], _set_of(speakers)))
        found.update(pc.unique(heard["recording_id"]).to_pylist())
        known.update(pc.unique(heard["speaker"]).to_pylist())
    stones, all_receipts = Tombstones.read(out), [receipts.read_receipt(out, one) for one in receipts.numbers(out)]
    gone = {one: _receipt_of(stones.of_name(one), all_receipts) for one in wanted.names - known}
    unknown = sorted(one for one, receipt in gone.items() if receipt is None)
    if unknown:
        msg = f"{out.root} has no recording or speaker {unknown[0]!r}: give ids or paths as in the ledger"
        raise ConfigError(msg)
    return found, next(iter(gone.values()), None)


def _planned(planned: plan.Plan, names: Collection[str], speakers: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Id, path and speaker, as they are planned last, of recordings of which any generation says one of the names."""
    wanted = {"id": names, "path": names, "speaker": speakers}
    meant: set[str] = set()
    last: dict[str, dict[str, str]] = {}
    for part in planned.parts:
        rows = planned.read(part, list(wanted))
        has = (pc.is_in(rows[column], _set_of(values)) for column, values in wanted.items())
        meant.update(rows["id"].filter(reduce(pc.or_, has)).to_pylist())
    for part in planned.parts if meant else ():
        rows = planned.read(part, list(wanted))
        last |= {row["id"]: row for row in rows.filter(pc.is_in(rows["id"], _set_of(meant))).to_pylist()}
    return ((row["id"], row["path"], row["speaker"]) for row in last.values())


def _set_of(texts: Collection[str]) -> pa.Array:
    """Without texts that are not Unicode: no file has any."""
    return pa.array(sorted(text for text in texts if text == text.encode(errors="replace").decode()), pa.string())


def _receipt_of(asked: str, known: Sequence[Receipt]) -> Receipt | None:
    return next((receipt for receipt in reversed(known) if asked in receipt.asked), None)


def _intent(out: Storage, recordings: set[str], wanted: Wanted, reason: Reason) -> Intent:
    """Write down all that is to be done."""
    corpus, asked = read_index(out), len(recordings)
    recordings, heard = _with_duplicates(out, corpus, recordings)
    units, paths = _places(out, recordings)
    edition = Edition.begin(out, ["remove", sorted(recordings), reason])
    tombstones.make_key(out)
    stones, names = Tombstones.read(out), wanted.names | recordings | paths
    intent = Intent(
        number=edition.number,
        reason=reason,
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        recordings=_lengths(out, corpus, recordings),
        duplicates=len(recordings) - asked,
        paths=sorted(paths),
        units=sorted(units),
        before=_state(corpus, hashlib.sha256(out.read_bytes(index.FILE)).hexdigest()),
        asked=sorted(map(stones.of_name, names)),
        tombstones=stones.made(edition.number, sorted(heard.items())),
        files={name: _sha256(out, name) for name in scrub.concerned(out, recordings, units)},
    )
    receipts.write_intent(out, intent)
    return intent


def _with_duplicates(out: Storage, corpus: ShardIndex, recordings: set[str]) -> tuple[set[str], dict[str, set[str]]]:
    """The recordings and all others with the same samples; and the hashes of the samples of all versions of each."""
    heard: dict[str, set[str]] = {}
    while new := recordings - heard.keys():
        heard |= {one: set() for one in new}
        for name in scrub.batches_of(out, _places(out, new)[0]):
            rows = staging.read(out, name).table
            ids, pcm = (pc.struct_field(one_chunk(rows[of]), what) for of, what in (("source", "id"), ("media", "pcm")))
            for one, samples in zip(ids.to_pylist(), pcm.to_pylist(), strict=True):
                if one in new and samples:
                    heard[one].add(samples)
        recordings = recordings | with_same_samples(out, corpus.ledger, {*itertools.chain(*heard.values())})
    return recordings, heard


def _places(out: Storage, recordings: Collection[str]) -> tuple[set[int], set[str]]:
    """The units of the plan that have the recordings, and their paths."""
    planned = plan.read_plan(out)
    units: set[int] = set()
    paths: set[str] = set()
    wanted = _set_of(recordings)
    for part in planned.parts:
        rows = planned.read(part, ["id", "unit", "path"])
        rows = rows.filter(pc.is_in(rows["id"], value_set=wanted))
        units.update(rows["unit"].to_pylist())
        paths.update(rows["path"].to_pylist())
    return units, paths


def _lengths(out: Storage, corpus: ShardIndex, recordings: Collection[str]) -> dict[str, int]:
    """The samples of each recording, according to the ledger."""
    found = dict.fromkeys(sorted(recordings), 0)
    wanted = _set_of(recordings)
    for name in corpus.ledger:
        rows = out.read_table(f"{ledger.FOLDER}/{name}", ["recording_id", "start_sample", "end_sample"], index.REMEDY)
        rows = rows.filter(pc.is_in(rows["recording_id"], value_set=wanted))
        lengths = np.asarray(rows["end_sample"].to_numpy() - rows["start_sample"].to_numpy())
        for one, length in zip(rows["recording_id"].to_pylist(), lengths.tolist(), strict=True):
            found[one] += length
    return found


def _carried_out(out: Storage, intent: Intent, lock: Lock) -> Receipt:
    recordings = sorted(intent.recordings)
    tombstones.write(out, intent.number, intent.tombstones)
    current = read_index(out)
    if current.edition != intent.number:
        current = _switched(out, current, intent, lock)
    scrub.scrub(out, recordings, intent.paths, intent.units)
    account(out, current)
    Edition(out, intent.number).end(current)
    receipt = _receipt(out, intent, current)
    receipts.write_receipt(out, receipt)
    out.remove(INTENT)
    return receipt


def _switched(out: Storage, old: ShardIndex, intent: Intent, lock: Lock) -> ShardIndex:
    """Write the files anew that have something of the recordings, and make them the corpus."""
    edition = Edition.begin(out, ["remove", sorted(intent.recordings), intent.reason])
    without = partial(Without, out, intent.number, sorted(intent.recordings), old.row_group_rows)
    done = edition.each(rewrite_tasks(old), FileRewritten, partial(LocalRuntime().map, without))
    new = rest(old, done)
    line = write_removal(out, intent.number, intent.reason, sum(intent.recordings.values()))
    labelling = read_labelling(out, old.edition)
    labelling.errors = {name: replace(rate, example="") for name, rate in labelling.errors.items()}
    write_labelling(out, intent.number, labelling)
    names = [*new.ledger, ledger.removal_name(intent.number)]
    lock.fence()
    return edition.switch(replace(new, ledger=names, sha256=new.sha256 | line), "remove")


def _receipt(out: Storage, intent: Intent, current: ShardIndex) -> Receipt:
    before = read_index(out, chain.file_name(current.generations[-2].number))
    old, new = _hashes(before), _hashes(current)
    renamed = {
        name: f"{name.partition('/')[0]}/{shards.rewritten(name.partition('/')[2], intent.number)}" for name in old
    }
    changes = [
        FileChange(name, sha256, renamed[name] if renamed[name] in new else "", new.get(renamed[name], ""))
        for name, sha256 in sorted(old.items())
        if name not in new
    ]
    for name, sha256 in sorted(intent.files.items()):
        there = out.exists(name)
        changes.append(FileChange(name, sha256, name if there else "", _sha256(out, name) if there else ""))
    return Receipt(
        number=intent.number,
        reason=intent.reason,
        at=intent.at,
        recordings=len(intent.recordings),
        duplicates=intent.duplicates,
        samples=sum(intent.recordings.values()),
        tombstones=len(intent.tombstones),
        asked=intent.asked,
        before=intent.before,
        after=_state(current, hashlib.sha256(out.read_bytes(index.FILE)).hexdigest()),
        files=changes,
        licences=dict(sorted((before.licences - current.licences).items())),
        refusals={name: _sha256(out, name) for name in (tombstones.FILE, tombstones.KEY)},
        software=__version__,
    )


def _hashes(corpus: ShardIndex) -> dict[str, str]:
    return {f"{shards.FOLDER}/{entry.file}": entry.sha256 for entry in corpus.shards} | corpus.sha256


def _state(corpus: ShardIndex, sha256: str) -> State:
    return State(sha256, corpus.rows, corpus.seconds)


def _sha256(out: Storage, name: str) -> str:
    return hashlib.sha256(out.read_bytes(name)).hexdigest()
