"""Audio files through a model: read in any format, processed batch by batch, and written.

A recording is treated as in the first stages of a build: decoded to mono at 16 kHz, compressed and scaled.
"""

import json
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from curation.audio.files import write_wave
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ConfigError
from curation.manifests.inputs.rows import ID
from curation.manifests.records import Recording, Source
from curation.stages.decode.media import OpenFile
from curation.stages.decode.stage import DecodeConfig, decode_spans
from curation.stages.loudness import Loudness
from curation.train.infer.sampling import Sampling
from curation.train.infer.speech_model import SpeechModel
from curation.train.infer.tokenizers import VoiceSample

log = logging.getLogger(__name__)


def read_recording(
    path: str, *, loudness: bool = True, open_file: OpenFile | None = None, max_seconds: float = math.inf
) -> Wave:
    """Read a whole file, local or at an fsspec URL, or what `open_file` opens. Raises ConfigError, with the remedy,
    where a part is unreadable, and where it is longer than `max_seconds`, without decoding all of it.
    """
    spans = list[Recording]()
    for span in decode_spans(Source(path, path), DecodeConfig(), open_file=open_file):
        spans.append(span)
        if span.offset + span.num_samples > max_seconds * SAMPLE_RATE:
            msg = f"{path}: longer than {max_seconds:g} s: give a shorter recording"
            raise ConfigError(msg)
    broken = next((span.verdict for span in spans if span.verdict and span.verdict.status == "failed"), None)
    if broken is not None:
        msg = f"{path}: {broken.detail}"
        raise ConfigError(msg)
    waves = [np.zeros(span.num_samples, np.float32) if span.audio is None else span.audio for span in spans]
    whole = Recording(Source(path, path), num_samples=0, audio=np.concatenate(waves))
    if loudness:
        Loudness().process([whole])
    return np.asarray(whole.audio, np.float32)


def check_suffix(path: Path) -> None:
    """Raise ConfigError where the suffix is not that of a format that can be written."""
    import soundfile

    if path.suffix.lower().lstrip(".").upper() not in soundfile.available_formats():
        msg = f"{path}: cannot write {path.suffix or 'a file without a suffix'}; use .wav, .flac or .ogg"
        raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """What to say (a text, or a recording of it), the voice (a recording), and the output: a file, or of the defaults
    of a manifest its folder.
    """

    what: str
    voice: str
    output: Path
    language: str = ""
    """Of a text, where it is known."""
    voice_text: str = ""
    """What the recording of the voice says, where it is known."""


def jobs(
    field: Literal["text", "source"],
    what: str | None,
    voice: str,
    output: Path,
    manifest: Path | None,
    language: str = "",
    voice_text: str = "",
) -> list[SpeechJob]:
    """Jobs of a command line: one of its arguments, or those of a manifest. Raises ConfigError with the remedy."""
    if (manifest is None) == (what is None):
        msg = f"give either {field.upper()} or --manifest"
        raise ConfigError(msg)
    if manifest is not None:
        return list(_manifest_jobs(field, SpeechJob("", voice, output, language, voice_text), manifest))
    if not voice:
        msg = "give --voice REF, a recording of the voice"
        raise ConfigError(msg)
    check_suffix(output)
    return [SpeechJob(str(what), voice, output, language, voice_text)]


def _manifest_jobs(field: str, default: SpeechJob, manifest: Path) -> Iterator[SpeechJob]:
    if not manifest.is_file():
        msg = f"manifest {manifest} does not exist"
        raise ConfigError(msg)
    known: set[str] = set()
    for number, line in enumerate(_text(manifest).split("\n"), start=1):
        if not line.strip():
            continue
        row = _row(line, f"{manifest}, line {number}", (field, "voice", "voice_text", "language"))
        name = str(row.get("id") or f"{number:05d}")
        if not row.get(field) or not (row.get("voice") or default.voice) or name in known or not ID.fullmatch(name):
            msg = (
                f"{manifest}, line {number}: expected {field!r}, 'voice' (or --voice), and an 'id' of its own if any, "
                f"made of letters, digits, dots, dashes and underscores"
            )
            raise ConfigError(msg)
        known.add(name)
        what = row[field] if field == "text" else _beside(manifest, row[field])
        heard, said = default.voice, default.voice_text
        if row.get("voice"):
            heard, said = _beside(manifest, row["voice"]), ""
        spelled = row.get("language") or default.language
        yield SpeechJob(what, heard, default.output / f"{name}.wav", spelled, row.get("voice_text") or said)


def transcribe_files(model: SpeechModel, paths: Sequence[str], batch: int) -> Iterator[dict[str, Any]]:
    """A row for each file, in order: path, seconds, text, complete; or path and error."""
    for group in _groups(paths, batch):
        waves = [_read_or_error(path) for path in group]
        transcripts = iter(model.transcripts([wave for wave in waves if not isinstance(wave, str)]))
        for path, wave in zip(group, waves, strict=True):
            if isinstance(wave, str):
                yield {"path": path, "error": wave}
                continue
            found = next(transcripts)
            seconds = round(len(wave) / SAMPLE_RATE, 3)
            yield {"path": path, "seconds": seconds, "text": found.text, "complete": found.complete}


def speak_files(model: SpeechModel, work: Sequence[SpeechJob], sampling: Sampling, batch: int) -> Iterator[Path]:
    """Say and write each text; yields the files."""
    voices = _Voices(model)
    for group in _groups(work, batch):
        own, languages = [voices[job.voice, job.voice_text] for job in group], [job.language for job in group]
        waves = model.speak([job.what for job in group], own, sampling, languages)
        yield from _written(group, waves)


def convert_files(model: SpeechModel, work: Sequence[SpeechJob], sampling: Sampling, batch: int) -> Iterator[Path]:
    """Convert and write each source; yields the files."""
    voices = _Voices(model)
    for group in _groups(work, batch):
        sources = [read_recording(job.what) for job in group]
        yield from _written(group, model.convert(sources, [voices[job.voice, ""] for job in group], sampling))


def write_stream(path: Path, chunks: Iterable[Wave]) -> float:
    """Write chunks to a file as they come, so that it can be played while it grows; gives its seconds."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
        for chunk in chunks:
            file.write(chunk)
            file.flush()
        return float(file.frames / SAMPLE_RATE)


class _Voices(dict[tuple[str, str], VoiceSample]):
    """Each voice file with what it says, encoded once."""

    def __init__(self, model: SpeechModel) -> None:
        super().__init__()
        self.model = model

    def __missing__(self, heard: tuple[str, str]) -> VoiceSample:
        path, said = heard
        self[heard] = self.model.voice_sample(read_recording(path), said)
        return self[heard]


def _written(group: Sequence[SpeechJob], waves: Sequence[Wave]) -> Iterator[Path]:
    for job, wave in zip(group, waves, strict=True):
        if not len(wave):
            log.warning("%s: the model's output is empty", job.output)
        write_wave(job.output, wave)
        yield job.output


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _read_or_error(path: str) -> Wave | str:
    try:
        return np.asarray(read_recording(path), np.float32)
    except ConfigError as error:
        return str(error)


def _text(manifest: Path) -> str:
    try:
        return manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"manifest {manifest}: cannot be read ({error}): give JSON lines in UTF-8"
        raise ConfigError(msg) from error


def _row(line: str, where: str, texts: Sequence[str]) -> dict[str, Any]:
    """A JSON object, in which these fields are text where they are there."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        msg = f"{where}: not JSON: {error}"
        raise ConfigError(msg) from error
    if not isinstance(row, dict):
        msg = f"{where}: expected a JSON object"
        raise ConfigError(msg)
    wrong = [name for name in texts if row.get(name) is not None and not isinstance(row[name], str)]
    if wrong:
        msg = f"{where}: {wrong[0]} is {row[wrong[0]]!r}: write text in quotation marks"
        raise ConfigError(msg)
    return row


def _beside(manifest: Path, path: str) -> str:
    """Paths of a manifest are relative to it."""
    return path if "://" in path or Path(path).is_absolute() else str(manifest.parent / path)
