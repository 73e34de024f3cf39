"""Which split each recording is in. All recordings of a component are in one (`manifests.splits.components`).

    splits = division(out, plan, SplitConfig(dev=0.01, test=0.01))
    splits.of_recordings(pa.array(["talk-0b2f…"]))          # train, dev or test

A component that has nothing published lies where the hash of its oldest recording says: below `dev` it is dev, in the
last `test` of all hashes test, else train. So what is added later gets its split without a look at the rest, and more
dev takes from train what lies next. What is published stays in its split. Where components of different splits are
joined (a new recording has something of both), all go where the strictest of them is: test before dev before train.
What was held out is never trained on.
"""

import hashlib
import logging
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import model_validator

from curation.core.errors import DataError
from curation.core.parquet import damage_named
from curation.core.settings import Section, publish_field
from curation.core.storage import Storage
from curation.manifests import ledger
from curation.manifests.columns.maps import one_chunk
from curation.manifests.index import REMEDY, ShardIndex, read_index
from curation.manifests.plan import Plan
from curation.manifests.splits.components import Components, Digests, Link, digests_of

log = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test")
"""The later one counts where components are joined."""
UNKNOWN = -1
_NAMES = pa.array(SPLITS, pa.string())
LINKS: tuple[Link, ...] = ("speaker", "recording", "duplicate")

Codes = npt.NDArray[np.int8]
"""Indices of `SPLITS`; `UNKNOWN` for what is in none."""


class SplitConfig(Section):
    """What is dev and test; `curation split` measures which shares give so many hours."""

    dev: float = publish_field(
        0.0, description="share of the hashes of recordings, from below, that are dev", ge=0, le=1
    )
    test: float = publish_field(
        0.0, description="share of the hashes of recordings, from above, that are test", ge=0, le=1
    )
    by: list[Link] = publish_field(
        list(LINKS),
        description="what keeps recordings in one split: the same speaker of the manifest, the same file (its tracks, "
        "channels and stretches), the same group of duplicates",
    )
    salt: int = publish_field(0, description="another number gives other hashes", ge=0, lt=2**31)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.dev + self.test > 1:
            msg = f"dev and test are {self.dev + self.test:g} of everything together: 1 at most"
            raise ValueError(msg)
        return self


@dataclass(frozen=True)
class Splits:
    """The recordings that are held out; all others are train."""

    digests: Digests = field(repr=False, compare=False)
    """Of their ids, sorted."""
    codes: Codes = field(repr=False, compare=False)

    @classmethod
    def of(cls, components: Components, config: SplitConfig, published: Codes) -> Self:
        """Those of a corpus; `published` is the split of each recording so far."""
        found = placed(components, config, published)
        out = np.flatnonzero(found > 0)
        out = out[np.argsort(components.digests[out])]
        return cls(components.digests[out], found[out])

    @property
    def fingerprint(self) -> str:
        """A hash of all of it."""
        return hashlib.sha256(self.digests.tobytes() + self.codes.tobytes()).hexdigest()

    def of_recordings(self, ids: pa.Array | pa.ChunkedArray) -> pa.Array:
        """The split of each recording."""
        mine = digests_of(ids)
        codes = np.zeros(len(mine), np.int8)
        if len(self.digests):
            place = np.minimum(np.searchsorted(self.digests, mine), len(self.digests) - 1)
            codes = np.where(self.digests[place] == mine, self.codes[place], codes)
        return _NAMES.take(pa.array(codes))


def division(out: Storage, plan: Plan, config: SplitConfig | None) -> Splits | None:
    """The splits of the recordings of a plan, where those of the published corpus stay in theirs; None: no splits.

    A corpus that was divided by other settings says nothing, nor does one that is damaged.
    """
    if config is None:
        return None
    components = Components.of(plan, config.by)
    published = np.full(len(components.digests), UNKNOWN, np.int8)
    try:
        corpus = read_index(out)
        if corpus.split == config.model_dump(mode="json"):
            published = published_places(out, corpus, components)
    except FileNotFoundError:
        pass
    except DataError as error:
        log.warning("recordings get their splits anew, since the corpus is damaged: %s", error)
    return Splits.of(components, config, published)


def placed(components: Components, config: SplitConfig, published: Codes) -> Codes:
    """The split of each recording of the components, one for all of a component."""
    oldest = components.oldest
    strictest = np.full(len(oldest), UNKNOWN, np.int8)
    np.maximum.at(strictest, oldest, published)
    at = hashes(components.digests, config.salt)
    by_hash = np.where(at < config.dev, 1, np.where(at >= 1 - config.test, 2, 0)).astype(np.int8)
    return np.where(strictest >= 0, strictest, by_hash)[oldest]


def hashes(digests: Digests, salt: int) -> npt.NDArray[np.float64]:
    """A number from 0 up to 1 for each digest, evenly spread and another one with another salt (SplitMix64)."""
    mixed = digests ^ np.uint64((salt * 0x9E3779B97F4A7C15) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed ^ (mixed >> np.uint64(31))) / np.float64(2**64)


def published_places(out: Storage, corpus: ShardIndex, components: Components) -> Codes:
    """The split that a corpus has each recording in; `UNKNOWN` where it does not have the recording, or the part of the
    ledger that has it is damaged or gone.
    """
    codes = np.full(len(components.digests), UNKNOWN, np.int8)
    for name in _parts(corpus):
        try:
            ids, split = _published(out, name)
        except (DataError, FileNotFoundError) as error:
            log.warning("recordings of a part of the ledger get their splits anew: %s", error)
            continue
        place = components.places_of(digests_of(ids))
        here = place >= 0
        codes[place[here]] = split[here]
    return codes


def moved(out: Storage, corpus: ShardIndex, splits: Splits) -> dict[str, str]:
    """The recordings that a corpus has in another split than they are in now, with that."""
    found: dict[str, str] = {}
    for name in _parts(corpus):
        ids, split = _published(out, name)
        now = splits.of_recordings(ids)
        other = pc.not_equal(now, _NAMES.take(pa.array(split)))
        found |= dict(zip(ids.filter(other).to_pylist(), now.filter(other).to_pylist(), strict=True))
    return found


def _parts(corpus: ShardIndex) -> list[str]:
    """The parts of its ledger that have recordings."""
    return [name for name in corpus.ledger if not ledger.is_removal(name)]


def _published(out: Storage, part: str) -> tuple[pa.Array, Codes]:
    """The recordings of a part of a ledger, and the splits that they are in."""
    file = f"{ledger.FOLDER}/{part}"
    with damage_named(f"{out.root}/{file}", REMEDY):
        rows = out.read_table(file, ["recording_id", "split"])
    found = rows.group_by(["recording_id", "split"]).aggregate([]).drop_null()
    codes = pc.index_in(one_chunk(found["split"]), value_set=_NAMES)
    return one_chunk(found["recording_id"]), codes.to_numpy().astype(np.int8)
