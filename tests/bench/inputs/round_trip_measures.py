"""Measures for speech that went through a codec: WER of Whisper base, and similarity of CAM++ speaker embeddings."""

import re
from functools import cache

import rapidfuzz

from curation.models.store import resolve
from curation.stages.diarize.campplus.encoder import load_encoder


def similarity(a, b):
    """Cosine of the speaker embeddings of two waves."""
    one, other = load_encoder("campplus").embed([a, b])
    return float(one @ other)


@cache
def whisper_base():
    from faster_whisper import WhisperModel

    return WhisperModel(str(resolve("whisper-base")), device="cpu", compute_type="int8", cpu_threads=1)


def heard(wave):
    """What Whisper base hears, lower case without punctuation."""
    pieces, _ = whisper_base().transcribe(wave, language="en", beam_size=5, condition_on_previous_text=False)
    return words(" ".join(piece.text for piece in pieces))


def words(text):
    """Lower-case words; titles as they are spoken."""
    text = text.lower().replace("mr.", "mister").replace("-", " ")
    return re.sub(r"[^a-z0-9' ]", "", text).split()


def errors(reference, hypothesis):
    """Word edits between two lists of words."""
    return rapidfuzz.distance.Levenshtein.distance(reference, hypothesis)
