"""`curation export`: a published corpus, or some of its utterances, in the format of another trainer.

    done = export("nemo", "corpus", "for-nemo", Options(where="language = 'de'"))

Exporting twice gives the same bytes. A row group with its audio, and the ids of a shard, are in memory at once.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.core.version import __version__
from curation.export import croissant, emilia, energon, huggingface, kaldi, lhotse, nemo, webdataset
from curation.export.corpus import Chosen, Utterance
from curation.export.folder import Folder
from curation.export.shards import Job
from curation.manifests.index import FILE as INDEX
from curation.manifests.summary import read_summary
from curation.pipeline.provenance import read_config
from curation.pipeline.readme.card import card

FORMATS: Mapping[str, Callable[[Job], None]] = {
    "nemo": nemo.write,
    "nemo-tarred": nemo.write_tarred,
    "huggingface": huggingface.write,
    "lhotse": lhotse.write,
    "lhotse-shar": lhotse.write_shar,
    "webdataset": webdataset.write,
    "kaldi": kaldi.write,
    "emilia": emilia.write,
    "croissant": croissant.write,
    "energon": energon.write,
}
SUFFIXES = {"flac": "flac", "opus": "ogg"}


@dataclass(frozen=True, slots=True)
class Options:
    """What is exported, and how."""

    where: str = ""
    """Condition of SQL over the columns of `segments`; empty: all kept utterances."""
    shard_hours: float = 10.0
    """Hours of speech in a part, at most."""
    audio: Literal["flac", "opus"] = "flac"
    split: Literal["", "train", "dev", "test"] = ""
    """Empty: all."""
    tiers: Sequence[str] = ()
    """Empty: utterances of all tiers, and of none."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported."""

    folder: str
    utterances: int
    seconds: float


def export(kind: str, corpus: str, target: str, options: Options | None = None) -> Exported:
    """Write the folder `target`, in place of an earlier export.

    Raises ConfigError for an unknown format, a corpus that is not published, a condition that nothing fulfils, or where
    there is no audio; DataError where the corpus is damaged.
    """
    options = options or Options()
    if kind not in FORMATS:
        msg = f"there is no format {kind!r}: choose one of {', '.join(FORMATS)}"
        raise ConfigError(msg)
    if not target.strip():
        msg = "the export has no name: give a folder"
        raise ConfigError(msg)
    if "://" in target:
        msg = f"{target}: an export is written to a folder of this machine; copy it to its place from there"
        raise ConfigError(msg)
    if Path(target).resolve().is_relative_to(Path(corpus).resolve()):
        msg = f"{target} is within the corpus, where removed recordings would stay: give a folder beside it"
        raise ConfigError(msg)
    if kind == "kaldi" and options.audio != "flac":
        msg = "kaldi: its audio is WAV, which Kaldi reads without a pipe: leave --audio out"
        raise ConfigError(msg)
    chosen = Chosen.of(corpus, options.where, options.split, options.tiers)
    with Folder.appearing(Path(target)) as folder:
        FORMATS[kind](_job(chosen, folder, options))
        folder.finish(
            {
                "format": kind,
                "corpus": hashlib.sha256(Storage(corpus).read_bytes(INDEX)).hexdigest(),
                "options": asdict(options),
                "software": __version__,
                "utterances": chosen.count,
                "seconds": chosen.samples / SAMPLE_RATE,
            }
        )
    return Exported(target, chosen.count, chosen.samples / SAMPLE_RATE)


def _job(chosen: Chosen, folder: Folder, options: Options) -> Job:
    out = Storage(chosen.corpus.root)
    about = card(read_summary(out), chosen.corpus.index, read_config(out))
    asked = {"split": options.split, "tiers": ", ".join(options.tiers), "condition": options.where}
    part = ", ".join(f"{name} `{value}`" for name, value in asked.items() if value)
    if part:
        about += f"\nThis is a part of it: {part}.\n"
    seconds = chosen.samples / SAMPLE_RATE
    about += f"\nHere: {chosen.count:,} utterances, {seconds / 3600:.2f} h.\n"

    def renamed(one: Utterance) -> Utterance:
        if one.key != one.id:
            folder.renamed(id=one.id, exported=one.key)
        return one

    job = Job(
        folder=folder,
        utterances=map(renamed, chosen.utterances()),
        count=chosen.count,
        samples=chosen.samples,
        shard_samples=max(1, round(options.shard_hours * 3600 * SAMPLE_RATE)),
        suffix=SUFFIXES[options.audio],
        card=about,
        name=Path(out.root).absolute().name,
        languages=chosen.languages,
    )

    def of(split: str) -> Job:
        mine = Chosen.of(out.root, options.where, split, options.tiers)
        utterances = map(renamed, mine.utterances())
        return replace(job, split=split, utterances=utterances, count=mine.count, samples=mine.samples)

    return replace(job, divided=[of(split) for split in chosen.splits] or [job])
