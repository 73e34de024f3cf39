"""SeamlessM4T v2 on a tiny random model in the files of the official repository."""

import pytest
import torch

from curation.core.errors import ModelError
from curation.stages.transcribe import seamless
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.seamless import SeamlessConfig
from curation.text.languages import three_letters
from tests.support.real_speech import librivox
from tests.support.threads import threads_inside

pytest.importorskip("sentencepiece", reason="needs SentencePiece: pip install 'curation[seamless]'")

from tests.support.checkpoints.tiny_seamless import LANGUAGES, save_seamless

WAVES = [*librivox()[:3], librivox()[0][:9000], librivox()[0][:50]]


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch):
    """The random model never ends."""
    monkeypatch.setattr(seamless, "MAX_TOKENS", 24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_seamless(tmp_path_factory.mktemp("seamless") / "model")


def loaded(folder, **settings):
    system = build_system(SeamlessConfig(model=f"path:{folder}", **settings))
    system.load()
    return system


@pytest.fixture(scope="module")
def system(folder):
    return loaded(folder, beam_size=2)


def test_it_writes_the_language_that_is_asked_for(system):
    english, french, again = system.transcribe([WAVES[0]] * 3, ["en", "fr", "en"])
    assert english.text
    assert english == again
    assert english.text != french.text
    assert (english.language, french.language) == ("en", "fr")


def test_it_runs_on_its_own_number_of_threads_and_leaves_the_callers(folder):
    with threads_inside() as found:
        loaded(folder, threads=2).transcribe(WAVES[:1], ["en"])
    assert found == {2}


def test_batch_does_not_matter(system):
    languages = ["en", "yue", "en", "fr", "en"]
    together = system.transcribe(WAVES, languages)
    assert together == [system.transcribe([w], [code])[0] for w, code in zip(WAVES, languages, strict=True)]
    assert len({heard.text for heard in together}) > 2


def test_confidence_is_the_geometric_mean_of_the_token_probabilities(folder):
    """The same figure out of the scores that the search itself gives."""
    greedy = loaded(folder, beam_size=1)
    model, processor = greedy._model, greedy._processor
    inputs = processor(audio=[WAVES[0]], sampling_rate=16000, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(
            **inputs,
            tgt_lang="eng",
            max_new_tokens=seamless.MAX_TOKENS,
            return_dict_in_generate=True,
            output_scores=True,
            do_sample=False,
        )
        scores = model.compute_transition_scores(output.sequences, output.scores, normalize_logits=True)
    (heard,) = greedy.transcribe(WAVES[:1], ["en"])
    assert heard.confidence == pytest.approx(float(scores.mean().exp()), abs=2e-4)
    assert 0 < heard.confidence < 1


def test_languages_come_from_the_model(system):
    assert system.languages == {"ar", "zh", "en", "fr", "fa", "yue"}  # Asturian (`ast`) has no two-letter code
    with pytest.raises(ValueError, match="does not speak"):
        system.transcribe(WAVES[:1], ["de"])


def test_a_folder_without_a_model_says_so(tmp_path):
    with pytest.raises(ModelError, match="is not a SeamlessM4T v2 folder"):
        loaded(tmp_path)


def test_languages_of_the_tiny_model_have_their_two_letters():
    assert three_letters(LANGUAGES) == {"ar": "arb", "zh": "cmn", "en": "eng", "fr": "fra", "fa": "pes", "yue": "yue"}
