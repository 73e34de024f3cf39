"""Transcribe: every utterance by several ASR systems (GPA, arXiv 2601.10770: five systems).

Utterances of the whole batch go to each system sorted by length. The language comes from the manifest, or is
identified once per row of work: the probabilities of its longest utterances, averaged with their durations as
weights, because single short utterances are often misidentified. A system without support for the language is skipped.
Where the language is left to one system, that hears the utterance slower and faster too (`speed_change`): how much its
texts differ is all that there is to judge them by (`curation.stages.consensus.stage`).
One that breaks on an utterance gives a hypothesis with `error`, and the segment fails, to be retried: it is neither
rejected for a fault of ours, nor kept on the evidence of fewer systems.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Note, Score, Use
from curation.core.settings import Section, threshold
from curation.core.timing import inside_model
from curation.manifests.records import Hypothesis, Recording, Segment, fail
from curation.stages.base import NOISE_DECIMALS, Branched
from curation.stages.transcribe.base import AsrSystem, LanguageIdentifier, SystemConfig
from curation.stages.transcribe.moonshine import MoonshineConfig
from curation.stages.transcribe.registry import SYSTEMS, AnySystemConfig, build_system
from curation.stages.transcribe.whisper import WhisperConfig

log = logging.getLogger(__name__)


def _offline_systems() -> list[SystemConfig]:
    return [
        WhisperConfig(name="whisper-base", model="whisper-base"),
        MoonshineConfig(),
        WhisperConfig(name="whisper-tiny.en", model="whisper-tiny.en"),
    ]


class TranscribeConfig(Section):
    """Which systems transcribe, and which one identifies the language."""

    systems: list[AnySystemConfig] = Field(
        default_factory=_offline_systems, description="the ASR systems, each with its own section", min_length=1
    )
    language_system: str = Field(
        "whisper-base", description="the system that identifies the language where the manifest names none"
    )
    language_seconds: float = Field(
        60.0, description="seconds of speech per row, longest utterances first, that identify its language", gt=0
    )
    speed_change: float = Field(
        0.1,
        description="an utterance whose language only one of the systems speaks is heard again slower and faster by "
        "this share, to judge the system by itself (`consensus.max_self_inconsistency`), which takes three times as "
        "long; 0: not, and such utterances are judged by its confidence alone (`consensus.min_self_confidence`)",
        ge=0,
        le=0.5,
    )
    min_independent: int = threshold(
        1,
        "different systems that transcribed an utterance, at least (scores `transcribe.systems`)",
        score="transcribe.systems",
        rejects="<",
        ge=1,
    )
    min_language_probability: float = threshold(
        0.5,
        "probability of the language, at least, where it was identified and only one system speaks it, which would not "
        "notice another one (scores `language.probability`); 0: off",
        score="language.probability",
        rejects="<",
        required=False,
        unless="pwer",
        only=("consensus.reference", "systems"),
        off=0.0,
        ge=0,
        le=1,
    )

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        if isinstance(values, dict) and "min_systems" in values:
            msg = "min_systems is now called min_independent"
            raise ValueError(msg)
        return values

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [system.name for system in self.systems]
        if len(set(names)) != len(names):
            msg = f"transcribe.systems: names must be unique, found {names}"
            raise ValueError(msg)
        if self.language_system and self.language_system not in names:
            msg = f"transcribe.language_system: {self.language_system!r} is none of the systems {names}"
            raise ValueError(msg)
        return self


class Transcribe(Branched):
    """Sets language and hypotheses (in the order of the configuration) of every live segment."""

    name = "transcribe"
    section = TranscribeConfig
    after = "boundary"
    scores = (
        Score("language.probability", "1", "of the language, where it was identified"),
        Score("transcribe.systems", "systems", "systems that gave a hypothesis", short="systems"),
    )
    notes = (
        Note("transcribe.language", "where the language comes from: manifest, or the system that identified it"),
        Note("transcribe.left_out", "systems without support for the language"),
        Note("transcribe.alone", "the only system that speaks the language: it is judged by itself, at other speeds"),
    )

    def __init__(self, config: TranscribeConfig | None = None) -> None:
        self.config = config or TranscribeConfig()
        self.systems: list[AsrSystem] = [build_system(section) for section in self.config.systems]
        self._languages = [system.languages for system in self.systems]
        """As the settings tell them: the same in a worker with all systems and in one that loads a single one."""

    @classmethod
    def adapters(cls, section: TranscribeConfig) -> list[Use]:
        """The systems."""
        return [Use(f"transcribe.{item.name}", SYSTEMS[item.kind], item) for item in section.systems]

    @property
    def branches(self) -> list[str]:
        """The systems; the one that identifies languages is the first."""
        names = [system.config.name for system in self.systems]
        return sorted(names, key=lambda name: name != self.config.language_system)

    def setup_branch(self, name: str) -> None:
        """Load a system."""
        self._system(name).load()

    def branch(self, name: str, batch: Sequence[Recording]) -> list[list[Hypothesis | None]]:
        """What a system hears in the live segments of each recording; None where it does not speak the language."""
        if name == self.branches[0]:
            for recording in batch:
                if recording.live_segments:
                    self._set_language(recording)
        system = self._system(name)
        segments = [segment for recording in batch for segment in recording.live_segments]
        spoken = [item for item in segments if system.languages is None or item.language in system.languages]
        again = {id(item): self._variants(system, item) for item in spoken}
        every = sorted([*spoken, *chain(*again.values())], key=lambda segment: segment.num_samples)
        heard = dict(zip(map(id, every), _transcribe(system, every), strict=True))
        for item in spoken:
            hypothesis = _in_recording_time(heard[id(item)], item.start)
            for variant in (heard[id(other)] for other in again[id(item)]):
                hypothesis.variants.append(variant.text)
                hypothesis.error = hypothesis.error or variant.error
        return [[heard.get(id(segment)) for segment in recording.live_segments] for recording in batch]

    def _variants(self, system: AsrSystem, segment: Segment) -> list[Segment]:
        """The utterance at other speeds, where no other system speaks its language, without those that are too long."""
        speaking = sum(known is None or segment.language in known for known in self._languages)
        change = self.config.speed_change
        if speaking > 1 or not change:
            return []
        variants = [_at_speed(segment, speed) for speed in (1 / (1 + change), 1 + change)]
        return [item for item in variants if item.num_samples <= system.max_seconds * SAMPLE_RATE]

    def join(self, batch: Sequence[Recording], found: Mapping[str, Sequence[Sequence[Hypothesis | None]]]) -> None:
        """Set the hypotheses of the segments, in the order of the systems."""
        for number, recording in enumerate(batch):
            for place, segment in enumerate(recording.live_segments):
                heard = [found[system.config.name][number][place] for system in self.systems]
                self._store(segment, [item for item in heard if item is not None])

    def _system(self, name: str) -> AsrSystem:
        return next(system for system in self.systems if system.config.name == name)

    def _set_language(self, recording: Recording) -> None:
        """Language of all live segments, and its probability where it was identified."""
        given = recording.source.language
        probabilities = {} if given else self._identify(recording)
        language = primary_subtag(given) if given else max(sorted(probabilities), key=probabilities.__getitem__)
        for segment in recording.live_segments:
            segment.language = language
            segment.notes["transcribe.language"] = "manifest" if given else self.config.language_system
            segment.scores.pop("language.probability", None)
            if not given:
                segment.scores["language.probability"] = round(probabilities[language], NOISE_DECIMALS)

    def _identify(self, recording: Recording) -> dict[str, float]:
        """Probability of each language in this row."""
        system = next((item for item in self.systems if item.config.name == self.config.language_system), None)
        if not isinstance(system, LanguageIdentifier):
            msg = (
                f"{recording.source.path}: the manifest gives no language, and transcribe.language_system "
                f"{self.config.language_system!r} cannot identify one: add a language column, or name a system that can"
            )
            raise ValueError(msg)  # noqa: TRY004 - the configuration or the manifest is wrong, no argument
        chosen = _longest(recording.live_segments, self.config.language_seconds)
        waves = [_audio(segment) for segment in chosen]
        with inside_model(f"transcribe.{self.config.language_system}"):
            found = system.identify_language(waves)
        weights = [len(wave) / sum(map(len, waves)) for wave in waves]
        return {key: sum(w * item.get(key, 0.0) for w, item in zip(weights, found, strict=True)) for key in found[0]}

    def _store(self, segment: Segment, hypotheses: list[Hypothesis]) -> None:
        segment.hypotheses = hypotheses
        answered = [item for item in hypotheses if not item.error]
        segment.scores["transcribe.systems"] = len(answered)
        present = {item.system for item in hypotheses}
        absent = [system.config.name for system in self.systems if system.config.name not in present]
        segment.notes.pop("transcribe.left_out", None)
        if absent:
            segment.notes["transcribe.left_out"] = f"{', '.join(absent)}: no {segment.language or 'known language'}"
        segment.notes.pop("transcribe.alone", None)
        if any(item.variants for item in answered):
            segment.notes["transcribe.alone"] = f"{answered[0].system}: self-consistency, no independent agreement"
        broken = [f"{item.system}: {item.error}" for item in hypotheses if item.error]
        if broken:
            segment.exclude(fail(self.name, "; ".join(broken)))


def primary_subtag(language: str) -> str:
    """The language of a BCP 47 tag: `en` of `en-US` or `en_GB`."""
    return language.strip().lower().replace("_", "-").split("-")[0]


def _at_speed(segment: Segment, speed: float) -> Segment:
    """What was said in 1 / `speed` of the time, by resampling: the pitch changes too."""
    import soxr

    audio = soxr.resample(_audio(segment), SAMPLE_RATE * speed, SAMPLE_RATE).astype(np.float32, copy=False)
    return Segment(0, len(audio), language=segment.language, audio=audio)


def _longest(segments: Sequence[Segment], seconds: float) -> list[Segment]:
    """The longest segments that together last at least `seconds`, or all."""
    chosen: list[Segment] = []
    for segment in sorted(segments, key=lambda item: (-item.num_samples, item.start)):
        if sum(item.num_samples for item in chosen) >= seconds * SAMPLE_RATE:
            break
        chosen.append(segment)
    return chosen


def _transcribe(system: AsrSystem, segments: Sequence[Segment]) -> list[Hypothesis]:
    """Hypotheses of one system, in batches."""
    seconds = system.config.batch_seconds or system.resources.batch_seconds
    parts = cut_batches(segments, system.config.batch_size, seconds)
    return [hypothesis for part in parts for hypothesis in _transcribe_batch(system, part)]


def cut_batches(segments: Sequence[Segment], rows: int, seconds: float | None) -> list[list[Segment]]:
    """Consecutive segments, at most `rows` and at most `seconds` once padded to the longest; at least one."""
    batches: list[list[Segment]] = []
    longest = 0
    for segment in segments:
        longest = max(longest, segment.num_samples)
        size = len(batches[-1]) + 1 if batches else 0
        if size and size <= rows and (seconds is None or size * longest <= seconds * SAMPLE_RATE):
            batches[-1].append(segment)
        else:
            batches.append([segment])
            longest = segment.num_samples
    return batches


def _transcribe_batch(system: AsrSystem, segments: Sequence[Segment]) -> list[Hypothesis]:
    """Hypotheses of one batch; where the system raises, each utterance is retried alone."""
    try:
        with inside_model(f"transcribe.{system.config.name}"):
            return system.transcribe([_audio(item) for item in segments], [item.language for item in segments])
    except Exception as error:
        if len(segments) > 1:
            return [hypothesis for item in segments for hypothesis in _transcribe_batch(system, [item])]
        log.exception("%s failed on samples %d..%d", system.config.name, segments[0].start, segments[0].end)
        text = f"{type(error).__name__}: {error}"
        return [Hypothesis(system=system.config.name, text="", language=segments[0].language, error=text[:500])]


def _audio(segment: Segment) -> Wave:
    if segment.audio is None:
        msg = f"no audio in the live segment {segment.start}..{segment.end}"
        raise ValueError(msg)
    return segment.audio


def _in_recording_time(hypothesis: Hypothesis, offset: int) -> Hypothesis:
    """Shift word times from the start of the utterance to the start of the recording."""
    for word in hypothesis.words:
        word.start += offset
        word.end += offset
    return hypothesis
