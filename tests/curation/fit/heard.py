"""Utterances whose words are known, and three systems that hear them more or less well, to fit a consensus to."""

import numpy as np

from curation.manifests.records import Hypothesis, Segment
from curation.stages.base import Stage
from curation.stages.consensus.stage import Consensus
from curation.stages.loudness import Loudness

WORDS = ["cat", "dog", "hen", "fox", "cow", "pig", "ram", "bee", "ant", "owl"]
NOISE = ["oak", "elm", "ash", "fir", "yew"]


def said(number):
    """What is said in the utterance with this number."""
    random = np.random.default_rng(number)
    return list(random.choice(WORDS, 8))


def misheard(words, share, seed):
    random = np.random.default_rng(seed)
    return [str(random.choice(NOISE)) if random.random() < share else word for word in words]


def hypotheses(number):
    """Three systems: the first is right, the others hear the same wrong words, more of them in each utterance."""
    truth, share = said(number), (number % 10) / 10
    wrong = misheard(truth, share, number)
    confidence = round(1 - share, 2)
    return [
        Hypothesis("good", " ".join(truth), "en", 0.9),
        Hypothesis("bad", " ".join(wrong), "en", confidence),
        Hypothesis("worse", " ".join(misheard(wrong, 0.1, number + 7)), "en", confidence),
    ]


class Hear(Stage):
    """One utterance for each recording; what is heard depends on the number in its name."""

    name = "transcribe"

    def process(self, batch):
        for recording in batch:
            segment = Segment(recording.offset, recording.end, speaker="S0", language="en")
            segment.hypotheses = hypotheses(int(recording.source.id.removeprefix("r")))
            segment.scores |= {"transcribe.systems": 3.0, "boundary.cut": 0.0}
            recording.segments = [segment]


def stages(config):
    return [Loudness(config.loudness), Hear(), Consensus(config.consensus)]
