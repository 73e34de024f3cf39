"""Mutated media files: every one must be accounted for, and none may stop the process."""

import random

import pytest
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Source
from curation.stages.decode.stage import DecodeConfig, decode_spans
from tests.support.decoded import assert_accounted
from tests.support.dummies import encode, speech

MAX_ROWS = 250
FORMATS = {
    "wav": ("pcm_s16le", 16_000),
    "flac": ("flac", 44_100),
    "mp3": ("libmp3lame", 44_100),
    "m4a": ("aac", 44_100),
    "opus": ("libopus", 48_000),
    "webm": ("libopus", 48_000),
    "ogg": ("vorbis", 16_000),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, bytes]:
    folder, wave = tmp_path_factory.mktemp("originals"), speech(2.0, 3.0)
    for suffix, (codec, rate) in FORMATS.items():
        path = folder / f"a.{suffix}"
        if codec == "vorbis":
            soundfile.write(path, wave, rate, format="OGG", subtype="VORBIS")
        else:
            encode(path, wave, codec, rate)
    return {path.suffix[1:]: path.read_bytes() for path in folder.iterdir()}


def mutate(chance: random.Random, data: bytes, other: bytes) -> bytes:
    mutated = bytearray(data)
    place = chance.randrange(len(mutated))
    match chance.choice(["flip", "header", "truncate", "splice", "delete", "insert"]):
        case "flip":
            for _ in range(chance.choice([1, 10, 100])):
                mutated[chance.randrange(len(mutated))] ^= 1 << chance.randrange(8)
        case "header":
            for _ in range(chance.choice([1, 2, 5])):
                mutated[chance.randrange(256)] = chance.randrange(256)
        case "truncate":
            del mutated[place:]
        case "splice":
            length = chance.randrange(8, 512)
            mutated[:length] = other[:length]
        case "delete":
            del mutated[place : place + chance.randrange(4096)]
        case "insert":
            mutated[place:place] = chance.randbytes(chance.randrange(1, 4096))
    return bytes(mutated)


@pytest.mark.parametrize("numbers", [range(40), pytest.param(range(40, 200), marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_mutated_file_is_accounted_for(tmp_path, originals, suffix, numbers):
    path = tmp_path / f"mutated.{suffix}"
    statuses = set()
    for number in numbers:
        chance = random.Random(f"{suffix}{number}")  # noqa: S311 - reproducible mutations
        path.write_bytes(mutate(chance, originals[suffix], originals[chance.choice(list(FORMATS))]))
        rows = list(decode_spans(Source(str(number), str(path)), DecodeConfig()))
        assert_accounted(rows)
        assert len(rows) <= MAX_ROWS
        usable = sum(row.num_samples for row in rows if row.verdict is None)
        assert usable <= 10 * SAMPLE_RATE or suffix == "wav"  # nothing is made up; raw PCM may change its rate
        # A declared duration of 1000 hours at most, and a day of holes between packets.
        assert rows[-1].end <= (1000 + 24 + 1) * 3600 * SAMPLE_RATE
        statuses |= {row.verdict.status if row.verdict else "usable" for row in rows}
    assert {"usable", "failed"} <= statuses
