"""A transcript that came with the recording, checked by what the ASR systems heard.

The error rate of each system takes the transcript as the reference: edit distance / its words (or characters, in
languages without spaces), normalised as for pWER, where what one text writes as one word is one in all. A transcript
without words has the rate 0 where a system heard nothing, else 1. `reference.wer` is the least of the systems: a right
transcript is confirmed by one that hears well, whatever the others hear, and a wrong one by none.
"""

from collections.abc import Sequence

from curation.manifests.records import Hypothesis
from curation.stages.base import DECIMALS, NOISE_DECIMALS
from curation.stages.consensus.agreement import units_of, word_error_rates
from curation.text.normalize import Normalizer

SCORE = "reference.wer"


def reference_scores(transcript: str, answered: Sequence[Hypothesis], normalizer: Normalizer) -> dict[str, float]:
    """`reference.wer`, and that of each system under its name, by hypotheses without errors; empty without any."""
    if not answered:
        return {}
    texts = [transcript, *(hypothesis.text for hypothesis in answered)]
    rates = word_error_rates(units_of(texts, normalizer))[0, 1:].tolist()
    each = {f"{SCORE}.{item.system}": round(rate, DECIMALS) for item, rate in zip(answered, rates, strict=True)}
    return {SCORE: round(min(rates), NOISE_DECIMALS), **each}
