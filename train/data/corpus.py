"""The shards of a build for training: slices of rows, read when they are due.

Only the index is read at the start. A slice is a range of rows of a shard as long as its row groups, so that reading
one reads nothing else; slices follow from the index alone.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core.errors import DataError
from curation.core.parquet import damage_named
from curation.core.storage import Storage
from curation.manifests import index, shards
from curation.manifests.history import chain
from curation.manifests.index import ShardIndex
from curation.tokenize.pair import check_description
from curation.tokenize.vocabulary import Stream, Vocabulary, make_vocabulary


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows `start` to `stop` (exclusive) of a shard; `rows` is how many the whole shard has."""

    file: str
    start: int
    stop: int
    rows: int


@dataclass(frozen=True)
class Corpus:
    """An opened index. Nothing else is read before the first slice is."""

    storage: Storage
    folder: str
    index: ShardIndex

    @property
    def where(self) -> str:
        """The folder of the shards, for messages."""
        return self.storage.path(f"{self.folder}/x")[:-2] if self.folder else self.storage.root

    @property
    def tokenizers(self) -> dict[str, Any]:
        """The tokenizers according to the index. Raises DataError for shards without tokens."""
        if not self.index.tokenizers:
            msg = f"{self.where}: these shards have no tokens (tokenize was null): build with a `tokenize` section"
            raise DataError(msg)
        return self.index.tokenizers

    @property
    def denoise(self) -> dict[str, Any] | None:
        """Settings of the build's denoise stage, None where the index names none."""
        return self.index.denoise

    @property
    def cuts(self) -> dict[str, Any] | None:
        """Where the build's utterances end (`DiarizeConfig.cuts`), None where the index does not say."""
        return self.index.cuts

    @cached_property
    def identity(self) -> str:
        """Hex SHA-256 of the content of the shards, whatever their location."""
        entries = [[shards.first_name(entry.file), entry.rows, entry.sha256] for entry in self.index.shards]
        return hashlib.sha256(json.dumps([entries, self.index.row_group_rows]).encode()).hexdigest()

    @cached_property
    def slices(self) -> list[Slice]:
        """All slices, in the order of the shards."""
        step = self.index.row_group_rows
        return [
            Slice(entry.file, start, min(start + step, entry.rows), entry.rows)
            for entry in self.index.shards
            for start in range(0, entry.rows, step)
        ]

    def read(self, slices: Iterable[Slice], columns: list[str]) -> pa.Table:
        """Some columns of some slices. Raises DataError where a shard is not the one of the index."""
        return pa.concat_tables([self._read_slice(one, columns) for one in slices])

    def _read_slice(self, one: Slice, columns: list[str]) -> pa.Table:
        """Only the row groups of the shard that hold the slice are read."""
        name, remedy = f"{self.folder}/{one.file}" if self.folder else one.file, index.REMEDY
        try:
            opened = self.storage.open(name)
        except FileNotFoundError as error:
            msg = (
                f"{self.where}/{one.file} was in the index, but is not there: start again if the build was published "
                f"meanwhile; else {remedy}"
            )
            raise DataError(msg) from error
        with (
            damage_named(f"{self.where}/{one.file}", remedy),
            opened as file,
            pq.ParquetFile(pa.PythonFile(file, mode="r"), pre_buffer=True) as parquet,
        ):
            if parquet.metadata.num_rows != one.rows:
                found = parquet.metadata.num_rows
                msg = f"{self.where}/{one.file}: {found} rows, the index says {one.rows}: publish again"
                raise DataError(msg)
            groups, before = _groups_of(parquet.metadata, one)
            table = parquet.read_row_groups(groups, columns=columns, use_threads=False)
        return table.slice(one.start - before, one.stop - one.start).replace_schema_metadata()


def _groups_of(metadata: pq.FileMetaData, one: Slice) -> tuple[list[int], int]:
    """Row groups that a slice touches, and the rows before the first of them."""
    groups: list[int] = []
    before = position = 0
    for number in range(metadata.num_row_groups):
        end = position + metadata.row_group(number).num_rows
        if position < one.stop and end > one.start:
            before = before if groups else position
            groups.append(number)
        position = end
    return groups, before


def open_corpus(location: str) -> Corpus:
    """Read the index of a build's folder, of its folder `shards`, or of one of its generations (`corpus@2`).

    Raises DataError where there is none.
    """
    return _opened(chain.locate(location))


def _opened(found: chain.Located) -> Corpus:
    checked = _checked(found.index, f"{found.storage.root}/{found.folder}")
    return Corpus(found.storage, found.folder, checked)


def begun_with(corpus: Corpus, identity: str) -> Corpus:
    """The generation of a corpus that has this identity: what a training began with before others were appended.

    The corpus itself where none has it.
    """
    latest = chain.Located(corpus.storage, corpus.folder, corpus.index)
    for number in chain.readable(corpus.index):
        earlier = _opened(chain.at_generation(latest, number))
        if earlier.identity == identity:
            return earlier
    return corpus


def _checked(found: ShardIndex, path: str) -> ShardIndex:
    try:
        if found.tokenizers:
            check_description(found.tokenizers)
            stream_sizes(found.tokenizers)
    except (ValueError, KeyError) as error:
        reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
        msg = f"{path} is damaged (tokenizers: {reason}): {index.REMEDY}"
        raise DataError(msg) from error
    return found


def check_tokenizers(corpus: Corpus, vocabulary: Vocabulary, expected: str | None) -> None:
    """Raise DataError unless the shards carry the tokens that are `expected` (a fingerprint; None: any) and the
    vocabulary has all their codes.
    """
    found = corpus.tokenizers
    if expected is not None and found["fingerprint"] != expected:
        msg = (
            f"{corpus.where}: tokens of the tokenizers {found['fingerprint']}, but the model expects {expected}: "
            "tokenize and publish the corpus with the model's tokenizers, or start another model"
        )
        raise DataError(msg)
    for stream, size in stream_sizes(found).items():
        if len(vocabulary.streams[stream]) < size:
            has = len(vocabulary.streams[stream])
            msg = f"{corpus.where}: the stream {stream} has {size} codes and the vocabulary {has}: take another one"
            raise DataError(msg)


def stream_sizes(tokenizers: dict[str, Any]) -> dict[Stream, int]:
    """Codes of each stream, from the index's description of the tokenizers."""
    codec = tokenizers["bicodec"]
    return {"glm": tokenizers["glm"]["size"], "global_": codec["global_size"], "semantic": codec["semantic_size"]}


def vocabulary_for(corpus: Corpus, text_size: int = 1024, *, max_texts: int = 100_000) -> Vocabulary:
    """A small vocabulary for a corpus: its speech codes, and text pieces trained on its texts.

    `text_size` are text ids, 256 or more (256: plain bytes); not more than about `max_texts` texts are read, spread
    evenly over the shards. Raises DataError for shards without tokens.
    """
    sizes = stream_sizes(corpus.tokenizers)
    texts = _texts(corpus, max_texts) if text_size > 256 else ()
    return make_vocabulary(
        glm=sizes["glm"], global_=sizes["global_"], semantic=sizes["semantic"], texts=texts, text_size=text_size
    )


def _texts(corpus: Corpus, limit: int) -> Iterator[str]:
    rows = max(corpus.index.rows, 1)
    step = -(-rows // limit)  # every step-th slice: whole row groups are read anyway
    for one in corpus.slices[::step]:
        table = corpus.read([one], ["text"] if corpus.index.split is None else ["text", "split"])
        if corpus.index.split is not None:  # what is held out is not learned from
            table = table.filter(pc.equal(table["split"], "train"))
        yield from (text for text in table["text"].to_pylist() if text)
