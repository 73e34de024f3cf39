"""The column `voice_id` of shards and segments: the voice of each speaker, as `curation voices` found it.

    names = VoiceNames.read(out, plan)
    names.of(rows["recording_id"], rows["speaker"])

What is published has the voices that were known then: an append leaves older files as they are.
"""

import hashlib
import logging
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.counts import counted
from curation.core.storage import Storage
from curation.manifests.columns.maps import one_chunk
from curation.manifests.index import ShardIndex
from curation.manifests.plan import Plan
from curation.manifests.splits.components import Digests, digests_of
from curation.manifests.voices.files import FILE, read_table

log = logging.getLogger(__name__)

_SEPARATOR = "\0"


@dataclass(frozen=True)
class VoiceNames:
    """The voices of speakers; a speaker takes 20 bytes."""

    digests: Digests = field(default_factory=lambda: np.empty(0, np.uint64), repr=False, compare=False)
    """Of recording and name in the shards, sorted."""
    voices: pa.Array = field(default_factory=lambda: pa.array([], pa.string()), repr=False, compare=False)
    """The `voice_id` of each."""

    @classmethod
    def read(cls, out: Storage, planned: Plan) -> Self:
        """Those of a corpus; none where nobody looked for them. Raises DataError where the file is damaged."""
        table = read_table(out, planned)
        digests = _digests(table["recording_id"], table["speaker"])
        order = np.argsort(digests)
        return cls(digests[order], one_chunk(table["voice_id"]).take(pa.array(order)))

    @property
    def fingerprint(self) -> str:
        """Changes with what they are; empty where there are none."""
        if not len(self.digests):
            return ""
        return hashlib.sha256(self.digests.tobytes() + "".join(self.voices.to_pylist()).encode()).hexdigest()

    def of(self, recordings: pa.Array | pa.ChunkedArray, speakers: pa.Array | pa.ChunkedArray) -> pa.Array:
        """The voice of each speaker; null where it is not known."""
        if not len(self.digests):
            return pa.nulls(len(recordings), pa.string())
        mine = _digests(recordings, speakers)
        place = np.minimum(np.searchsorted(self.digests, mine), len(self.digests) - 1)
        return self.voices.take(pa.array(place, mask=self.digests[place] != mine))


NONE = VoiceNames()
"""Of a corpus whose voices nobody looked for."""


def warn_of_unnamed(out: Storage, corpus: ShardIndex) -> None:
    """Say how many utterances of a corpus are published without the voice of their speaker, where voices are known."""
    unnamed = corpus.rows - sum(entry.voiced for entry in corpus.shards)
    if unnamed and out.exists(FILE):
        log.warning(
            "%s without a voice: `curation voices %s` looks for those of new speakers, and `curation compact %s` "
            "writes what is known into all files",
            counted(unnamed, "utterance"),
            out.root,
            out.root,
        )


def _digests(recordings: pa.Array | pa.ChunkedArray, speakers: pa.Array | pa.ChunkedArray) -> Digests:
    texts = (one_chunk(values).cast(pa.string()) for values in (recordings, speakers))
    return digests_of(pc.binary_join_element_wise(*texts, _SEPARATOR))
