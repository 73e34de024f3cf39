"""Word times of an aligner back on the words of the transcript, and punctuation by real pauses."""

# ruff: noqa: RUF001 - typographic apostrophes

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.base import Interval
from curation.stages.punctuate.mfa.textgrid import read_words
from curation.stages.punctuate.pauses import pauses_ms
from curation.stages.punctuate.word_times import Timed, letters, place
from curation.text.punctuation import Limits, refine, split

GOLDEN = Path(__file__).parents[2] / "data" / "mfa" / "golden"
SENTENCE = "Unless to be rather cold-hearted, and rather Selfishzq — is to be ill-disposed."


def test_golden_words_come_back_to_the_transcript():
    found = read_words(GOLDEN / "json" / "oov.json")
    words = SENTENCE.split()
    placed = place(words, found, round(5.3 * SAMPLE_RATE))
    times = {word.text: word for word in found}
    assert placed[words.index("—")] is None
    assert placed[4] == Interval(round(1.37 * SAMPLE_RATE), round(2.23 * SAMPLE_RATE))  # cold-hearted, from two words
    odd = placed[words.index("Selfishzq")]
    assert (odd.start, odd.end) == tuple(round(t * SAMPLE_RATE) for t in (times["selfishzq"].start, 3.59))
    assert all(left.end <= right.start for left, right in pairwise(filter(None, placed)))


@pytest.mark.parametrize("words", [["unless"], ["to", "unless"], [], ["…"]])
def test_another_text_is_not_placed(words):
    assert place(words, read_words(GOLDEN / "json" / "oov.json"), 10**6) is None


def test_one_word_of_the_aligner_may_be_several_of_ours():
    placed = place(["你", "好"], [Timed(0.0, 0.4, "你好")], SAMPLE_RATE)
    assert placed == [Interval(0, 3200), Interval(3200, 6400)]


def test_times_stay_within_the_audio():
    assert place(["a", "b"], [Timed(0.0, 0.5, "a"), Timed(0.5, 1.5, "b")], 16_000)[1] == Interval(8000, 16_000)
    assert place(["a"], [Timed(2.0, 2.5, "a")], 16_000) is None


TEXTS = st.lists(st.text(st.sampled_from("abcßé'’-.,5日々"), min_size=1, max_size=6), min_size=1, max_size=6)


@given(TEXTS)
def test_places_are_in_order_whatever_the_words(words):
    found = [Timed(index * 0.3, index * 0.3 + 0.2, word.upper()) for index, word in enumerate(words)]
    placed = place(words, found, 10 * SAMPLE_RATE)
    if not any(map(letters, words)):
        assert placed is None
        return
    assert [one is None for one in placed] == [not letters(word) for word in words]
    assert all(left.end <= right.start for left, right in pairwise(filter(None, placed)))


def test_punctuation_by_the_golden_pauses():
    text = "Unless to be rather cold-hearted and. Rather, selfishzq is to be, ill-disposed"
    placed = place(split(text).words, read_words(GOLDEN / "csv" / "oov.csv"), round(5.3 * SAMPLE_RATE))
    refined, edits = refine(text, pauses_ms(placed), evidence=["and rather"])
    # rather|cold is 150 ms: nothing; and|rather 0 ms and be|ill 0 ms: marks go; rather|selfishzq 190 ms: stays
    assert refined == "Unless to be rather cold-hearted and rather, selfishzq is to be ill-disposed"
    assert [edit.pause_ms for edit in edits if edit.kind == "remove"] == [0, 0]
    assert pauses_ms(placed)[6] == pytest.approx(190, abs=0.1)
    shorter = refine(text, pauses_ms(placed), limits=Limits(insert_ms=140))[0]
    assert shorter.startswith("Unless to be rather, cold-hearted")


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.5), (0.5, 0.4), (1.0, 2.0)])
def test_a_word_without_time_within_the_audio_is_no_place(start, end):
    assert place(["a"], [Timed(start, end, "a")], SAMPLE_RATE) is None
