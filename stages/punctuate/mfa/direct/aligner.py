"""Aligns utterances with an acoustic model and a dictionary of Montreal Forced Aligner, without it.

The recipe is that of `mfa align --single_speaker` 3.4.3: cepstra with their speaker's mean subtracted, the graph of all
ways to say the words, the best path. The search has no beam; so that a wrong text is told from a right one by how well
its sounds fit, not by the failure of the search.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ModelError
from curation.models.store import resolve
from curation.stages.punctuate.base import Placed, Spoken, by_speaker
from curation.stages.punctuate.mfa.direct.acoustic import AcousticModel, load_models
from curation.stages.punctuate.mfa.direct.adaptation import Statistics, adapted
from curation.stages.punctuate.mfa.direct.features import cepstra, features, hop, window
from curation.stages.punctuate.mfa.direct.graph import SILENCE, Graph, build
from curation.stages.punctuate.mfa.direct.kaldi import Floats
from curation.stages.punctuate.mfa.direct.lexicon import Lexicon
from curation.stages.punctuate.mfa.direct.normalise import Normaliser, Token
from curation.stages.punctuate.mfa.direct.search import Path, best_path
from curation.stages.punctuate.mfa.models import MfaConfig, dictionary_file
from curation.stages.punctuate.word_times import Timed, place

log = logging.getLogger(__name__)

ACOUSTIC_SCALE = 1 / 12
"""Of `mfa align`; its other interface, `align_one`, has 0.1."""
MAX_CELLS = 2**29
"""Frames times states of one utterance: about four minutes of speech, 12 s of work. Longer ones are not aligned."""
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


@dataclass(frozen=True, slots=True)
class Alignment:
    """The best path of an utterance."""

    graph: Graph
    path: Path
    log_likelihood: float
    """Of the whole utterance, costs of the graph included, as MFA states it."""

    def speech(self, model: AcousticModel, features: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
        """The frames that are no silence and no noise, and the model's density of each."""
        densities = np.array(self.graph.densities)[self.graph.density[self.path]]
        silent = [density for density, phones in model.transitions.phones_of.items() if phones <= model.silences]
        spoken = ~np.isin(densities, silent)
        return features[spoken], densities[spoken]


class DirectAligner:
    """The models, and the alignment of utterances."""

    def __init__(self, config: MfaConfig) -> None:
        self.config = config

    def load(self) -> None:
        """Load acoustic model and dictionary. Raises ModelError where one is missing, damaged or not supported."""
        path, adapt = resolve(self.config.acoustic_model), self.config.adapt_to_speakers
        self._models = load_models(path, self.config.boost_silence, both=adapt)
        self.model = self._models[0]
        self._lexicon = Lexicon(dictionary_file(self.config.dictionary), self.model)
        self._normaliser = Normaliser(self._lexicon)

    def align_all(self, utterances: Sequence[Spoken]) -> list[Placed]:
        """See `Aligner.align_all`; utterances of one speaker share the mean of their cepstra."""
        placed: list[Placed] = [None] * len(utterances)
        tokens = [self._normaliser.tokens(" ".join(spoken.words)) for spoken in utterances]
        shortest = window(self.model.meta)
        for group in by_speaker(utterances):
            members = [index for index in group if tokens[index] and len(utterances[index].wave) >= shortest]
            if not members:
                continue
            sounds = [cepstra(utterances[index].wave, self.model.meta) for index in members]
            inputs = features(sounds, self.model.meta, self.model.lda)
            found = self._search_all([tokens[index] for index in members], inputs)
            for index, alignment in zip(members, found, strict=True):
                if alignment is not None:
                    spoken = utterances[index]
                    placed[index] = place(spoken.words, self._timed(alignment, tokens[index]), len(spoken.wave))
        return placed

    def _search_all(self, tokens: Sequence[Sequence[Token]], inputs: Sequence[Floats]) -> list[Alignment | None]:
        """The utterances of one speaker; a second time with features adapted to him, where that is asked for."""
        found = [self._search(self.model, words, each) for words, each in zip(tokens, inputs, strict=True)]
        if len(self._models) == 1:
            return found
        second = self._models[1]
        statistics = Statistics(self.model.mixtures, second.mixtures)
        for alignment, each in zip(found, inputs, strict=True):
            if alignment is not None:
                statistics.add(*alignment.speech(self.model, each))
        transform = statistics.transform()
        if transform is None:
            return found
        again = adapted(inputs, transform)
        return [self._search(second, words, each) for words, each in zip(tokens, again, strict=True)]

    def _search(self, model: AcousticModel, tokens: Sequence[Token], features: Floats) -> Alignment | None:
        """Align one utterance, features of shape (frames, values)."""
        words = [self._lexicon.pronunciations(token.entry) for token in tokens]
        graph = build(words, self._lexicon.ends, model.meta.phones[model.meta.silence], model.states)
        if len(graph) * len(features) > MAX_CELLS:
            log.info("not aligned: %d frames with %d words are too long", len(features), len(words))
            return None
        emissions = model.mixtures.log_likelihoods(features, graph.densities)
        found = best_path(graph, emissions * ACOUSTIC_SCALE)
        if found is None:
            return None  # fewer frames than the shortest way to say it
        path, score = found
        fit = _fit(model, features, emissions[np.arange(len(path)), graph.density[path]])
        if fit < self.config.min_fit:
            log.info("not aligned: the fit is %.1f: %s", fit, " ".join(token.text for token in tokens)[:80])
            return None
        return Alignment(graph, path, score / ACOUSTIC_SCALE)

    def _timed(self, alignment: Alignment, tokens: Sequence[Token]) -> list[Timed]:
        word = alignment.graph.word[alignment.path]
        starts = np.flatnonzero(np.diff(word, prepend=SILENCE - 1))
        ends = [*starts[1:], len(word)]
        second = hop(self.model.meta) / SAMPLE_RATE
        return [
            Timed(start * second, end * second, tokens[word[start]].text)
            for start, end in zip(starts, ends, strict=True)
            if word[start] != SILENCE
        ]


def _fit(model: AcousticModel, features: Floats, reached: Floats) -> float:
    """How far the log-likelihood of a frame is below that of the best sound of the model, on average."""
    return float((reached[::FIT_EVERY] - model.mixtures.best(features[::FIT_EVERY])).mean())
