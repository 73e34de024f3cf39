"""Aligns utterances with an acoustic model and a dictionary of Montreal Forced Aligner, without it.

The recipe is that of `mfa align --single_speaker` 3.4.3: cepstra with their speaker's mean subtracted, the graph of all
ways to say the words, the best path. The search has no beam; so that a wrong text is told from a right one by how well
its sounds fit, not by the failure of the search.
"""

import logging
from collections.abc import Sequence

import numpy as np

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ModelError
from curation.models.store import resolve
from curation.stages.punctuate.base import Placed, Spoken, by_speaker
from curation.stages.punctuate.mfa.direct.acoustic import load_model
from curation.stages.punctuate.mfa.direct.features import cepstra, features, hop, window
from curation.stages.punctuate.mfa.direct.graph import SILENCE, Graph, build
from curation.stages.punctuate.mfa.direct.kaldi import Floats
from curation.stages.punctuate.mfa.direct.lexicon import Lexicon
from curation.stages.punctuate.mfa.direct.normalise import Normaliser, Token
from curation.stages.punctuate.mfa.direct.search import Path, best_path
from curation.stages.punctuate.mfa.models import MfaConfig, dictionary_file
from curation.stages.punctuate.mfa.word_times import Timed, place

log = logging.getLogger(__name__)

ACOUSTIC_SCALE = 1 / 12
"""Of `mfa align`; its other interface, `align_one`, has 0.1."""
MAX_CELLS = 2**29
"""Frames times states of one utterance: about two minutes of speech, 10 s of computing. Longer ones are not aligned."""
FIT_EVERY = 4
"""Each n-th frame is compared with all sounds of the model."""


def unreadable(config: MfaConfig) -> str:
    """Why the models cannot be used; empty where they can, and where they are not on this machine."""
    try:
        for reference in (config.acoustic_model, config.dictionary):
            resolve(reference, fetch=False)
    except ModelError:
        return ""  # that is said of each model by itself
    try:
        DirectAligner(config).load()
    except ModelError as error:
        return str(error)
    return ""


class DirectAligner:
    """The models, and the alignment of utterances."""

    def __init__(self, config: MfaConfig) -> None:
        self.config = config

    def load(self) -> None:
        """Load acoustic model and dictionary. Raises ModelError where one is missing, damaged or not supported."""
        self.model = load_model(resolve(self.config.acoustic_model), self.config.boost_silence)
        self._lexicon = Lexicon(dictionary_file(self.config.dictionary), self.model)
        self._normaliser = Normaliser(self._lexicon)

    def align_all(self, utterances: Sequence[Spoken]) -> list[Placed]:
        """See `Aligner.align_all`; utterances of one speaker share the mean of their cepstra."""
        placed: list[Placed] = [None] * len(utterances)
        tokens = [self._normaliser.tokens(" ".join(spoken.words)) for spoken in utterances]
        for group in by_speaker(utterances):
            shortest = window(self.model.meta)
            members = [index for index in group if tokens[index] and len(utterances[index].wave) >= shortest]
            for index, found in zip(members, self._features([utterances[index] for index in members]), strict=True):
                placed[index] = self._align(utterances[index], tokens[index], found)
        return placed

    def _features(self, utterances: Sequence[Spoken]) -> list[Floats]:
        """Of the utterances of one speaker, each of shape (frames, values)."""
        if not utterances:
            return []
        sounds = [cepstra(spoken.wave, self.model.meta) for spoken in utterances]
        return features(sounds, self.model.meta, self.model.lda)

    def _align(self, spoken: Spoken, tokens: Sequence[Token], features: Floats) -> Placed:
        """Place the words of one utterance; features of shape (frames, values)."""
        words = [self._lexicon.pronunciations(token.entry) for token in tokens]
        silence = self.model.meta.phones[self.model.meta.silence]
        graph = build(words, self._lexicon.ends, silence, self.model.states)
        if len(graph) * len(features) > MAX_CELLS:
            log.info("not aligned: %.0f s with %d words are too long", len(spoken.wave) / SAMPLE_RATE, len(words))
            return None
        emissions = self.model.mixtures.log_likelihoods(features, graph.densities)
        found = best_path(graph, emissions * ACOUSTIC_SCALE)
        if found is None:
            return None  # fewer frames than the shortest way to say it
        path, _ = found
        fit = self._fit(features, emissions[np.arange(len(path)), graph.density[path]])
        if fit < self.config.min_fit:
            log.info("not aligned: the fit is %.1f: %s", fit, " ".join(spoken.words)[:80])
            return None
        return place(spoken.words, self._timed(graph, path, tokens), len(spoken.wave))

    def _fit(self, features: Floats, reached: Floats) -> float:
        """How far the log-likelihood of a frame is below that of the best sound of the model, on average."""
        best = self.model.mixtures.best(features[::FIT_EVERY])
        return float((reached[::FIT_EVERY] - best).mean())

    def _timed(self, graph: Graph, path: Path, tokens: Sequence[Token]) -> list[Timed]:
        word = graph.word[path]
        starts = np.flatnonzero(np.diff(word, prepend=SILENCE - 1))
        ends = [*starts[1:], len(word)]
        second = hop(self.model.meta) / SAMPLE_RATE
        return [
            Timed(start * second, end * second, tokens[word[start]].text)
            for start, end in zip(starts, ends, strict=True)
            if word[start] != SILENCE
        ]
