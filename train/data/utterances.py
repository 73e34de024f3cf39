"""The utterances of a block as flat arrays of tokens, from which the samples of the three tasks are made."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import DataError
from curation.tokenize.base import Ids
from curation.tokenize.vocabulary import Stream, Vocabulary

COLUMNS = ["id", "speaker", "language", "text", "glm", "semantic", "global"]
STREAMS: dict[str, Stream] = {"glm": "glm", "semantic": "semantic", "global": "global_"}
"""The stream of each column of codes."""


@dataclass(frozen=True, slots=True)
class Ragged:
    """Lists of ids one after another: list i is `values[offsets[i] : offsets[i + 1]]`."""

    values: Ids
    offsets: npt.NDArray[np.int64]

    def __getitem__(self, row: int) -> Ids:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(lists,) how many ids each has."""
        return np.diff(self.offsets)


@dataclass(frozen=True, slots=True)
class Utterances:
    """Rows of shards. `speakers` are small numbers; -1 where the speaker is unknown.

    `tokens` holds the vocabulary ids of the streams (glm, semantic, global) and of the text (text) of each utterance.
    """

    ids: list[str]
    speakers: npt.NDArray[np.int64]
    languages: list[str]
    texts: list[str]
    tokens: dict[str, Ragged]

    def __len__(self) -> int:
        return len(self.ids)


def utterances_of(table: pa.Table, vocabulary: Vocabulary, where: str) -> Utterances:
    """Take `COLUMNS` of a table of shard rows.

    Raises DataError, which says `where`, for a row without tokens, or with a code that the vocabulary does not have.
    """
    for name in STREAMS:
        if table[name].null_count:
            lost = table.filter(pc.is_null(table[name]))["id"][0].as_py()
            msg = f"{where}: utterance {lost} has no {name} tokens: tokenize and publish the corpus again"
            raise DataError(msg)
    ids, texts = table["id"].to_pylist(), _strings(table["text"])
    speech = {name: _ids(table[name], name, vocabulary, ids, where) for name in STREAMS}
    return Utterances(
        ids=ids,
        speakers=_numbers(table["speaker"]),
        languages=_strings(table["language"]),
        texts=texts,
        tokens=speech | {"text": _encoded(texts, vocabulary)},
    )


def _strings(values: pa.ChunkedArray) -> list[str]:
    return list(pc.fill_null(values, "").to_pylist())


def _numbers(speakers: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Equal names as equal numbers, in the order of their first use, so that they depend on the rows alone."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(name, len(numbers)) if name else -1 for name in speakers.to_pylist()]
    return np.array(found, dtype=np.int64)


def _encoded(texts: list[str], vocabulary: Vocabulary) -> Ragged:
    ids = vocabulary.text_ids_of(texts)
    offsets = np.r_[0, np.cumsum([len(one) for one in ids], dtype=np.int64)]
    return Ragged(np.concatenate([*ids, np.zeros(0, np.int32)]), offsets)


def _ids(column: Any, name: str, vocabulary: Vocabulary, utterances: list[str], where: str) -> Ragged:
    codes = pc.list_flatten(column).to_numpy().astype(np.int32, copy=False)
    offsets = np.r_[0, np.cumsum(pc.list_value_length(column).to_numpy(), dtype=np.int64)]
    try:
        return Ragged(vocabulary.speech_ids(STREAMS[name], codes), offsets)
    except ValueError as error:
        first = np.flatnonzero((codes < 0) | (codes >= len(vocabulary.streams[STREAMS[name]])))[0]
        msg = f"{where}: utterance {utterances[np.searchsorted(offsets, first, 'right') - 1]}: {error}"
        raise DataError(msg) from error
