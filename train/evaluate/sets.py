"""Test sets for evaluation: manifests, splits of a corpus, and the layouts of LibriSpeech, AISHELL-1 and Seed-TTS-eval.

    items = read_set("LibriSpeech/test-clean")     # *.trans.txt beside the recordings
    items = read_set("data_aishell")               # transcript/aishell_transcript*.txt and wav/test
    items = read_set("seedtts_testset/zh")         # meta.lst; also a .lst file by its path
    items = read_set("test.jsonl")                 # any manifest of manifests/inputs.py
    items = read_set("corpus", subset="dev")       # a split of a published build, whose shards hold audio

A manifest has `path` and `transcript`, and may have `id`, `language`, `speaker`, `reference`, a recording of the target
voice, and `reference_text`, what it says. Without `reference` TTS takes another utterance of the speaker (else the
utterance itself) and VC one of the next speaker, the same choice every time.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from curation.core.errors import ConfigError
from curation.core.parquet import damage_named
from curation.core.storage import Storage
from curation.core.stores.embedded import PROTOCOL
from curation.manifests import index, shards
from curation.manifests.inputs.listing import list_inputs
from curation.manifests.inputs.rows import ID
from curation.manifests.inputs.tables import is_manifest
from curation.manifests.splits.places import SPLITS

TRANSCRIPTS = "*.trans.txt"
AISHELL = "transcript/aishell_transcript*.txt"
SEED_LIST = "meta.lst"
SEED_FIELDS = 4
CORPUS_COLUMNS = ["id", "text", "language", "speaker", "split"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to evaluate: `path` is the recording of `text` (empty where the set has none), `reference` a recording
    of the target voice for TTS and VC (empty: to be chosen), which says `reference_text` (empty: not known). Paths are
    local or fsspec URLs.
    """

    id: str
    text: str
    language: str
    path: str = ""
    speaker: str = ""
    reference: str = ""
    reference_text: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further columns of the manifest, to group results by."""


def read_set(place: str, *, subset: str = "test", language: str = "") -> list[Item]:
    """The items of a test set, sorted by id; `language` is the default of items without one.

    `subset` names the split of a corpus, or the part of AISHELL-1. Raises ConfigError with the expected layout.
    """
    items = list(_reader(place, subset)(place))
    if not items:
        msg = f"{place}: no items to evaluate"
        raise ConfigError(msg)
    odd = next((item.id for item in items if not ID.fullmatch(item.id)), None)
    if odd is not None:  # speech is written to files of that name
        msg = (
            f"{place}: id {odd!r} may hold only letters, digits, dots (not first), dashes and underscores, at most 200"
        )
        raise ConfigError(msg)
    named = [item if item.language or not language else replace(item, language=language) for item in items]
    silent = [item.id for item in named if not item.language]
    if silent:
        msg = (
            f"{place}: {len(silent)} items without a language, e.g. {silent[0]}: add a column `language`, or --language"
        )
        raise ConfigError(msg)
    return sorted(named, key=lambda item: item.id)


def _reader(place: str, subset: str) -> Callable[[str], Iterable[Item]]:
    path = Path(place)
    if is_manifest(place):
        return manifest
    if Storage(place).exists(index.FILE):
        return lambda root: corpus(root, subset)
    if path.suffix == ".lst" or (path / SEED_LIST).is_file():
        return seed_tts
    if any(path.glob(AISHELL)) or any(path.glob(f"data_aishell/{AISHELL}")):
        return lambda folder: aishell(folder, subset)
    if next(path.rglob(TRANSCRIPTS), None) is not None:
        return librispeech
    msg = (
        f"{place}: no test set; expected a manifest (.jsonl, .json, .csv, .tsv, .parquet), a published build, or a "
        f"folder with "
        f"{TRANSCRIPTS} (LibriSpeech), {AISHELL} (AISHELL-1) or {SEED_LIST} (Seed-TTS-eval)"
    )
    raise ConfigError(msg)


def manifest(place: str) -> Iterator[Item]:
    """Items of a manifest. Raises ConfigError for rows without a transcript."""
    folder = posixpath.dirname(place)
    for source in (item.source for item in list_inputs([place])):
        if not source.transcript:
            msg = f"{place}: {source.id} has no transcript to compare with"
            raise ConfigError(msg)
        extra = dict(source.extra)
        reference, said = (str(extra.pop(name, "") or "") for name in ("reference", "reference_text"))
        if said and not reference:
            msg = f"{place}: {source.id} has a `reference_text` without a `reference`: name the recording that says it"
            raise ConfigError(msg)
        if reference and "://" not in reference:
            reference = posixpath.join(folder, reference)
        yield Item(source.id, source.transcript, source.language, source.path, source.speaker, reference, said, extra)


def corpus(place: str, split: str) -> Iterator[Item]:
    """Utterances of a split of a published build, in its shards. Raises ConfigError where it has no such split, or its
    shards hold no audio.
    """
    out = Storage(place)
    found = index.finished_index(out)
    if found.split is None or split not in SPLITS:
        has = "has no splits: `curation split` makes them" if found.split is None else f"has {', '.join(SPLITS)}"
        msg = f"{place}: --subset {split}: the corpus {has}"
        raise ConfigError(msg)
    mine = [
        f"{shards.FOLDER}/{entry.file}"
        for entry in found.shards
        if any(portion.split == split for portion in entry.portions)
    ]
    if mine and not _has_audio(out, mine[0]):  # then no shard has any
        msg = f"{out.root}: its shards hold no audio: publish it with `--set publish.audio=true`"
        raise ConfigError(msg)
    for name in mine:
        yield from _utterances(out, name, split)


def _has_audio(out: Storage, name: str) -> bool:
    with damage_named(f"{out.root}/{name}", index.REMEDY), out.open_table(name) as table:
        return not table.read_row_group(0, columns=["audio"])["audio"].null_count


def _utterances(out: Storage, name: str, split: str) -> Iterator[Item]:
    """Those of a shard, whose audio is read when it is heard."""
    files, path = url_to_fs(out.path(name))
    with damage_named(f"{out.root}/{name}", index.REMEDY), out.open_table(name) as table:
        for group in range(table.num_row_groups):
            rows = table.read_row_group(group, columns=CORPUS_COLUMNS)
            for at, row in enumerate(rows.to_pylist()):
                if row["split"] == split and row["text"]:
                    audio = f"{PROTOCOL}://audio/{group}/{at}::{files.unstrip_protocol(path)}"
                    yield Item(row["id"], row["text"], row["language"] or "", audio, row["speaker"] or "")


def librispeech(place: str) -> Iterator[Item]:
    """READER/CHAPTER/READER-CHAPTER.trans.txt, lines `READER-CHAPTER-0000 TEXT`, a .flac (or .wav) for each."""
    for listing in sorted(Path(place).rglob(TRANSCRIPTS)):
        for name, text in _lines(listing):
            path = _recording(listing.parent / name, listing)
            yield Item(name, text, "en", str(path), speaker=name.partition("-")[0])


def aishell(place: str, subset: str) -> Iterator[Item]:
    """wav/SUBSET/SPEAKER/ID.wav, texts of all subsets in one file, with spaces between words."""
    root = Path(place) if any(Path(place).glob(AISHELL)) else Path(place) / "data_aishell"
    texts = dict(line for listing in sorted(root.glob(AISHELL)) for line in _lines(listing))
    recordings = sorted((root / "wav" / subset).rglob("*.wav"))
    if not recordings:
        msg = f"{root}/wav/{subset}: no recordings; unpack the speakers' archives there, or choose another --subset"
        raise ConfigError(msg)
    for path in recordings:
        if path.stem in texts:  # the corpus itself lacks the text of a few recordings
            yield Item(path.stem, texts[path.stem], "zh", str(path), speaker=path.parent.name)


def seed_tts(place: str) -> Iterator[Item]:
    """Lines `ID|text of the prompt|recording of the prompt|text[|recording of the text]`; the language is the name of
    the folder (zh, en).
    """
    listing = Path(place) if Path(place).suffix == ".lst" else Path(place) / SEED_LIST
    for number, line in enumerate(listing.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        fields = [part.strip() for part in line.split("|")]
        if len(fields) < SEED_FIELDS:
            msg = f"{listing}, line {number}: expected ID|prompt text|prompt recording|text[|recording], got {line!r}"
            raise ConfigError(msg)
        name, prompt_text, prompt, text = fields[:SEED_FIELDS]
        truth = str(listing.parent / fields[SEED_FIELDS]) if fields[SEED_FIELDS:] and fields[SEED_FIELDS] else ""
        language = listing.resolve().parent.name
        known = language if language in {"zh", "en"} else ""
        yield Item(name, text, known, truth, reference=str(listing.parent / prompt), reference_text=prompt_text)


def with_references(items: list[Item], *, same_speaker: bool) -> list[Item]:
    """The items, each with a reference: its own, or the recording of the next item in the order of the set that is by
    the same speaker (TTS) or by another one (VC), wrapping around. Where there is none: its own recording for TTS,
    ConfigError for VC.
    """
    return [item if item.reference else _referred(items, at, same_speaker) for at, item in enumerate(items)]


def _referred(items: list[Item], at: int, same_speaker: bool) -> Item:  # noqa: FBT001
    item = items[at]
    for other in (*items[at + 1 :], *items[:at]):
        if other.path and (other.speaker == item.speaker) is same_speaker and (item.speaker or not same_speaker):
            return replace(item, reference=other.path, reference_text=other.text)
    if same_speaker and item.path:
        return replace(item, reference=item.path, reference_text=item.text)
    msg = f"{item.id}: no recording to take the voice from; add a column `reference`, or `speaker` for several speakers"
    raise ConfigError(msg)


def _recording(stem: Path, listing: Path) -> Path:
    for suffix in (".flac", ".wav"):
        if (path := stem.with_name(stem.name + suffix)).is_file():
            return path
    msg = f"{listing} names {stem.name}, but there is no {stem}.flac or .wav"
    raise ConfigError(msg)


def _lines(listing: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of lines `ID TEXT`."""
    for line in listing.read_text(encoding="utf-8").split("\n"):
        name, _, text = line.strip().partition(" ")
        if name:
            yield name, text.strip()
