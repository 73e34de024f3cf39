"""Writes the page of `curation audit` from a published corpus."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from curation.audit.corpus import Corpus
from curation.audit.diff import diff
from curation.audit.page import cube, sample, totals
from curation.audit.page.chunks import row_scripts, script
from curation.audit.page.cuts import Audio
from curation.audit.page.rows import COLUMNS, RowWriter
from curation.audit.page.systems import Disagreement, outliers, written_units
from curation.audit.page.text import cleaned
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.core.version import __version__
from curation.manifests.index import FILE as INDEX
from curation.manifests.summary import Summary, read_summary
from curation.pipeline.config import BuildConfig
from curation.pipeline.provenance import read_config

STATIC = ("index.html", "app.js", "app.css", "LICENSES.txt")
FORMAT_VERSION = 1
EXAMPLES = 50
"""Of texts that differ in another build."""


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What the page holds."""

    per_reason: int = 500
    """Segments of each reason."""
    audio: Audio = "opus"
    seed: int = 0
    share: bool = False
    """Without voices, paths and names of speakers."""
    against: str | None = None
    """Another build of the same recordings, with which this one is compared."""
    recordings: Sequence[str] = ()
    """Folders and URLs below which recordings may be opened, so that they are heard as they were."""
    served: bool = False
    """A server has all segments, and cuts their audio when it is asked for."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    rows: int
    bytes: int
    sources_missing: int
    """Cuts of which the recording could not be read, or may not be opened: they play as published only."""


def write_page(out: Storage, folder: Path, options: PageOptions) -> Written:
    """Write the page of a published corpus into `folder`, in place of an earlier one.

    Raises ConfigError where the corpus is not published, or the folder holds anything else; DataError where files of
    the corpus are damaged or of different publish passes.
    """
    audio: Audio = "none" if options.share else options.audio
    corpus, summary = Corpus.open(out.root), read_summary(out)
    meta = {**_about(out, options, audio, summary), "outside": totals.outside(corpus, summary)}
    meta["diff"] = _against(out, options)
    _prepare(folder, served=options.served)
    strata = sample.draw(corpus, options.per_reason, options.seed)
    hidden = _Hidden(options.share)
    config = read_config(out)
    writer = RowWriter(
        out, corpus, strata, folder, audio, Disagreement(), options.recordings, config.decode, later=options.served
    )
    chunks = 0
    for content in row_scripts(cleaned(hidden.row(row)) for row in writer.rows()):
        (folder / "data" / f"rows-{chunks:03d}.js").write_bytes(content)
        chunks += 1
    meta |= {
        "chunks": chunks,
        "rows": sum(item.taken for item in strata),
        "columns": COLUMNS,
        "strata": [[item.name, item.count, item.taken] for item in strata],
        "cube": cube.cube(corpus),
        "rules": _rules(corpus, config),
        "scores": list(corpus.scores),
        "speakers": hidden.speakers(totals.speakers(corpus)),
        "recordings": hidden.recordings(totals.recordings(corpus)),
        "systems": {"pairs": writer.disagreement.rows(), "outliers": outliers(corpus)},
    }
    (folder / "data" / "meta.js").write_bytes(script("meta", cleaned(meta)))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Written(meta["rows"], size, writer.sources_missing)


def _about(out: Storage, options: PageOptions, audio: Audio, summary: Summary) -> dict[str, Any]:
    root = "CORPUS" if options.share else out.root.rstrip("/")
    return {
        "v": FORMAT_VERSION,
        "corpus": hashlib.sha256(out.read_bytes(INDEX)).hexdigest(),
        "path": root,
        "name": root.rpartition("/")[2],
        "software": __version__,
        "per_reason": options.per_reason,
        "seed": options.seed,
        "share": options.share,
        "audio": audio,
        "served": options.served,
        "recordings_count": summary.recordings,
        "seconds": summary.seconds,
    }


def _against(out: Storage, options: PageOptions) -> dict[str, Any] | None:
    """What has changed since the other build."""
    if options.against is None:
        return None
    found = diff(options.against, out.root, examples=EXAMPLES)
    for item in found["texts"]["examples"]:
        item["units"] = written_units(item["language"] or "", [item["text_a"], item["text_b"]])
    return {**found, "a": "BEFORE", "b": "CORPUS"} if options.share else found


def _prepare(folder: Path, *, served: bool) -> None:
    """An empty page. Raises ConfigError where the folder holds something that is no page."""
    data = folder / "data"
    if folder.exists() and not _replaceable(folder):
        msg = f"{folder} holds something that is not a page of `curation audit`: give another folder to -o"
        raise ConfigError(msg)
    for old in (data, folder / "audio"):
        shutil.rmtree(old, ignore_errors=True)
    data.mkdir(parents=True)
    files = resources.files("curation.audit.page") / "static"
    for name in STATIC:
        (folder / name).write_bytes((files / name).read_bytes())
    if served:  # the server's own policy is as strict
        page = (folder / "index.html").read_bytes()
        (folder / "index.html").write_bytes(page.replace(b"media-src", b"connect-src 'self'; media-src", 1))


def _replaceable(folder: Path) -> bool:
    """Whether it is empty, or a page: any site may have an `index.html`, and a folder `data` that is not ours."""
    if not folder.is_dir():
        return False
    index = folder / "index.html"
    return b'src="data/meta.js"' in index.read_bytes() if index.is_file() else not any(folder.iterdir())


def _rules(corpus: Corpus, config: BuildConfig) -> list[dict[str, Any]]:
    """The rules with what their settings mean."""
    columns = {score: column for column, score in corpus.scores.items()}
    found = []
    for rule in corpus.rules:
        section, _, key = rule.field.partition(".")
        declared = getattr(type(getattr(config, section, None)), "model_fields", {}).get(key)
        meaning = declared.description if declared is not None else ""
        found.append(
            {
                "field": rule.field,
                "score": rule.score,
                "column": columns.get(rule.score, ""),
                "breaks": rule.breaks,
                "threshold": rule.threshold,
                "required": rule.required,
                "unless": rule.unless,
                "unless_column": columns.get(rule.unless, ""),
                "meaning": (meaning or "").replace("`", ""),
            }
        )
    return found


@dataclass
class _Hidden:
    """Takes paths and names of speakers out of what is given away."""

    on: bool
    _aliases: dict[str, str] = field(default_factory=dict)

    def row(self, row: list[Any]) -> list[Any]:
        """A row of the page."""
        if self.on:
            heard = COLUMNS.index("hypotheses")  # what a system says of its failure may name a path
            row[heard] = [[*item[:3], item[3] and "failed"] for item in row[heard]]
            row[COLUMNS.index("path")] = None
            row[COLUMNS.index("detail")] = None
            row[COLUMNS.index("speaker")] = self._alias(row[COLUMNS.index("speaker")])
        return row

    def speakers(self, found: dict[str, Any]) -> dict[str, Any]:
        """`totals.speakers`."""
        return {**found, "top": [[self._alias(name), *rest] for name, *rest in found["top"]]}

    def recordings(self, found: dict[str, Any]) -> dict[str, Any]:
        """`totals.recordings`."""
        return {**found, "top": [[name, None if self.on else path, *rest] for name, path, *rest in found["top"]]}

    def _alias(self, name: str | None) -> str | None:
        if not self.on or not name:
            return name
        return self._aliases.setdefault(name, f"speaker {len(self._aliases) + 1}")
