"""Evaluates speech recognition, synthesis and voice conversion on a test set.

    results = evaluate(read_set("test.jsonl"), ["asr", "tts"], model, Judges(WhisperRecogniser(), EncoderJudge()))

ASR is compared with the transcript. The speech of TTS and VC is transcribed by a recogniser and compared with the text,
and its voice with the reference's by a speaker encoder (VC: with the source's as well). Three tasks need no model:
`recording` judges the recordings themselves and `codec` their reconstruction from the codec's tokens, the ceilings of
the others; `swap` is conversion without a model, the source's semantic codes with the reference's voice.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, get_args

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ConfigError, DataError, UserError
from curation.tokenize.base import CodecTokenizer, CodecTokens
from curation.train.evaluate.judges import Recogniser, SpeakerJudge, similarities
from curation.train.evaluate.scores import Comparison, Normalization, compare, normalizer_of
from curation.train.evaluate.sets import Item, with_references
from curation.train.infer.files import read_recording
from curation.train.infer.sampling import Sampling

EvaluationTask = Literal["asr", "tts", "vc", "recording", "codec", "swap"]
EVALUATION_TASKS: tuple[EvaluationTask, ...] = get_args(EvaluationTask)
CONVERSIONS: frozenset[EvaluationTask] = frozenset({"vc", "swap"})
"""From one voice into another."""
OF_CODEC: frozenset[EvaluationTask] = frozenset({"codec", "swap"})


class SpeechSystem(Protocol):
    """The system under evaluation. Waves are (samples,) float32 at 16 kHz; one answer for each item, in order."""

    def transcribe(self, waves: Sequence[Wave]) -> list[str]:
        """Text of each wave."""

    def speak(
        self,
        texts: Sequence[str],
        references: Sequence[Wave],
        sampling: Sampling | None,
        languages: Sequence[str],
        transcripts: Sequence[str],
    ) -> list[Wave]:
        """Speech of each text, in its language, in the voice of its reference; unknown transcripts are empty."""

    def convert(self, sources: Sequence[Wave], references: Sequence[Wave], sampling: Sampling | None) -> list[Wave]:
        """Each source in the voice of its reference."""


@dataclass(frozen=True, slots=True)
class Judges:
    """The judges of speech; only ASR needs none."""

    recogniser: Recogniser | None = None
    speakers: SpeakerJudge | None = None
    codec: CodecTokenizer | None = None
    """For the tasks `codec` and `swap`."""


@dataclass(slots=True)
class Result:
    """One utterance in one task. Where `error` is set there is no comparison, and no rate counts it."""

    task: EvaluationTask
    item: Item
    normalizer: str
    unit: str
    hypothesis: str = ""
    comparison: Comparison | None = None
    similarity: float = float("nan")
    """Cosine of the speaker embeddings of the speech and the reference."""
    source_similarity: float = float("nan")
    """VC: the same with the source."""
    seconds: float = 0.0
    """Of the transcribed recording, or of the generated speech."""
    compute_seconds: float = 0.0
    """Of the system, an equal share of its batch."""
    error: str = ""
    speech: Wave | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a batch of items gives to a system; references are empty waves for ASR."""

    items: list[Item]
    waves: list[Wave]
    references: list[Wave]


def evaluate(  # noqa: PLR0913 - what an evaluation can be asked
    items: Sequence[Item],
    tasks: Sequence[EvaluationTask],
    system: SpeechSystem | None,
    judges: Judges,
    *,
    normalization: Normalization = "auto",
    batch: int = 16,
    sampling: Sampling | None = None,
    reference_texts: bool = False,
    on_step: Callable[[EvaluationTask, int, int], None] | None = None,
) -> Iterator[Result]:
    """Yield results task by task, in the order of the items.

    `sampling` is that of speech; None: the system's own. `reference_texts`: TTS is told what its references say.
    `on_step` gets the task, how many items are done, and how many there are. Raises ConfigError where the set lacks
    what a task needs (recordings, a second speaker, those words), ValueError where a task needs a missing system or
    judge.
    """
    for task in tasks:
        _check(task, system, judges)
        listed = _suited(list(items), task, reference_texts=reference_texts)
        for start in range(0, len(listed), batch):
            yield from _evaluate_batch(listed[start : start + batch], task, system, judges, normalization, sampling)
            if on_step is not None:
                on_step(task, min(start + batch, len(listed)), len(listed))


def _check(task: EvaluationTask, system: SpeechSystem | None, judges: Judges) -> None:
    missing = {
        "a model": system is None and task in {"asr", "tts", "vc"},
        "a codec": judges.codec is None and task in OF_CODEC,
        "a recogniser and a speaker encoder": task != "asr" and None in {judges.recogniser, judges.speakers},
    }
    if any(missing.values()):
        msg = f"the task {task} needs {', '.join(name for name, lacks in missing.items() if lacks)}"
        raise ValueError(msg)


def _suited(items: list[Item], task: EvaluationTask, *, reference_texts: bool) -> list[Item]:
    """The items with the recordings and references that the task needs, and what the system may know of them."""
    silent = [item.id for item in items if not item.path]
    if silent and task != "tts":
        msg = f"the task {task} needs a recording of each text, {len(silent)} items have none, e.g. {silent[0]}"
        raise ConfigError(msg)
    if task == "asr":
        return items
    referred = with_references(items, same_speaker=task not in CONVERSIONS)
    if task != "tts" or not reference_texts:
        return [replace(item, reference_text="") for item in referred]
    silent = [item.id for item in referred if not item.reference_text]
    if silent:
        msg = (
            f"{len(silent)} items do not tell what their reference says, e.g. {silent[0]}: add a column "
            "`reference_text`, or evaluate without it"
        )
        raise ConfigError(msg)
    return referred


def _evaluate_batch(
    items: list[Item],
    task: EvaluationTask,
    system: SpeechSystem | None,
    judges: Judges,
    normalization: Normalization,
    sampling: Sampling | None,
) -> list[Result]:
    normalizers = [normalizer_of(item.language, normalization) for item in items]
    results = [Result(task, item, own.name, own.unit) for item, own in zip(items, normalizers, strict=True)]
    whole, inputs = _read(results)
    if not whole:
        return results
    try:
        _answer(whole, inputs, system, judges, normalization, sampling)
    except Exception as error:  # whatever a model or a judge raises
        if isinstance(error, UserError) and not isinstance(error, DataError):
            raise  # a setting, a model or a server, which is no utterance's failure
        if len(items) > 1:  # one after another where they fail together, so that one failure is one
            return [
                result
                for item in items
                for result in _evaluate_batch([item], task, system, judges, normalization, sampling)
            ]
        said = str(error) if isinstance(error, UserError) else repr(error)
        return [replace(results[0], error=said, similarity=math.nan, source_similarity=math.nan, speech=None)]
    return results


def _answer(
    results: list[Result],
    inputs: _Inputs,
    system: SpeechSystem | None,
    judges: Judges,
    normalization: Normalization,
    sampling: Sampling | None,
) -> None:
    """Let the system answer to the inputs of these results, and compare."""
    begun, task = time.perf_counter(), results[0].task
    if task == "asr":
        texts, speech = _needed(system).transcribe(inputs.waves), None
    else:
        texts, speech = [], _speech(task, inputs, system, judges.codec, sampling)
    share = (time.perf_counter() - begun) / len(results)
    if speech is not None:
        texts = _judge(results, speech, inputs, judges)
    for result, text, wave in zip(results, texts, inputs.waves, strict=True):
        result.hypothesis, result.compute_seconds = text, share
        result.seconds = len(wave if result.speech is None else result.speech) / SAMPLE_RATE
        result.comparison = compare(result.item.text, text, normalizer_of(result.item.language, normalization))


def _speech(
    task: EvaluationTask,
    inputs: _Inputs,
    system: SpeechSystem | None,
    codec: CodecTokenizer | None,
    how: Sampling | None,
) -> list[Wave]:
    if task == "tts":
        texts, languages = [item.text for item in inputs.items], [item.language for item in inputs.items]
        said = [item.reference_text for item in inputs.items]
        return _needed(system).speak(texts, inputs.references, how, languages, said)
    if task == "vc":
        return _needed(system).convert(inputs.waves, inputs.references, how)
    if codec is None or task == "recording":
        return inputs.waves
    tokens = codec.encode(inputs.waves)
    if task == "swap":
        voices = codec.voices(inputs.references)
        tokens = [CodecTokens(own.semantic, voice) for own, voice in zip(tokens, voices, strict=True)]
    return list(codec.decode(tokens))


def _needed(system: SpeechSystem | None) -> SpeechSystem:
    if system is None:
        msg = "the tasks asr, tts and vc need a model"
        raise ValueError(msg)
    return system


def _judge(results: list[Result], speech: list[Wave], inputs: _Inputs, judges: Judges) -> list[str]:
    """The recogniser's transcript; sets similarities and keeps the speech."""
    if judges.recogniser is None or judges.speakers is None:
        msg = "speech needs a recogniser and a speaker encoder to be judged"
        raise ValueError(msg)
    near = similarities(judges.speakers, speech, inputs.references)
    converted = results[0].task in CONVERSIONS
    far = similarities(judges.speakers, speech, inputs.waves) if converted else [float("nan")] * len(near)
    for result, wave, to_reference, to_source in zip(results, speech, near, far, strict=True):
        result.speech, result.similarity, result.source_similarity = wave, to_reference, to_source
    return judges.recogniser.hear(speech, [result.item.language for result in results])


def _read(results: list[Result]) -> tuple[list[Result], _Inputs]:
    """The results whose recordings can be read, with their waves; the others get the error."""
    whole, inputs = [], _Inputs([], [], [])
    nothing: Wave = np.zeros(0, np.float32)
    for result in results:
        item = result.item
        try:
            wave = read_recording(item.path) if item.path and result.task != "tts" else nothing
            reference = read_recording(item.reference) if result.task != "asr" else nothing
        except ConfigError as error:
            result.error = str(error)
            continue
        whole.append(result)
        inputs.items.append(item)
        inputs.waves.append(wave)
        inputs.references.append(reference)
    return whole, inputs
