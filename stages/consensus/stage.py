"""Consensus: agreement of the ASR systems, one text from their hypotheses, and its calibrated confidence.

GPA (arXiv 2601.10770) keeps an utterance where the average pairwise word error rate of its N hypotheses,
    pWER = 1 / (N (N - 1)) * sum over ordered pairs i != j of WER(y_i, y_j),
is below 0.15. WER(y_i, y_j) takes y_i as the reference: edit distance / words of y_i, so it is not symmetric. With
an empty reference it is 0 if the hypothesis is empty too, else 1. Where all hypotheses are empty pWER is 0, and
`min_words` rejects the utterance; with fewer than two hypotheses there is no pWER.

A system that alone speaks the language is compared with itself: `consensus.self_inconsistency` is the same average over
its texts at several speeds (`transcribe.speed_change`), and the vote is theirs. That, and its own confidence
(`min_self_confidence`), say how sure the system is, which is no independent agreement: `transcribe.min_independent` = 2
keeps no such utterance.

N counts the systems without an error: one that does not support the language or that failed takes no part (notes
`transcribe.left_out` and `consensus.failed`). The outlier is the system that is farthest from the others, if leaving
it out lowers its distance to them by `OUTLIER_MARGIN`; it still votes. `confidence.calibrated` is an estimate of the
share of correct words (`curation.stages.consensus.confidence`).
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from curation.audio.wave import SAMPLE_RATE
from curation.core.declarations import Note, Score
from curation.core.settings import Section, later_field, model_field, publish_field, threshold
from curation.manifests.records import GIVEN, Hypothesis, Recording, Segment
from curation.stages.base import DECIMALS, NOISE_DECIMALS, Stage
from curation.stages.consensus.agreement import Rates, agree, at_all_speeds, outlier, pairwise_wer
from curation.stages.consensus.confidence import Loaded, load_calibration
from curation.stages.consensus.reference import reference_scores
from curation.stages.consensus.vote import Method
from curation.text.chinese_script import Script, in_script
from curation.text.normalize import normalizer_for
from curation.text.plausibility import plausibility

NO_SPEECH = "no_speech_probability"
"""A score of hypotheses."""
OUTLIER_MARGIN = 0.15
"""Margin by which an outlier's distance to the others exceeds their own: the paper's threshold of pWER."""


class ConsensusConfig(Section):
    """How hypotheses are combined, and how much they must agree."""

    combination: Method = Field(
        "vote",
        description="vote: weighted vote word by word; mbr: the hypothesis with the least expected word errors",
    )
    calibration: str = model_field(
        "default",
        "weights of the systems and the calibrated confidence: default, or path:FILE from `curation consensus fit`",
    )
    recalibration: str | None = publish_field(
        None,
        "another calibrated confidence for what was labelled, path:FILE from `curation consensus fit`; texts stay as "
        "they are, and no model runs",
    )
    chinese: Script | Literal["as heard"] = Field(
        "simplified",
        description="script of the texts in Chinese (`zh`), because Whisper writes now one and now the other; "
        "as heard: what the systems wrote",
    )
    reference: Literal["systems", "manifest"] = later_field(
        "systems",
        "whose text is published: systems: what the systems agree on; manifest: the transcript of the manifest, as "
        "it is written there, where the systems confirm it (`max_reference_wer`); recordings without one are rejected",
    )
    min_words: int = threshold(
        1,
        "words (or characters) of the text after normalisation (scores `text.words`)",
        score="text.words",
        rejects="<",
        ge=0,
    )
    # A single system has no pairwise WER; it gets here only where min_independent = 1 allows it.
    max_pwer: float = threshold(
        0.15,
        "kept where the average pairwise WER (scores `pwer`) is below this",
        score="pwer",
        rejects=">=",
        required=("transcribe.min_independent", 2),
        only=("consensus.reference", "systems"),
        ge=0,
    )
    max_self_inconsistency: float = threshold(
        0.15,
        "kept where the texts of the only system for the language differ at other speeds by less than this (scores "
        "`consensus.self_inconsistency`)",
        score="consensus.self_inconsistency",
        rejects=">=",
        required=("transcribe.speed_change", 1e-9),
        unless="pwer",
        only=("consensus.reference", "systems"),
        ge=0,
    )
    # Tells wrong texts of Whisper base better than their inconsistency does: chosen on German, French, Spanish and
    # Japanese, tested on Mandarin (docs/results/2026-11-27-mandarin.md).
    min_self_confidence: float = threshold(
        0.7,
        "confidence of the only system for the language, times the share of its texts at other speeds that agrees "
        "(scores `confidence`), at least; 0: off",
        score="confidence",
        rejects="<",
        unless="pwer",
        only=("consensus.reference", "systems"),
        off=0.0,
        ge=0,
        le=1,
    )
    min_confidence: float = threshold(
        0.0,
        "expected share of correct words (scores `confidence.calibrated`), at least; 0: off",
        score="confidence.calibrated",
        rejects="<",
        only=("consensus.reference", "systems"),
        off=0.0,  # builds of earlier versions lack the score
        ge=0,
        le=1,
    )
    # Right transcripts of clean speech stay below 0.4, in Mandarin by Whisper base too; those of others, and halves,
    # are above 0.8 (docs/results/2026-11-27-reference.md).
    max_reference_wer: float = threshold(
        0.4,
        "kept where the error rate of the systems against the manifest's transcript (scores `reference.wer`) is below "
        "this",
        score="reference.wer",
        rejects=">=",
        only=("consensus.reference", "manifest"),
        ge=0,
    )
    # Plainly wrong: loops of a system, and more than anybody says. Good texts of the recordings in
    # docs/results/2026-11-27-judgement.md stay below 22, 1.9 and 0.5.
    max_characters_per_second: float | None = threshold(
        30.0,
        "letters and digits of the text per second",
        score="text.characters_per_second",
        rejects=">",
        required=False,
        gt=0,
    )
    max_compression_ratio: float | None = threshold(
        2.4,
        "zlib compression ratio; Whisper's limit is 2.4 too",
        score="text.compression_ratio",
        rejects=">",
        required=False,
        gt=0,
    )
    max_repeated_trigrams: float | None = threshold(
        0.7,
        "share of word 3-grams that occurred before",
        score="text.repeated_trigram_share",
        rejects=">",
        required=False,
        ge=0,
        le=1,
    )
    max_no_speech: float | None = threshold(
        None, "lowest no-speech probability of the systems", score="text.no_speech_probability", rejects=">", ge=0, le=1
    )


class Consensus(Stage):
    """Sets the text of every live segment, and scores of the systems' agreement on it."""

    name = "consensus"
    section = ConsensusConfig
    after = "transcribe"
    scores = (
        Score("pwer", "1", "average pairwise word error rate of the hypotheses"),
        Score("pwer.systems", "systems", "number of hypotheses compared"),
        Score(
            "consensus.self_inconsistency",
            "1",
            "average pairwise word error rate of one system's texts at several speeds, where it alone has the language",
        ),
        Score("pwer.*", "1", "average of one system's pairs with the others, in both directions"),
        Score(
            "consensus.outlier",
            "1",
            "how much the farthest system's WER to the others exceeds their pWER",
            short="outlier_margin",
        ),
        Score("confidence", "1", "mean confidence of the words, by the weights of the systems that have them"),
        Score("confidence.calibrated", "1", "expected share of correct words"),
        Score(
            "reference.wer",
            "1",
            "word (or character) error rate of the systems against the manifest's transcript: the least of them",
        ),
        Score("reference.wer.*", "1", "the same of one system"),
        Score("text.words", "words", "words (or characters) of the text after normalisation", short="words"),
        Score(
            "text.characters_per_second",
            "1/s",
            "letters and digits of the text per second of the utterance",
            short="cps",
        ),
        Score(
            "text.compression_ratio",
            "1",
            "zlib compression ratio of the text; above 2.4 it is repetitive",
        ),
        Score(
            "text.repeated_trigram_share",
            "1",
            "share of the text's word 3-grams that occurred before",
        ),
        Score("text.no_speech_probability", "1", "lowest of the systems that give one"),
    )
    notes = (
        Note("consensus.normalizer", "text normalisation before the comparison"),
        Note("consensus.unit", "unit of the comparison: word or character"),
        Note("consensus.combination", "how the hypotheses were combined: vote or mbr"),
        Note("consensus.calibration", "calibration of the confidence, with the start of its SHA-256"),
        Note("consensus.outlier", "the outlier system"),
        Note("consensus.failed", "systems that failed on the utterance"),
        Note(GIVEN, "manifest: the text is the manifest's transcript, and no stage changes it"),
    )

    def __init__(self, config: ConsensusConfig | None = None) -> None:
        self.config = config or ConsensusConfig()

    def setup(self) -> None:
        """Read the calibration. Raises ModelError where its file is missing or invalid."""
        load_calibration(self.config.calibration)
        if self.config.recalibration is not None:
            load_calibration(self.config.recalibration)

    def process(self, batch: Sequence[Recording]) -> None:
        """Compare and combine the hypotheses of each live segment."""
        loaded = load_calibration(self.config.calibration)
        for recording in batch:
            transcript = recording.source.transcript if self.config.reference == "manifest" else ""
            for segment in recording.live_segments:
                self._agree(segment, loaded, transcript)

    def _agree(self, segment: Segment, loaded: Loaded, transcript: str) -> None:
        normalizer = normalizer_for(segment.language)
        answered = [hypothesis for hypothesis in segment.hypotheses if not hypothesis.error]
        heard = at_all_speeds(answered)
        found = agree(
            heard,
            normalizer,
            segment.num_samples / SAMPLE_RATE,
            self.config.combination,
            loaded.calibration.weights,
        )
        if transcript:
            segment.notes[GIVEN] = self.config.reference
            segment.scores |= reference_scores(transcript, answered, normalizer)
        segment.text = transcript or self._in_script(found.combined.text, segment.language)
        if len(heard) > 1 or any(item.confidence is not None for item in heard):  # a lone text agrees with itself
            segment.scores["confidence"] = round(found.combined.confidence, NOISE_DECIMALS)
        segment.scores["confidence.calibrated"] = loaded.calibration.of(found.words, found.evidence)
        segment.scores["text.words"] = len(normalizer.units(transcript)) if transcript else found.words
        found_text = plausibility(segment.text, segment.num_samples / SAMPLE_RATE)
        unheard = [item.scores[NO_SPEECH] for item in answered if NO_SPEECH in item.scores]
        found_text |= {NO_SPEECH: min(unheard)} if unheard else {}
        segment.scores |= {f"text.{name}": value for name, value in found_text.items()}
        segment.notes["consensus.normalizer"] = normalizer.name
        segment.notes["consensus.unit"] = normalizer.unit
        segment.notes["consensus.combination"] = self.config.combination
        segment.notes["consensus.calibration"] = loaded.name
        _store_agreement(segment, answered, found.rates)
        _store_failed(segment)

    def _in_script(self, text: str, language: str) -> str:
        return text if language != "zh" or self.config.chinese == "as heard" else in_script(text, self.config.chinese)


def _store_agreement(segment: Segment, answered: list[Hypothesis], rates: Rates) -> None:
    """Scores: pWER of all, and of each system with the others (their mean is pWER again), and the outlier."""
    for key in [key for key in segment.scores if key.startswith(("pwer", "consensus."))]:
        del segment.scores[key]
    segment.notes.pop("consensus.outlier", None)
    count = len(answered)
    segment.scores["pwer.systems"] = count
    if count == 1 and answered[0].variants:
        segment.scores["consensus.self_inconsistency"] = round(pairwise_wer(rates), NOISE_DECIMALS)
    if count < 2:
        return
    segment.scores["pwer"] = round(pairwise_wer(rates), NOISE_DECIMALS)
    for place, hypothesis in enumerate(answered):
        both_ways = rates[place].sum() + rates[:, place].sum()
        segment.scores[f"pwer.{hypothesis.system}"] = round(float(both_ways) / (2 * (count - 1)), DECIMALS)
    if count > 2:
        odd, margin = outlier(rates)
        segment.scores["consensus.outlier"] = round(margin, DECIMALS)
        if margin >= OUTLIER_MARGIN:
            segment.notes["consensus.outlier"] = answered[odd].system


def _store_failed(segment: Segment) -> None:
    segment.notes.pop("consensus.failed", None)
    failed = [item.system for item in segment.hypotheses if item.error]
    if failed:
        segment.notes["consensus.failed"] = ", ".join(failed)
