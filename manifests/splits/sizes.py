"""Shares of the hashes that give splits of the wanted sizes, as the kept hours of a corpus say.

config = measured(components, kept_samples, Wanted.parsed("5h"), Wanted.parsed("1%"), by)
"""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.counts import counted
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.manifests import ledger
from curation.manifests.columns.maps import one_chunk
from curation.manifests.index import REMEDY, ShardIndex
from curation.manifests.splits.components import Components, digests_of
from curation.manifests.splits.places import SplitConfig, hashes

UNITS = {"h": 3600.0, "m": 60.0, "min": 60.0, "s": 1.0}
SALTS = 64
"""That are tried where a large component lies in the way."""
GOOD = 0.02
"""Share of a size by which it may be missed without another try."""

Samples = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The size of a split."""

    amount: float
    """Seconds of kept speech, or a share of all of it."""
    is_share: bool = False

    @classmethod
    def parsed(cls, text: str, option: str) -> Self:
        """`5h`, `30m`, `90s`, or `2%` of what is kept. Raises ConfigError, which names the option."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(h|m|min|s|%)\s*", text)
        if not found or (found[2] == "%" and float(found[1]) > 100):
            msg = f"{option}: {text!r} is no size: write hours, minutes, seconds or a share: 5h, 30m, 90s, 2%"
            raise ConfigError(msg)
        number = float(found[1])
        return cls(number / 100, is_share=True) if found[2] == "%" else cls(number * UNITS[found[2]])

    def samples(self, total: int) -> float:
        """Of a corpus with so many."""
        return self.amount * (total if self.is_share else SAMPLE_RATE)


def kept_samples(out: Storage, corpus: ShardIndex, components: Components) -> Samples:
    """(recordings,) the samples of kept speech of each, as the ledger says."""
    found = np.zeros(len(components.digests), np.int64)
    for name in corpus.ledger:
        columns = ["recording_id", "status", "start_sample", "end_sample"]
        every = out.read_table(f"{ledger.FOLDER}/{name}", columns, REMEDY)
        rows = every.filter(pc.field("status") == "kept")
        place = components.places_of(digests_of(one_chunk(rows["recording_id"])))
        lengths = rows["end_sample"].to_numpy() - rows["start_sample"].to_numpy()
        np.add.at(found, place[place >= 0], lengths[place >= 0])
    return found


def measured(components: Components, kept: Samples, dev: Wanted, test: Wanted, old: SplitConfig) -> SplitConfig:
    """The settings whose splits are nearest to these sizes, by the links of `old`.

    The hash of its oldest recording says where a component lies. A large one where a split has to end makes that too
    small or too large: then other salts are tried. Raises ConfigError where a split would be empty, or nothing be left
    to train on.
    """
    sizes = np.bincount(components.oldest, kept, len(kept)).astype(np.int64)
    roots = np.flatnonzero((components.oldest == np.arange(len(kept))) & (sizes > 0))
    total = int(kept.sum())
    if not total:
        msg = "no utterance is kept, so that there is nothing to divide: `curation summary` says why"
        raise ConfigError(msg)
    dev_goal, test_goal = dev.samples(total), test.samples(total)
    if dev_goal + test_goal >= total:
        hours = f"{(dev_goal + test_goal) / SAMPLE_RATE / 3600:.2f} h"
        msg = f"--dev and --test are {hours} of {total / SAMPLE_RATE / 3600:.2f} h that are kept: ask for less"
        raise ConfigError(msg)
    best, least = None, np.inf
    for salt in (old.salt, *(salt for salt in range(SALTS) if salt != old.salt)):
        at = hashes(components.digests[roots], salt)
        order = np.argsort(at)
        here, lengths = at[order], sizes[roots][order]
        low, in_dev = _cut(here, lengths, dev_goal)
        high, in_test = _cut(1 - here[::-1], lengths[::-1], test_goal)
        if low + high <= 1 and in_dev + in_test < total:
            pairs = ((in_dev, dev_goal), (in_test, test_goal))
            missed = max(abs(found - goal) / max(goal, 1.0) for found, goal in pairs)
            if missed < least:
                best, least = SplitConfig(dev=low, test=high, by=old.by, salt=salt), missed
        if least <= GOOD:
            break
    if best is None:
        largest = int(sizes.max(initial=0)) / SAMPLE_RATE / 3600
        msg = (
            f"{counted(len(roots), 'group')} of recordings that belong together, the largest with {largest:.2f} h: "
            "they cannot be divided into so many splits: join them --by less"
        )
        raise ConfigError(msg)
    return best


def _cut(at: npt.NDArray[np.float64], sizes: Samples, goal: float) -> tuple[float, int]:
    """The share below which components have nearly `goal` samples, and the samples that they have: at least one is in.

    `at` is where the components lie, ascending.
    """
    if not goal or not len(at):
        return 0.0, 0
    sums = np.cumsum(sizes)
    last = int(np.argmin(np.abs(sums - goal)))
    end = at[last + 1] if last + 1 < len(at) else 1.0
    return float((at[last] + end) / 2), int(sums[last])
