"""The boundary stage on real speech: whole utterances against the same cut mid-word."""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from curation.audio.cuts import cut_probabilities
from curation.audio.levels import frame_energy
from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Segment, fail
from curation.manifests.schemas import VERDICTS
from curation.manifests.verdicts import judge
from curation.pipeline.config import load_config
from curation.pipeline.rules import rules_of
from curation.stages.boundary import Boundary, BoundaryConfig
from tests.support.real_speech import TWO_CITIES, librivox, recording, wave

MFA = Path(__file__).parents[1] / "data" / "mfa"
LIMIT = BoundaryConfig().max_cut


@cache
def reading():
    """Five sentences of a reader that the fit never heard, as one recording, and the times of its words (samples)."""
    words, offset = [], 0
    for path, samples in zip(sorted(MFA.glob("sense*.json")), librivox(), strict=True):
        times = np.array([word[:2] for word in json.loads(path.read_text())])
        words += [tuple(pair) for pair in (times * SAMPLE_RATE).round().astype(int) + offset]
        offset += len(samples)
    return np.concatenate(librivox()), words


def places():
    """(start, end, side, cut) of utterances of the reading: from pauses, and from the middles of long words."""
    samples, words = reading()
    second, pad = SAMPLE_RATE, 3 * SAMPLE_RATE // 20
    for (_, last), (first, _) in pairwise(words):
        if first - last >= 0.25 * SAMPLE_RATE:
            yield first - pad, min(first + 2 * second, len(samples)), 0, False
            yield max(last - 2 * second, 0), last + pad, 1, False
    for first, last in words:
        at = (first + last) // 2
        if last - first >= 0.2 * SAMPLE_RATE and second < at < len(samples) - second:
            yield at, min(at + 2 * second, len(samples)), 0, True
            yield max(at - 2 * second, 0), at, 1, True


def noisy(samples, snr_db):
    noise = np.random.default_rng(0).standard_normal(len(samples))
    level = 10 ** ((np.quantile(frame_energy(samples), 0.9) - snr_db) / 20)
    return (samples + noise * level).astype(np.float32)


@pytest.mark.parametrize(("snr_db", "gain"), [(None, 1), (None, 0.01), (20, 1), (10, 1), (10, 0.05)])
def test_cut_words_are_told_from_whole_edges_in_any_noise_and_at_any_gain(snr_db, gain):
    """The old score, of the utterance's edge above its noise floor, had an AUC of .90 at 10 dB."""
    samples, _ = reading()
    heard = (samples if snr_db is None else noisy(samples, snr_db)) * np.float32(gain)
    found = [(cut_probabilities(heard, start, end)[side], cut) for start, end, side, cut in places()]
    scores, cut = (np.array(column) for column in zip(*found, strict=True))
    assert (~cut).sum() >= 8
    assert cut.sum() >= 60
    assert roc_auc_score(cut, scores) > 0.95
    assert scores[~cut].max() < LIMIT
    assert (scores[cut] > LIMIT).mean() > 0.85


def test_the_ends_of_a_recording_are_judged_from_the_inside():
    whole = [score for samples in librivox() for score in cut_probabilities(samples)]
    assert max(whole) < LIMIT
    samples, words = reading()
    middles = [(first + last) // 2 for first, last in words[2:-2] if last - first >= 0.2 * SAMPLE_RATE]
    cut = [
        score for at in middles for score in (cut_probabilities(samples[at:])[0], cut_probabilities(samples[:at])[1])
    ]
    assert roc_auc_score([0] * len(whole) + [1] * len(cut), whole + cut) > 0.95
    assert np.mean(np.array(cut) > LIMIT) > 0.8


def test_speech_that_goes_on_beyond_the_edge_is_the_evidence():
    """The same utterance with the same end: whole where a pause follows, even a noisy one, cut where speech does."""
    samples, words = reading()
    scores = []
    for first, last in words:
        at = (first + last) // 2
        if last - first < 0.2 * SAMPLE_RATE or not SAMPLE_RATE < at < len(samples) - SAMPLE_RATE:
            continue
        stopped = samples.copy()
        stopped[at : at + SAMPLE_RATE // 2] *= np.float32(0.01)
        start = at - SAMPLE_RATE
        scores.append((cut_probabilities(samples, start, at)[1], cut_probabilities(stopped, start, at)[1]))
    goes_on, stops = np.array(scores).T
    assert (goes_on > stops).mean() > 0.9
    assert np.median(goes_on) > 0.9


def test_scores_and_no_verdict():
    samples = wave(TWO_CITIES)
    made = recording(samples)
    inside = round(5.9 * SAMPLE_RATE)  # "wisdom"
    after = round(6.4 * SAMPLE_RATE)
    made.segments = [Segment(inside, after), Segment(0, 9), Segment(0, after)]
    made.segments[1].verdict = fail("x", "y")
    Boundary().process([made])
    cut, failed, whole = (segment.scores for segment in made.segments)
    assert cut["boundary.cut"] == cut["boundary.start"] > LIMIT > cut["boundary.end"]
    assert whole["boundary.cut"] == max(whole["boundary.start"], whole["boundary.end"]) < LIMIT
    assert failed == {}
    assert made.segments[0].verdict is None


def test_where_nobody_speaks_beyond_an_edge_no_word_is_cut_there():
    """As diarization hears it, which tells music from speech."""
    samples, words = reading()
    at, until = (sum(words[number]) // 2 for number in (4, 12))
    made = recording(samples)
    scores = {"diarize.speech_before": 0.25, "diarize.speech_after": 1.0}
    made.segments = [Segment(at, until, scores=dict(scores)), Segment(at, until)]
    Boundary().process([made])
    music, alone = (segment.scores for segment in made.segments)
    assert music["boundary.start"] == pytest.approx(0.25 * alone["boundary.start"])
    assert music["boundary.end"] == alone["boundary.end"]
    assert music["boundary.cut"] == max(music["boundary.start"], music["boundary.end"])


def test_the_span_is_heard_as_it_was_decoded():
    """Not as it is compressed, and not as it is published: a denoiser's gate makes no cut whole."""
    samples, words = reading()
    offset = 5 * SAMPLE_RATE
    at = sum(words[4]) // 2
    made = recording(np.zeros_like(samples), offset=offset)
    made.original, made.denoised = samples, np.zeros_like(samples)
    made.segments = [Segment(at + offset, at + offset + SAMPLE_RATE)]
    Boundary().process([made])
    assert made.segments[0].scores["boundary.start"] == cut_probabilities(samples, at, at + SAMPLE_RATE)[0] > LIMIT


def test_without_utterances_no_audio_is_needed():
    made = recording(np.zeros(100, np.float32))
    made.audio = None
    Boundary().process([made])
    assert made.segments == []
    assert Boundary.hears_spans


def verdicts(*overrides):
    """What the rules make of utterances that are certain but for their edges."""
    scores = {"transcribe.systems": 3.0, "text.words": 5.0, "pwer": 0.05, "confidence.calibrated": 0.9}
    rows = [list({**scores, "boundary.cut": cut}.items()) for cut in (0.3, 0.49, 0.51, 0.95)]
    maps = pa.array(rows, pa.map_(pa.string(), pa.float64()))
    found = judge(maps, pa.array([None] * 4, pa.struct(list(VERDICTS))), rules_of(load_config(overrides=overrides)))
    return ["" if row["status"] == "kept" else row["reason"] for row in found.to_pylist()]


def test_utterances_are_rejected_above_the_limit():
    over = "boundary.max_cut"
    assert verdicts() == ["", "", over, over]
    assert verdicts("boundary.max_cut=0.9") == ["", "", "", over]
    assert verdicts("boundary.max_cut=0.4") == ["", over, over, over]


def test_the_configuration_is_kept():
    assert Boundary(BoundaryConfig(max_cut=0.6)).config.max_cut == 0.6
    assert Boundary().config == BoundaryConfig()
