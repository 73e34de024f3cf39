"""The clock of a recording is that of the time stamps: holes are silence, damage fails, and no sample is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from curation.audio.wave import SAMPLE_RATE
from curation.stages.decode.clock import JITTER_SECONDS, MAX_SILENCE_SECONDS, Clock, Decoded, Gap, Unread
from tests.support.decoded import SPEECH, decode, only, remux, total_seconds, video_with_audio
from tests.support.dummies import encode, encode_at, noise, speech

FRAME, RATE = 0.02, 1000
SAMPLES = round(FRAME * RATE)


def heard(stamps, origin=0.0, rate=RATE):
    """What the clock makes of frames of 20 ms: the k-th holds k + 1."""
    samples = round(FRAME * rate)
    items = [
        Decoded(time, np.full((1, samples), number + 1, np.float32), rate, FRAME, 100)
        for number, time in enumerate(stamps)
    ]
    return list(Clock(origin).placed(items))


def wave_of(parts):
    return np.concatenate([part.wave[0] for part in parts])


def assert_whole(wave, count):
    """Every frame is there once, in order."""
    np.testing.assert_array_equal(wave[wave > 0], np.repeat(np.arange(1, count + 1), SAMPLES))


@given(
    st.lists(st.tuples(st.integers(0, 3) | st.just(200), st.floats(-0.007, 0.007)), min_size=1, max_size=60),
    st.sampled_from([0.0, 3.0]),
)
def test_audio_stands_where_its_time_stamp_says(schedule, start):
    """Packets that are kept, left out before (up to four seconds of them) and shifted a little."""
    slots = np.cumsum([1 + dropped for dropped, _ in schedule]) - 1
    stamps = [start + slot * FRAME + shift for slot, (_, shift) in zip(slots, schedule, strict=True)]
    wave = wave_of(heard(stamps, origin=start))
    assert_whole(wave, len(stamps))
    for number, stamp in enumerate(stamps):
        place = int(np.argmax(wave == number + 1)) / RATE
        assert place == pytest.approx(stamp - start, abs=FRAME)
    assert len(wave) / RATE == pytest.approx((slots[-1] + 1) * FRAME, abs=FRAME)


@pytest.mark.parametrize(
    ("stamps", "length"),
    [
        ([0.0, 0.02, 0.034, 0.066, 0.08], 0.10),  # jitter
        ([0.0, 0.034, 0.035, 0.06], 0.08),  # one late by 14 ms
        ([0.0, 0.02, 0.02, 0.06], 0.08),  # repeated
        ([0.0, 0.02, 0.01, 0.06], 0.08),  # back
        ([0.0, 0.02, 5.0, 0.06, 0.08], 0.10),  # one that is wrong among right ones
        ([0.0, 0.02, -90.0, 0.06, 0.08], 0.10),
        ([50.0, 50.02, 0.0, 0.02], 0.08),  # begun anew
        ([50.0, 50.02, 0.0, 0.02, 0.06], 0.12),  # and with a hole after it
        ([0.0, None, None, 0.06], 0.08),  # missing
        ([None, None, None], 0.06),
        ([0.0, None, 0.06], 0.08),  # missing, and a packet left out
        ([0.0, 0.02, 4000.0, 4000.02], 0.08),  # more than an hour
    ],
)
def test_no_stamp_loses_or_repeats_audio(stamps, length):
    parts = heard(stamps, origin=stamps[0])
    wave = wave_of(part for part in parts if not isinstance(part, Gap))
    assert_whole(wave, len(stamps))
    assert len(wave) / RATE == pytest.approx(length)


def test_a_jump_of_more_than_an_hour_is_said_to_be_none():
    (gap,) = [part for part in heard([0.0, 0.02, 4000.0, 4000.02]) if isinstance(part, Gap)]
    assert gap.samples == 0
    assert "jump by 4000 s: taken for broken ones" in gap.error


def test_silence_is_bounded_however_often_stamps_jump():
    parts = heard([number * 3000.0 for number in range(100)], rate=50)
    silence = sum(part.seconds for part in parts if not isinstance(part, Gap)) - 100 * FRAME
    assert MAX_SILENCE_SECONDS - 3000 < silence <= MAX_SILENCE_SECONDS


def test_a_drift_of_the_stamps_is_followed():
    """Stamps that run half a percent faster than the samples."""
    stamps = [number * FRAME * 1.005 for number in range(3000)]
    wave = wave_of(heard(stamps))
    assert_whole(wave, 3000)
    assert len(wave) / RATE == pytest.approx(stamps[-1] + FRAME, abs=JITTER_SECONDS)


def test_packets_that_the_decoder_refuses_are_a_gap_of_their_length():
    """Between 1 s of silence before, and 2 s of silence after."""
    empty = np.zeros((1, 0), np.float32)
    bad = [Decoded(1.02 + number * FRAME, empty, RATE, FRAME, 100, error="bad") for number in range(2)]
    good = [Decoded(time, np.ones((1, SAMPLES), np.float32), RATE, FRAME, 100) for time in (0.0, 3.06)]
    first, before, gap, *after, last = Clock(0.0).placed([good[0], *bad, good[1]])
    assert (first.wave[0, 0], before.seconds, last.wave[0, 0]) == (1, 1.0, 1)
    assert gap == Gap(round(2 * FRAME * SAMPLE_RATE), "bad")
    assert sum(part.seconds for part in after) == pytest.approx(2.0)


def test_a_refused_packet_of_unknown_length_fails_up_to_the_next_audio():
    empty, good = np.zeros((1, 0), np.float32), np.ones((1, SAMPLES), np.float32)
    items = [Decoded(0.0, good, RATE, FRAME, 100), Decoded(None, empty, RATE, 0.0, 9, error="bad")]
    _, gap, _ = Clock(0.0).placed([*items, Decoded(0.5, good, RATE, FRAME, 100)])
    assert gap == Gap(round(0.48 * SAMPLE_RATE), "bad")


def test_bytes_that_belong_to_no_packet_are_counted():
    unread = Unread()
    assert [unread.before(*packet) for packet in [(100, 50), (160, 50), (160, 70), (5280, 10), (None, 9), (-1, 9)]] == [
        *(0, 10, 0, 5000, 0, 0)
    ]


def test_what_came_before_an_error_is_given():
    def items():
        yield Decoded(0.0, np.ones((1, SAMPLES), np.float32), RATE, FRAME)
        raise OSError("gone")  # noqa: EM101

    placed = Clock(0.0).placed(items())
    assert next(placed).wave[0, 0] == 1
    with pytest.raises(OSError, match="gone"):
        next(placed)


# Files

LONG = noise(12.0) * 0.2


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    return {
        "opus": encode(folder / "a.webm", LONG, "libopus"),
        "aac": encode(folder / "a.m4a", LONG, "aac", 44_100),
        "flac": encode(folder / "a.mkv", LONG, "flac", 44_100),
    }


def place(audio, wave) -> float:
    """Seconds at which `wave` is in `audio`."""
    return int(np.argmax(correlate(audio, wave, "valid"))) / SAMPLE_RATE


KINDS = (
    "opus webm, opus mkv, opus mp4, opus ts, opus opus, aac mkv, aac mp4, aac mov, aac ts, flac mkv, flac mp4, flac ogg"
)


@pytest.mark.parametrize(("codec", "suffix"), [pair.split() for pair in KINDS.split(", ")])
def test_lost_packets_are_silence_of_their_length(tmp_path, sources, codec, suffix):
    """Four of fifty, and a pause of seconds without any (DTX); one is never damage."""
    frame = {"opus": 0.02, "aac": 1024 / 44_100, "flac": 4608 / 44_100}[codec]

    def edit(number, seconds):
        pause = 3.0 <= seconds < 8.0
        return None if pause or (number % 50 >= 46 and seconds > 1.5) else seconds

    row = only(decode(remux(sources[codec], tmp_path / f"x.{suffix}", edit)))
    assert row.verdict is None
    assert total_seconds([row]) == pytest.approx(12.0, abs=frame + 0.01)
    for second in (1.8, 8.5, 10.4):
        marker = LONG[round(second * SAMPLE_RATE) :][:4000]
        assert place(row.audio, marker) == pytest.approx(second, abs=frame + 0.01)
    assert not row.audio[4 * SAMPLE_RATE : 7 * SAMPLE_RATE].any()


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("opus", "webm"), ("opus", "opus"), ("opus", "mkv"), ("aac", "mp4"), ("aac", "ts"), ("flac", "mkv")],
)
def test_a_file_that_starts_late_begins_where_its_audio_does(tmp_path, sources, codec, suffix):
    whole = only(decode(sources[codec])).num_samples
    row = only(decode(remux(sources[codec], tmp_path / f"x.{suffix}", lambda _, seconds: seconds + 3)))
    assert row.num_samples == pytest.approx(whole, abs=0.03 * SAMPLE_RATE)
    assert row.media.seconds == pytest.approx(12.0, abs=0.05)


def test_a_file_that_starts_late_is_still_found_truncated(tmp_path, sources):
    path = remux(sources["opus"], tmp_path / "x.webm", lambda _, seconds: seconds + 3)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    good, lost = decode(path)
    assert "truncated" in lost.verdict.detail
    assert total_seconds([good, lost]) == pytest.approx(12.0, abs=0.05)


@pytest.mark.parametrize(("sound", "picture", "silence"), [(2.0, 0.0, 2.0), (0.0, 2.0, 0.0), (7.5, 7.0, 0.5)])
def test_audio_stands_where_it_does_in_the_film(tmp_path, sound, picture, silence):
    row = only(decode(video_with_audio(tmp_path / "x.mkv", SPEECH, sound, picture)))
    assert row.num_samples == len(SPEECH) + round(silence * SAMPLE_RATE)
    assert not row.audio[: round(silence * SAMPLE_RATE)].any()
    np.testing.assert_allclose(row.audio[round(silence * SAMPLE_RATE) :], SPEECH, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.12, 0.5, 2.0])
def test_a_pause_without_packets_is_a_part_of_its_span(tmp_path, seconds):
    half = 2 * SAMPLE_RATE
    path = encode_at(tmp_path / "a.mkv", [(0.0, SPEECH[:half]), (2.0 + seconds, SPEECH[half : 2 * half])])
    row = only(decode(path))
    expected = np.concatenate(
        [SPEECH[:half], np.zeros(round(seconds * SAMPLE_RATE), np.float32), SPEECH[half : 2 * half]]
    )
    np.testing.assert_allclose(row.audio, expected, atol=1e-4)


def test_a_long_pause_without_packets_is_silence_and_costs_no_memory(tmp_path):
    path = encode_at(tmp_path / "a.mkv", [(0.0, SPEECH), (1800.0, SPEECH)])
    rows = decode(path)
    assert total_seconds(rows) == 1806.0
    assert {row.verdict and row.verdict.reason for row in rows} == {None, "decode.min_peak"}
    np.testing.assert_allclose(rows[-1].audio[-len(SPEECH) :], SPEECH, atol=1e-4)


def test_what_a_demuxer_skips_is_damage_and_no_silence(tmp_path, sources):
    """Matroska: a cluster is destroyed, and FFmpeg goes on with the next one without a word."""
    content = bytearray(sources["opus"].read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    (tmp_path / "x.webm").write_bytes(content)
    rows = decode(tmp_path / "x.webm")
    assert [row.verdict and row.verdict.status for row in rows][:2] == [None, "failed"]
    assert "bytes of the file that FFmpeg cannot read" in rows[1].verdict.detail
    assert total_seconds(rows) == pytest.approx(12.0, abs=0.05)


def test_refused_packets_fail_and_the_pause_beside_them_does_not(tmp_path, sources):
    bad = range(20, 30)  # of 0.104 s

    def edit(_, seconds):
        return seconds if seconds < 3.5 else seconds + 4.0

    rows = decode(remux(sources["flac"], tmp_path / "x.mkv", edit, spoiled=bad))
    lost = [row for row in rows if row.verdict is not None]
    assert total_seconds(lost) == pytest.approx(10 * 4608 / 44_100, abs=0.01)
    assert total_seconds(rows) == pytest.approx(16.0, abs=0.01)


def test_after_a_hundred_damaged_places_the_rest_is_given_up(tmp_path, sources):
    def damaged(count):
        spoiled = range(1, 2 * count, 2)
        return decode(remux(path, tmp_path / "x.mkv", lambda _, seconds: seconds, spoiled))

    path = encode(tmp_path / "a.mkv", speech(30.0), "flac", 44_100)
    enough, many = damaged(100), damaged(130)
    assert sum(row.verdict is None for row in enough) == 101
    assert enough[-1].verdict is None
    assert sum(row.verdict is None for row in many) <= 102
    assert "more than 100 damaged places" in many[-1].verdict.detail
    assert many[-1].end == pytest.approx(30.0 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)  # all of it is accounted for


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_joined_files_of_ogg_follow_one_another(tmp_path, codec):
    halves = [encode(tmp_path / f"{number}.ogg", SPEECH, codec).read_bytes() for number in range(2)]
    (tmp_path / "both.ogg").write_bytes(b"".join(halves))
    audio = np.concatenate([row.audio for row in decode(tmp_path / "both.ogg")])
    assert len(audio) == pytest.approx(2 * len(SPEECH), abs=0.02 * SAMPLE_RATE)
    assert place(audio[3 * SAMPLE_RATE :], SPEECH[:48_000]) + 3 == pytest.approx(6.0, abs=0.02)
