"""Samples from utterances: the tasks of each utterance, its reference and source, and their lengths.

A draft names a sample by rows of the block; its tokens are only assembled when its packed row is due.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.text.normalize import clean_unicode
from curation.tokenize.layouts import LAYOUTS, Asr, Example, Tts, Vc
from curation.train.data.batch import TASKS, Task
from curation.train.data.config import DataConfig, Phase
from curation.train.data.utterances import Utterances

LAYOUT_OF: dict[Task, type[Example]] = {"asr": Asr, "tts": Tts, "vc": Vc}
SOURCES: dict[Task, dict[str, tuple[str, str]]] = {
    "asr": {"glm": ("glm", "target"), "semantic": ("semantic", "target"), "text": ("text", "target")},
    "tts": {"global_": ("global", "reference"), "text": ("text", "target"), "semantic": ("semantic", "target")},
    "vc": {"global_": ("global", "reference"), "source": ("semantic", "source"), "target": ("semantic", "target")},
}
"""The origin of each field of a layout: which tokens, and of which of a draft's utterances."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drafts:
    """Samples as (samples,) arrays: the index of the task in `TASKS`, rows of utterances, and tokens.

    `target` is what is recognised, spoken or converted into; `source` is another row only for a parallel pair;
    `reference` gives the voice, and is the target itself where its speaker has no other utterance in the block.
    """

    task: Rows
    target: Rows
    source: Rows
    reference: Rows
    length: Rows

    def __len__(self) -> int:
        return len(self.task)

    def take(self, which: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Drafts":
        """Some of the samples, or another order of them."""
        return Drafts(*(getattr(self, name)[which] for name in self.__slots__))


def draft_samples(
    utterances: Utterances,
    config: DataConfig,
    phase: Phase,
    epoch: int,
    generator: np.random.Generator,
    rates: npt.NDArray[np.float64] | None = None,
) -> Drafts:
    """All samples of a block in an epoch, task by task; utterances without text give none that need one.

    `rates` are how many times as often each utterance is used, (utterances,); None: once.
    """
    weights, has_text = config.weights(phase), utterances.tokens["text"].lengths > 0
    parts = []
    for number, task in enumerate(TASKS):
        weight = getattr(weights, task)
        counts = sample_counts(
            utterances.ids, weight if rates is None else weight * rates, f"{config.seed}-{task}", epoch
        )
        if task != "vc":
            counts = np.where(has_text, counts, 0)
        target = np.repeat(np.arange(len(utterances)), counts)
        reference = other_of_same(utterances.speakers[target], target, utterances.speakers, generator)
        source = target
        if task == "vc" and len(target) and config.parallel:
            partner = parallel_partners(utterances, target, generator)
            use = (partner >= 0) & (generator.random(len(target)) < config.parallel)
            source = np.where(use, partner, target)
        reference = reference if task != "asr" else target
        kind = np.full(len(target), number)
        parts.append(Drafts(kind, target, source, reference, np.zeros_like(kind)))
    joined = Drafts(*(np.concatenate([getattr(part, name) for part in parts]) for name in Drafts.__slots__))
    return Drafts(joined.task, joined.target, joined.source, joined.reference, sample_lengths(joined, utterances))


def sample_counts(ids: list[str], weight: float | npt.NDArray[np.float64], salt: str, epoch: int) -> Rows:
    """(utterances,) how many samples each gives: its `weight` an epoch on average, and exactly over the epochs.

    An utterance whose phase is u, fixed by its id, has had floor(u + weight · epochs) - floor(u) samples after so many
    epochs: with weight 0.5 each is used in every second epoch, one half of them in the even ones.
    """
    if not isinstance(weight, np.ndarray) and float(weight).is_integer():
        return np.full(len(ids), int(weight))
    digests = (hashlib.blake2b(f"{salt} {one}".encode(), digest_size=8).digest() for one in ids)
    phase = np.array([int.from_bytes(digest) for digest in digests], dtype=np.uint64) / 2**64
    counts: Rows = (np.floor(phase + weight * (epoch + 1)) - np.floor(phase + weight * epoch)).astype(np.int64)
    return counts


def other_of_same(wanted: Rows, own: Rows, groups: Rows, generator: np.random.Generator) -> Rows:
    """For each sample a random row of its group `wanted` other than `own`; `own` where there is none.

    `groups` is the group of each row, (rows,); -1 is no group.
    """
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, wanted, "left")
    size = np.searchsorted(ordered, wanted, "right") - first
    place = np.empty(len(groups), dtype=np.int64)
    place[order] = np.arange(len(groups))
    step = 1 + np.floor(generator.random(len(own)) * np.maximum(size - 1, 1)).astype(np.int64)
    other = order[first + (place[own] - first + step) % np.maximum(size, 1)] if len(own) else own
    found: Rows = np.where((wanted >= 0) & (size > 1), other, own)
    return found


def parallel_partners(utterances: Utterances, target: Rows, generator: np.random.Generator) -> Rows:
    """For each sample a random row with the same words by another speaker, -1 where the block has none.

    Words are the same when language and text are, without case, punctuation and compatibility forms.
    """
    speakers = utterances.speakers
    words = _word_groups(utterances)
    runs = words * (int(speakers.max()) + 2) + speakers + 1
    order = np.argsort(runs, kind="stable")  # by words, then by speaker
    ordered, ordered_runs = words[order], runs[order]
    first = np.searchsorted(ordered, words[target], "left")
    size = np.searchsorted(ordered, words[target], "right") - first
    begin = np.searchsorted(ordered_runs, runs[target], "left")
    end = np.searchsorted(ordered_runs, runs[target], "right")
    others = size - (end - begin)
    step = np.floor(generator.random(len(target)) * np.maximum(others, 1)).astype(np.int64)
    partner = order[first + (end - first + step) % np.maximum(size, 1)]  # onward from the own run, around the words'
    result: Rows = np.where((words[target] >= 0) & (others > 0), partner, -1)
    return result


def _word_groups(utterances: Utterances) -> Rows:
    """(utterances,) equal numbers for equal words; -1 without words or speaker."""
    numbers: dict[tuple[str, str], int] = {}
    groups = []
    for language, text, speaker in zip(utterances.languages, utterances.texts, utterances.speakers, strict=True):
        words = clean_unicode(text) if speaker >= 0 else ""
        groups.append(numbers.setdefault((language, words), len(numbers)) if words else -1)
    return np.array(groups, dtype=np.int64)


def sample_lengths(drafts: Drafts, utterances: Utterances) -> Rows:
    """(samples,) tokens that each draft will have, by its layout."""
    lengths = np.zeros(len(drafts), dtype=np.int64)
    for number, task in enumerate(TASKS):
        mine = np.flatnonzero(drafts.task == number)
        some = drafts.take(mine)
        lengths[mine] = sum(part.startswith("<") for part in LAYOUTS[LAYOUT_OF[task]])
        for tokens, whose in SOURCES[task].values():
            lengths[mine] += utterances.tokens[tokens].lengths[getattr(some, whose)]
    return lengths


def key_of(task: Task, rows: Mapping[str, int], utterances: Utterances) -> str:
    """The task and the utterances that a sample is made from (their rows by their part), for messages."""
    key = f"{task} {utterances.ids[rows['target']]}"
    if task != "asr":
        key += f" voice {utterances.ids[rows['reference']]}"
    if task == "vc":
        key += f" source {utterances.ids[rows['source']]}"
    return key
