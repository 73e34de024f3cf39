"""What tests of decoding share: run it, check that the rows account for the source, compare with the original.

And files whose packets are left out, moved or spoiled, as networks, browsers and editors leave them.
"""

from collections.abc import Callable, Collection
from fractions import Fraction
from pathlib import Path

import numpy as np

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Recording, Source
from curation.stages.decode.stage import DecodeConfig, decode_spans
from tests.support.dummies import speech

SECONDS = 6.0
SPEECH = speech(SECONDS, 3.0)


def decode(path, open_file=None, **config) -> list[Recording]:
    rows = list(decode_spans(Source("talk", str(path)), DecodeConfig(**config), open_file=open_file))
    assert_accounted(rows)
    return rows


def assert_accounted(rows):
    assert [row.last for row in rows] == [False] * (len(rows) - 1) + [True]
    assert [row.span for row in rows] == list(range(len(rows)))
    assert [row.offset for row in rows] == list(np.cumsum([0, *[row.num_samples for row in rows[:-1]]]))
    for row in rows:
        assert (row.audio is None) == (row.verdict is not None)
        assert row.audio is None or (row.audio.dtype == np.float32 and row.audio.shape == (row.num_samples,))


def only(rows: list[Recording]) -> Recording:
    assert len(rows) == 1, [(row.num_samples, row.verdict) for row in rows]
    return rows[0]


def total_seconds(rows) -> float:
    return sum(row.num_samples for row in rows) / SAMPLE_RATE


def similarity(audio, reference) -> float:
    length = min(len(audio), len(reference))
    return float(np.corrcoef(audio[:length], reference[:length])[0, 1])


def remux(source: Path, target: Path, edit: Callable, spoiled: Collection[int] = ()) -> Path:
    """Copy the audio packets; `edit(number, seconds)` gives the new time stamp, or None to leave one out. Of `spoiled`
    packets the content is noise.
    """
    import av

    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = old.streams.audio[0]
        copy = new.add_stream_from_template(stream)
        packets = [packet for packet in old.demux(stream) if packet.dts is not None]
        for number, packet in enumerate(packets):
            time = edit(number, float(packet.pts * packet.time_base))
            if time is None:
                continue
            made = packet
            if number in spoiled:
                made = av.Packet(np.random.default_rng(number).bytes(packet.size))
                made.time_base, made.duration = packet.time_base, packet.duration
            made.pts = made.dts = round(time / packet.time_base)
            made.stream = copy
            new.mux(made)
    return target


def video_with_audio(path: Path, wave, start: float, video_start: float = 0.0) -> Path:
    """Matroska whose picture and sound (16-bit PCM at 16 kHz) start at their own seconds."""
    import av

    with av.open(str(path), "w", format="matroska") as container:
        picture = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        packets = []
        for number in range(10):
            image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            image.pts = number + round(video_start * 10)
            packets += picture.encode(image)
        samples = np.round(wave * 32768).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 16_000, Fraction(1, 16_000), round(start * 16_000)
        packets += [*picture.encode(None), *sound.encode(frame), *sound.encode(None)]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path
