"""Diarization with the real pipeline on real recordings."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from curation.core.errors import ModelError
from curation.manifests.records import Recording, Segment
from curation.manifests.schemas import VERDICT
from curation.manifests.verdicts import judge
from curation.models.store import resolve
from curation.pipeline.config import load_config
from curation.pipeline.rules import rules_of
from curation.stages.diarize.base import Diarizer, Heard
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.stage import Diarize, beyond, largest_change
from curation.stages.diarize.turns import Turn
from tests.support.real_speech import BECKETT, SAMPLE, TWO_CITIES, librivox, recording, wave
from tests.support.threads import threads_inside


@pytest.fixture
def stage(diarizer) -> Diarize:
    return diarizer


@pytest.fixture(scope="module")
def sample(diarizer) -> Recording:
    row = recording(wave(SAMPLE))
    diarizer.process([row])
    return row


def reference() -> list[tuple[float, float, str]]:
    lines = resolve(SAMPLE).with_suffix(".rttm").read_text().splitlines()
    fields = [line.split() for line in lines]
    return [(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields]


def row_frames(row: Recording) -> int:
    return row.num_samples // 160


def times(row: Recording) -> list[tuple[int, int, str, str]]:
    return [(s.start, s.end, s.speaker, s.verdict.reason if s.verdict else "") for s in row.segments]


def assert_sound(row: Recording) -> None:
    assert all(row.offset <= s.start < s.end <= row.end for s in row.segments)
    assert all(one.end <= two.start for one, two in pairwise(row.segments))
    assert all(s.published is None for s in row.segments if not s.live)  # it would go through all later stages
    for s in row.segments:
        assert (s.speaker_embedding is not None) == (s.speaker != "" and s.num_samples >= 0.4 * 16_000)
    for s in row.live_segments:
        assert 16_000 <= s.num_samples <= 20 * 16_000
        assert s.audio is not None
        assert (s.audio.shape, s.audio.dtype) == ((s.num_samples,), np.float32)
        assert np.abs(s.audio).max() == pytest.approx(0.6)
        assert s.speaker_embedding is not None
        assert s.speaker_embedding.shape == (192,)
        assert np.linalg.norm(s.speaker_embedding) == pytest.approx(1, abs=1e-5)


class Voiceless:
    """A speaker encoder to which all voices are one, where only the cuts are looked at: they are made before it."""

    def embed(self, waves):
        return np.full((len(waves), 192), 192**-0.5, np.float32)

    def windows(self, wave):  # noqa: ARG002 - of the encoder
        return self.embed([])


def voiceless(stage) -> Diarize:
    other = Diarize()
    other.encoder, other.diarizer = Voiceless(), stage.diarizer
    return other


def test_two_speakers_with_crosstalk(sample):
    assert_sound(sample)
    assert sample.notes["diarize.speakers"] == "2"
    reasons = {s.verdict.reason for s in sample.segments if s.verdict}
    assert {"diarize.exclude_overlap", "diarize.overlap_margin_seconds", "diarize.min_seconds"} <= reasons
    crosstalk = [s for s in sample.segments if s.verdict and s.verdict.reason == "diarize.exclude_overlap"]
    assert {s.speaker for s in crosstalk} == {""}
    spoken = [np.zeros(row_frames(sample), bool) for _ in range(2)]
    for start, end, who in reference():
        spoken[who == "speaker91"][round(start * 100) : round(end * 100)] = True
    both = spoken[0] & spoken[1]  # 2.0 s
    for s in sample.live_segments:
        both[s.start // 160 : s.end // 160] = False
    assert both.sum() >= 0.98 * (spoken[0] & spoken[1]).sum()
    assert sum(s.num_samples for s in crosstalk) / 16_000 < 8.0  # what is only likely is left out, too


def test_utterances_hold_the_voice_of_their_speaker_only(sample):
    """Of the time in utterances, 95 % belongs to one true speaker per label, and 3 % at most is a second voice."""
    heard: dict[tuple[str, str], float] = {}
    for s in sample.live_segments:
        for start, end, who in reference():
            common = min(end, s.end / 16_000) - max(start, s.start / 16_000)
            heard[s.speaker, who] = heard.get((s.speaker, who), 0) + max(common, 0)
    right = {label: max(heard[label, who] for who in ("speaker90", "speaker91")) for label in ("S0", "S1")}
    assert sum(right.values()) / sum(heard.values()) > 0.95
    assert sum(right.values()) > 9


def test_labels_follow_first_appearance(sample):
    labels = [s.speaker for s in sample.segments if s.speaker]
    assert list(dict.fromkeys(labels)) == ["S0", "S1"]


def test_one_speaker(stage):
    row = recording(wave(BECKETT))
    stage.process([row])
    assert_sound(row)
    assert {s.speaker for s in row.live_segments} == {"S0"}
    assert sum(s.num_samples for s in row.live_segments) > 0.8 * row.num_samples


def test_it_runs_on_its_own_number_of_threads_and_leaves_the_callers():
    with threads_inside() as found:
        stage = Diarize(DiarizeConfig(threads=2))
        stage.setup()
        stage.process([recording(librivox()[0][:48_000])])
    assert found == {2}


def test_edges_lie_in_pauses(stage):
    """Two readers in turn with 0.3 s between them: utterances start and end where the voice is down."""
    cities, books = wave(TWO_CITIES), librivox()
    silence = np.random.default_rng(0).normal(0, 3e-4, 4_800).astype(np.float32)
    parts = [books[0], cities[18_000:75_000], books[1], cities[78_000:136_000], books[2]]
    row = recording(np.concatenate([x for part in parts for x in (part, silence)]))
    whole = row.audio
    voiceless(stage).process([row])
    assert_sound(row)
    assert len(row.live_segments) >= 5
    assert {s.speaker for s in row.live_segments} >= {"S0", "S1"}
    for s in row.live_segments:
        voice = level_db(whole[s.start : s.end])
        for edge in (s.start, s.end):
            assert level_db(whole[max(0, edge - 320) : edge + 320]) < voice - 10


def level_db(samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples)) + 1e-10))


def test_same_result_again_after_other_recordings_and_as_a_later_span(stage):
    samples = wave(SAMPLE)[12 * 16_000 : 22 * 16_000]
    first, again = recording(samples), recording(samples, offset=1_600_000, span=2)
    stage.process([first])
    stage.process([recording(wave(BECKETT)[:48_000])])
    stage.process([again])
    moved = [(start - 1_600_000, end - 1_600_000, *rest) for start, end, *rest in times(again)]
    assert moved == times(first)
    assert {s.speaker for s in first.live_segments} == {"S0", "S1"}
    for one, two in zip(again.live_segments, first.live_segments, strict=True):
        np.testing.assert_array_equal(one.audio, two.audio)
        np.testing.assert_array_equal(one.speaker_embedding, two.speaker_embedding)


@pytest.mark.parametrize(
    "samples", [0, 1, 159, 16_000, 80_001, *(pytest.param(n, marks=pytest.mark.slow) for n in (800, 79_999))]
)
def test_any_length_works(stage, samples):
    for x in (np.zeros(samples, np.float32), wave(BECKETT)[8_000 : 8_000 + samples]):
        row = recording(x)
        stage.process([row])
        assert_sound(row)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_no_speech_gives_no_segments(stage, noise):
    row = recording(np.random.default_rng(1).normal(0, 1, 160_000).astype(np.float32) * np.float32(noise))
    stage.process([row])
    assert row.segments == []


def test_long_turns_are_cut_to_the_limit(stage):
    row = recording(wave(TWO_CITIES)[: 24 * 16_000])
    short = Diarize(DiarizeConfig(max_seconds=6.0, min_seconds=1.5))
    short.diarizer, short.encoder = stage.diarizer, Voiceless()
    short.process([row])
    lengths = [s.num_samples / 16_000 for s in row.live_segments]
    assert {s.speaker for s in row.live_segments} == {"S0"}
    assert len(lengths) >= 4
    assert 1.5 <= min(lengths) <= max(lengths) <= 6.0
    assert sum(lengths) > 16


def test_it_diarizes_the_original_and_cuts_from_the_processed_audio(stage):
    """Compression and denoising bring voices so near to one another that two speakers become one."""
    samples = wave(BECKETT)[:96_000]
    alone = recording(samples)
    stage.process([alone])
    both = recording(samples)
    noise = np.random.default_rng(0).normal(0, 0.1, (2, len(samples))).astype(np.float32)
    both.original, both.audio, both.denoised = samples, *noise
    stage.process([both])
    assert times(both) == times(alone)
    assert both.original is samples  # for the stages behind it
    assert all(segment.denoised is None for segment in alone.segments)
    for one, two in zip(both.live_segments, alone.live_segments, strict=True):
        for found, whole in ((one.audio, both.audio), (one.published, both.denoised)):
            cut = whole[one.start : one.end]
            np.testing.assert_allclose(found, cut * (0.6 / np.abs(cut).max()), atol=1e-6)
        np.testing.assert_array_equal(one.speaker_embedding, two.speaker_embedding)


class Known(Diarizer):
    """A diarizer that knows the turns already."""

    def __init__(self, turns):
        self.turns = turns

    def diarize(self, wave):  # noqa: ARG002 - of the base class
        return self.turns


def test_every_setting_of_the_cuts_does_something(crosstalk):
    """With the turns of one recording, as the pipeline found them."""
    samples, turns = crosstalk

    def cut(found=turns, **settings) -> Recording:
        other = Diarize(DiarizeConfig(**settings))
        other.encoder, other.diarizer = Voiceless(), Known(found)
        row = recording(samples)
        other.process([row])
        assert_within(row, other.config)
        return row

    plain = times(cut())
    reasons = [reason for *_, reason in plain]
    assert {"diarize.exclude_overlap", "diarize.overlap_margin_seconds"} <= set(reasons)
    assert "diarize.exclude_overlap" not in [reason for *_, reason in times(cut(exclude_overlap=False))]
    assert "diarize.overlap_margin_seconds" not in [reason for *_, reason in times(cut(overlap_margin_seconds=0.0))]
    assert sum(not reason for *_, reason in times(cut(min_seconds=3.0))) < reasons.count("")
    assert len(times(cut(max_seconds=2.0))) > len(plain)
    halting = [Turn(0, 40_000, "x"), Turn(44_800, 90_000, "x")]
    assert [len(times(cut(halting, max_pause_seconds=pause))) for pause in (0.0, 0.8)] == [2, 1]
    edges = [start for start, *_ in times(cut(max_edge_seconds=0.0))]
    assert edges != [start for start, *_ in plain]


def alone(stage, samples, heard=None) -> Segment:
    """The one utterance of a turn over the whole wave, scored."""
    other = Diarize()
    turn = Turn(0, len(samples), "x")
    other.encoder, other.diarizer = stage.encoder, Known([turn]) if heard is None else heard
    row = recording(samples)
    other.process([row])
    (segment,) = row.live_segments
    return segment


def test_a_change_of_voice_inside_an_utterance_shows(stage):
    cities, call = wave(TWO_CITIES), wave(SAMPLE)
    same = np.concatenate([cities[32_000:80_000], cities[480_000:528_000]])
    two = np.concatenate([cities[32_000:80_000], call[352_000:400_000]])
    limit = DiarizeConfig().max_homogeneity_distance
    assert alone(stage, same).scores["diarize.homogeneity"] < limit < alone(stage, two).scores["diarize.homogeneity"]
    assert "diarize.homogeneity" not in alone(stage, same[:30_000]).scores  # two windows overlap: nothing to compare


def voices(*places, noise=0.0):
    """Voices of windows: unit vectors, equal for equal places."""
    rows = np.eye(192)[list(places)] + np.random.default_rng(0).normal(0, noise, (len(places), 192))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_largest_change_is_that_between_two_voices_and_not_that_of_a_single_window():
    assert largest_change(voices(0, 0, 0)) == pytest.approx(0)
    assert largest_change(voices(0, 0, 0, 1, 1)) == pytest.approx(1)
    assert largest_change(voices(0, 0, 0, 0, 1, 0, 0, 0, 0)) < 0.3  # a cough: as far as another voice, and gone again
    noisy = voices(*[0] * 12, noise=0.06)  # far from the microphone
    assert float(1 - (noisy @ noisy.T).min()) > 0.4
    assert largest_change(noisy) < 0.6 * float(1 - (noisy @ noisy.T).min())


class Doubtful(Known):
    """Hears a second voice from 1.0 to 1.2 s, with this probability, and 0.1 s around it with 0.14."""

    def __init__(self, turns, probability):
        super().__init__(turns)
        self.probability = probability

    def hear(self, wave):
        overlap = np.zeros(-(-len(wave) // 160), np.float32)
        overlap[90:130] = 0.14
        overlap[100:120] = self.probability
        return Heard(self.turns, overlap)


def test_a_second_voice_that_is_not_certain_is_a_score_and_a_likely_one_is_cut_out(stage):
    samples = wave(TWO_CITIES)[16_000:72_000]
    whole = [Turn(0, len(samples), "x")]
    assert alone(stage, samples, Doubtful(whole, 0.19)).scores["diarize.overlap"] == pytest.approx(0.19)
    assert "diarize.overlap" not in alone(stage, samples).scores  # a diarizer without probabilities
    other = Diarize()
    other.encoder, other.diarizer = stage.encoder, Doubtful(whole, 0.21)
    row = recording(samples)
    other.process([row])
    assert [s.verdict.reason for s in row.segments if s.verdict and not s.speaker] == ["diarize.exclude_overlap"]
    assert all(s.end <= 14_400 or s.start >= 20_800 for s in row.live_segments)


def test_speech_beyond_the_edges_is_told_where_the_recording_goes_on():
    speech = np.repeat([0.0, 0.5, 1.0, 0.2], [20, 12, 100, 12]).astype(np.float32)
    found = beyond(speech, 32, 132)
    assert found == {"diarize.speech_before": 0.5, "diarize.speech_after": pytest.approx(0.2)}
    assert beyond(speech, 11, 133) == {}


def test_diarization_hears_silence_beyond_an_utterance_and_speech_inside_one(sample):
    told = [
        s.scores[f"diarize.speech_{side}"]
        for s in sample.live_segments
        for side in ("before", "after")
        if f"diarize.speech_{side}" in s.scores
    ]
    assert len(told) >= 6
    assert all(0 <= value <= 1 for value in told)


@pytest.mark.parametrize(
    ("score", "threshold"),
    [("diarize.overlap", "max_overlap"), ("diarize.homogeneity", "max_homogeneity_distance")],
)
def test_thresholds_judge_when_publishing(score, threshold):
    """Without a model: from the score alone; an utterance without it is kept."""
    rows = pa.array([{score: 0.3}, {score: 0.1}, {}], pa.map_(pa.string(), pa.float64()))
    rules = [r for r in rules_of(load_config(overrides=[f"diarize.{threshold}=0.2"])) if r.score == score]
    table = judge(rows, pa.nulls(3, VERDICT), rules)
    assert table["status"].to_pylist() == ["rejected", "kept", "kept"]
    assert table["reason"].to_pylist()[0] == f"diarize.{threshold}"


def test_limits_are_whole_frames():
    rules = Diarize(DiarizeConfig(min_seconds=1.234, max_seconds=20.0)).rules
    assert (rules.min_length, rules.max_length) == (123 * 160, 2000 * 160)


def assert_within(row: Recording, config: DiarizeConfig) -> None:
    for s in row.segments:
        if s.verdict and s.verdict.value is not None:
            assert s.verdict.value == pytest.approx(s.num_samples / 16_000)
        if s.verdict and s.verdict.reason == "diarize.min_seconds":
            assert s.num_samples < config.min_seconds * 16_000 == s.verdict.threshold * 16_000
    assert all(s.num_samples / 16_000 <= config.max_seconds for s in row.live_segments)


def test_pipeline_from_a_folder_without_one_says_so(tmp_path):
    with pytest.raises(ModelError, match=r"diarize\.pipeline.*config\.yaml"):
        Diarize(DiarizeConfig(pipeline=f"path:{tmp_path}")).setup()


def test_a_complete_pipeline_folder_is_loaded(tmp_path):
    """A speech detector of pyannote's own, in the layout of its published pipelines; all speech gets one label."""
    (tmp_path / "segmentation").mkdir()
    weights = resolve("pyannote-segmentation") / "pytorch_model.bin"
    (tmp_path / "segmentation" / "pytorch_model.bin").symlink_to(weights)
    (tmp_path / "config.yaml").write_text(
        """
        pipeline:
          name: pyannote.audio.pipelines.VoiceActivityDetection
          params: {segmentation: $model/segmentation}
        params: {onset: 0.5, offset: 0.5, min_duration_on: 0.1, min_duration_off: 0.1}
        """
    )
    stage = Diarize(DiarizeConfig(pipeline=f"path:{tmp_path}"))
    stage.setup()
    row = recording(wave(BECKETT))
    stage.process([row])
    assert_sound(row)
    assert len(row.live_segments) == 1


def test_segment_times_are_whole_frames(sample):
    def whole(s: Segment) -> bool:
        return s.start % 160 == 0 and s.end % 160 == 0

    assert all(whole(s) for s in sample.segments)


def known(*turns):
    return Known([Turn(round(start * 16_000), round(end * 16_000), speaker) for start, end, speaker in turns])


@pytest.fixture
def whole(diarizer) -> Diarize:
    stage = Diarize(DiarizeConfig(whole=True, max_seconds=8))
    stage.encoder, stage.diarizer = Voiceless(), diarizer.diarizer
    return stage


def verdicts(stage, row, transcript="What was said."):
    row.source.transcript = transcript
    stage.process([row])
    return [(s.verdict.reason, s.verdict.value, s.verdict.threshold) if s.verdict else None for s in row.segments]


def test_a_recording_with_a_transcript_stays_whole(whole, diarizer):
    pause = np.zeros(16_000, np.float32)
    samples = np.concatenate([librivox()[1], pause, librivox()[1]])
    row, cut = recording(samples), recording(samples)
    assert verdicts(whole, row) == [None]
    assert_sound(row)
    voiceless(diarizer).process([cut])
    assert len(cut.live_segments) == 2
    assert (row.segments[0].start, row.segments[0].end) == (cut.segments[0].start, cut.segments[-1].end)
    assert row.segments[0].speaker == "S0"
    assert verdicts(whole, recording(samples), transcript="") == [("consensus.reference", None, None)]


def test_what_has_no_transcript_of_its_own_is_refused_with_a_reason(whole):
    samples = wave(TWO_CITIES)[: 9 * 16_000]
    whole.diarizer = known((0, 5, "a"), (4, 8, "b"))
    assert verdicts(whole, recording(samples)) == [("diarize.exclude_overlap", None, None)]
    whole.diarizer = known((0, 2, "a"), (5, 8.5, "a"))
    assert verdicts(whole, recording(samples)) == [("diarize.max_seconds", 8.5, 8)]
    first, second = recording(samples), recording(samples, offset=300 * 16_000, span=1)
    first.last = False
    whole.diarizer = known((1, 3, "a"))
    assert [verdicts(whole, row) for row in (first, second)] == [
        [("diarize.max_seconds", end, 8)] for end in (9.0, 309.0)
    ]


def test_what_stands_beside_all_of_its_audio_is_whole_and_beside_a_part_is_tried_again(whole):
    samples = wave(TWO_CITIES)[: 6 * 16_000]
    whole.diarizer = known((1, 3, "a"))
    row = recording(samples)
    row.last, row.complete = False, True  # another audio track of its file follows
    assert verdicts(whole, row) == [None]
    row = recording(samples)
    row.last = False  # what follows could not be decoded
    assert verdicts(whole, row) == [("diarize", None, None)]
    (segment,) = row.segments
    assert segment.verdict.status == "failed"
    assert "a part was not decoded" in segment.verdict.detail
