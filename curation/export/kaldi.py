"""Kaldi: wav.scp, segments, text, utt2spk, spk2utt, utt2dur, reco2dur, utt2lang, sorted as LC_ALL=C sorts.

Audio is WAV, so that wav.scp holds plain paths, relative to the folder: no pipe, and so no shell. Ids begin with the
speaker and `+`, which sorts before all that ids hold: utterances sorted by id are then sorted by speaker too.
"""

import io
import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import soundfile

from curation.audio.flac import decode_flac
from curation.audio.wave import SAMPLE_RATE
from curation.export.corpus import Utterance
from curation.export.ids import safe
from curation.export.shards import Job
from curation.manifests.inputs.spill import SortedOnDisk

Line = tuple[str, str, str, str, str, str]
"""Id, speaker, file, seconds, language, text."""


def write(job: Job) -> None:
    """The tables, and `audio/`."""
    lines: SortedOnDisk[Line] = SortedOnDisk(lambda line: line[0], lambda line: line, tuple)
    for one, name in job.in_files("wav", _wav):
        speaker = safe(one.row["speaker"]) if one.row["speaker"] else one.key
        key = f"{speaker}+{one.key}"
        job.folder.renamed(id=one.id, exported=key, speaker=one.row["speaker"], exported_speaker=speaker)
        language = one.row["language"] or "und"
        lines.add((key, speaker, name, f"{one.seconds:.6f}", language, one_line(one)))
    _write_tables(job, lines)


def _write_tables(job: Job, lines: SortedOnDisk[Line]) -> None:
    with ExitStack() as stack:
        names = ("wav.scp", "segments", "text", "utt2spk", "utt2dur", "reco2dur", "utt2lang")
        wav, segments, text, speakers, lengths, recordings, languages = (
            stack.enter_context(job.folder.open(name)) for name in names
        )
        for key, speaker, name, seconds, language, words in lines:
            wav.write(f"{key} {name}\n".encode())
            segments.write(f"{key} {key} 0.000000 {seconds}\n".encode())
            text.write(f"{key} {words}".rstrip().encode() + b"\n")
            speakers.write(f"{key} {speaker}\n".encode())
            lengths.write(f"{key} {seconds}\n".encode())
            recordings.write(f"{key} {seconds}\n".encode())
            languages.write(f"{key} {safe(language)}\n".encode())
    with job.folder.open("spk2utt") as file:
        for speaker, mine in itertools.groupby(_pairs(lines), key=lambda pair: pair[0]):
            file.write(speaker.encode())
            for _, key in mine:
                file.write(f" {key}".encode())
            file.write(b"\n")


def _pairs(lines: SortedOnDisk[Line]) -> Iterator[tuple[str, str]]:
    for key, speaker, *_ in lines:
        yield speaker, key


def one_line(one: Utterance) -> str:
    """The text with single blanks: a line break would begin another row."""
    return " ".join(one.text.replace("\0", " ").split())


def _wav(one: Utterance) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, decode_flac(one.audio), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
