"""Rewards: what the judges of evaluation say of rollouts, and what follows for each within its group.

Speech is decoded, transcribed by a recogniser and compared with its text, and its voice with the reference's as the
codec renders it; recognised text is compared with the corpus's. The reward is minus the error rate, of words where the
language has them, else of characters, 1 at most; speech has a weighted similarity besides.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.tokenize.base import CodecTokens
from curation.train.evaluate.judges import similarities
from curation.train.evaluate.run import Judges
from curation.train.evaluate.scores import compare, normalizer_of
from curation.train.infer.speech_model import SpeechModel
from curation.train.posttrain.rollouts import Rollout

log = logging.getLogger(__name__)

Rewards = npt.NDArray[np.float64]
"""(prompts, group), NaN where nothing could be said."""
SHORTEST = SAMPLE_RATE // 10
"""Samples of speech that has a voice."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one rollout: its error rate, 1 at most, and for speech how similar the voice is (None: not measured)."""

    error: float
    similarity: float | None = None

    def reward(self, weight: float) -> float:
        """`weight` is that of similarity."""
        return weight * (self.similarity or 0.0) - self.error


class Judge(Protocol):
    """Judges rollouts."""

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Verdict | None]:
        """A verdict on each, in order; None where it could not be judged."""
        ...


@dataclass(frozen=True)
class AnswerJudge:
    """The judges of evaluation, on answers of `model`. `judges.speakers` None: similarity is not measured."""

    model: SpeechModel
    judges: Judges
    batch: int = 16

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Verdict | None]:
        """As `Judge`. An answer without an end, or speech of less than 0.1 s, is as wrong as can be."""
        found: dict[int, Verdict | None] = {}
        whole = []
        for place, rollout in enumerate(rollouts):
            is_speech = rollout.prompt.task != "asr"
            if rollout.end < 0 or (is_speech and not len(rollout.ids)):
                found[place] = Verdict(1.0, 0.0 if is_speech and self.judges.speakers else None)
            elif is_speech:
                whole.append(place)
            else:
                found[place] = self._error(rollout, self.model.vocabulary.text_of(rollout.ids))
        for start in range(0, len(whole), self.batch):
            places = whole[start : start + self.batch]
            found.update(zip(places, self._heard([rollouts[place] for place in places]), strict=True))
        return [found[place] for place in range(len(rollouts))]

    def _heard(self, rollouts: Sequence[Rollout]) -> list[Verdict | None]:
        """One after another where they fail together, so that one failure is one."""
        try:
            return self._verdicts(rollouts)
        except Exception as error:  # noqa: BLE001 - whatever a judge raises
            if len(rollouts) > 1:
                return [verdict for rollout in rollouts for verdict in self._heard([rollout])]
            log.warning("an answer to %s could not be judged and is left out: %r", rollouts[0].prompt.key, error)
            return [None]

    def _verdicts(self, rollouts: Sequence[Rollout]) -> list[Verdict | None]:
        if self.judges.recogniser is None:
            msg = "speech needs a recogniser to be judged"
            raise ValueError(msg)
        codec, codes = self.model.codec, self.model.vocabulary.codes
        tokens = [CodecTokens(codes("semantic", one.ids), one.prompt.voice.global_) for one in rollouts]
        waves = codec.decode(tokens)
        texts = self.judges.recogniser.hear(waves, [one.prompt.language for one in rollouts])
        voices: list[float | None] = [None] * len(waves)
        if self.judges.speakers is not None:
            owners = {id(one.prompt): place for place, one in enumerate(rollouts)}  # a group has one reference
            heard = dict(zip(owners, codec.decode([rollouts[at].prompt.voice for at in owners.values()]), strict=True))
            near = similarities(self.judges.speakers, waves, [heard[id(one.prompt)] for one in rollouts])
            voices = [_known(value, wave) for value, wave in zip(near, waves, strict=True)]
        return [
            None if voice is not None and np.isnan(voice) else self._error(one, text, voice)
            for one, text, voice in zip(rollouts, texts, voices, strict=True)
        ]

    @staticmethod
    def _error(rollout: Rollout, text: str, voice: float | None = None) -> Verdict:
        found = compare(rollout.prompt.text, text, normalizer_of(rollout.prompt.language, "auto"))
        edits = found.words or found.characters
        return Verdict(min(1.0, edits.total / edits.length), voice)


def _known(similarity: float, wave: Wave) -> float:
    """Speech too short to have a voice has none of the reference's."""
    return 0.0 if np.isnan(similarity) and len(wave) < SHORTEST else similarity


def spreads(rewards: Rewards) -> npt.NDArray[np.float64]:
    """(prompts,) the standard deviation of each group's known rewards; 0 where fewer than two are known."""
    known = np.isfinite(rewards)
    count = known.sum(axis=1, keepdims=True)
    mean = np.where(known, rewards, 0.0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    squares = np.where(known, (rewards - mean) ** 2, 0.0).sum(axis=1) / np.maximum(count[:, 0], 1)
    return np.where(count[:, 0] > 1, np.sqrt(squares), 0.0)


def advantages(rewards: Rewards, min_spread: float) -> Rewards:
    """How far each reward is above its group's mean, in standard deviations; NaN where it is unknown, or where its
    group is spread less than `min_spread`.
    """
    spread = spreads(rewards)[:, None]
    mean = np.where(np.isfinite(rewards), rewards, 0.0).sum(axis=1, keepdims=True)
    mean = mean / np.maximum(np.isfinite(rewards).sum(axis=1, keepdims=True), 1)
    return np.where(spread >= min_spread, (rewards - mean) / np.maximum(spread, min_spread), np.nan)


def ranked(rewards: Rewards, min_spread: float) -> list[tuple[int, int]]:
    """Places (in the flat list of rollouts) of the best and the worst answer of each group that teaches something."""
    pairs = []
    for group, row in enumerate(rewards):
        if spreads(row[None])[0] >= min_spread:
            first = group * rewards.shape[1]
            pairs.append((first + int(np.nanargmax(row)), first + int(np.nanargmin(row))))
    return pairs
