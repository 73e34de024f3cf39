"""What the ASR systems share: signs of a hallucinated text, one language per call, packages that are missing."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.declarations import Package
from curation.core.errors import ModelError
from curation.manifests.records import Hypothesis
from curation.stages.transcribe.base import by_language, needs_package, text_scores

PACKAGE = Package("nemo", "curation[nemo]")


def test_repetition_shows_in_the_scores():
    loop = text_scores("I heard a beep. " * 8)
    plain = text_scores("And Mr. John Dashwood had then leisure to consider how much there might be.")
    assert loop["repeated_trigram_share"] > 0.7
    assert loop["compression_ratio"] > 2.4
    assert plain == {"compression_ratio": pytest.approx(1.0, abs=0.2), "repeated_trigram_share": 0}
    assert text_scores("") == {"compression_ratio": 0.0, "repeated_trigram_share": 0.0}


def test_three_words_in_a_row_are_counted():
    assert text_scores("a b c a b c")["repeated_trigram_share"] == 0.25  # abc bca cab abc
    assert text_scores("a x c a y c")["repeated_trigram_share"] == 0
    assert text_scores("a b a b")["repeated_trigram_share"] == 0
    assert text_scores("go on")["repeated_trigram_share"] == 0


def test_the_ratio_counts_bytes():
    text = "naïve café " * 3
    data = text.encode()
    assert text_scores(text)["compression_ratio"] == round(len(data) / len(zlib.compress(data)), 9)


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["en", "de", "fr"]))))
def test_one_call_per_language_and_the_order_of_the_waves(items):
    calls = []

    def transcribe(waves, language):
        calls.append(language)
        return [Hypothesis("s", f"{wave} in {language}") for wave in waves]

    heard = by_language([wave for wave, _ in items], [code for _, code in items], transcribe)
    assert [item.text for item in heard] == [f"{wave} in {code}" for wave, code in items]
    assert sorted(calls) == sorted({code for _, code in items})


def test_a_missing_package_is_named_with_the_command():
    with (
        pytest.raises(ModelError, match=r"canary needs nemo \(.*\): pip install 'curation\[nemo\]'"),
        needs_package("canary", PACKAGE),
    ):
        import no_such_package_at_all  # noqa: F401
