"""Canary and Parakeet adapters on tiny models of their own classes, saved as .nemo and read back."""

from pathlib import Path

import numpy as np
import pytest

from curation.manifests.records import Recording, Segment, Source
from curation.stages.base import run_stage
from curation.stages.transcribe.nemo.adapter import NemoConfig
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.stage import Transcribe, TranscribeConfig
from tests.support.real_speech import librivox
from tests.support.threads import threads_inside

pytest.importorskip("nemo", reason="needs NeMo: pip install 'curation[nemo]'")

from tests.support.checkpoints.tiny_nemo import save_canary

WAVES = [*librivox()[:3], librivox()[1][:6000]]


def loaded(path: Path, **settings):
    system = build_system(NemoConfig(name=path.stem, model=f"path:{path}", **settings))
    system.load()
    return system


@pytest.fixture(scope="module")
def parakeet(parakeet_file):
    return loaded(parakeet_file, languages=["en", "fr"])


@pytest.fixture(scope="module")
def canary(canary_file):
    return loaded(canary_file)


def test_parakeet_gives_word_times_and_confidences(parakeet):
    for wave, heard in zip(WAVES, parakeet.transcribe(WAVES, ["en"] * len(WAVES)), strict=True):
        assert heard.text == " ".join(word.text for word in heard.words)
        assert 0 < heard.confidence <= 1
        assert all(0 < word.confidence <= 1 for word in heard.words)
        times = [time for word in heard.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= len(wave)
        assert times[-1] > 0.9 * len(wave)  # the tiny model never stops talking


def test_it_runs_on_its_own_number_of_threads_and_leaves_the_callers(parakeet_file):
    with threads_inside() as found:
        loaded(parakeet_file, threads=2).transcribe(WAVES[:1], ["en"])
    assert found == {2}


def test_canary_gets_the_language_in_its_prompt(canary):
    english, german, again = canary.transcribe([WAVES[0]] * 3, ["en", "de", "en"])
    assert english.text
    assert english.text != german.text
    assert english == again
    assert (english.language, german.language) == ("en", "de")
    assert 0 < english.confidence <= 1


def test_canary_speaks_the_languages_that_have_a_prompt_token(canary):
    assert canary.languages == {"en", "de", "fr"}  # <|zh|> is in the file, but not in the list of trained languages
    with pytest.raises(ValueError, match="does not speak"):
        canary.transcribe(WAVES[:1], ["es"])


def prompt_of(system, language: str) -> str:
    """What Canary is given before it writes, as NeMo's own formatter puts it together."""
    slots = system._prompt | {"source_lang": language, "target_lang": language}
    ids = system._model.prompt.encode_dialog(turns=[{"role": "user", "slots": slots}])["context_ids"]
    return "".join(system._model.tokenizer.ids_to_tokens(ids.tolist())).replace("\u2581", "")


def test_the_prompts_of_both_generations(canary, folder):
    first = loaded(save_canary(folder / "canary-1b.nemo", prompt_format="canary"))
    assert prompt_of(first, "de") == "<|startoftranscript|><|de|><|transcribe|><|de|><|pnc|>"
    assert prompt_of(canary, "fr") == (
        "<|startofcontext|><|startoftranscript|><|emo:undefined|><|fr|><|fr|><|pnc|><|noitn|><|notimestamp|><|nodiarize|>"
    )
    english, german = first.transcribe([WAVES[0]] * 2, ["en", "de"])
    assert english.confidence != german.confidence


@pytest.mark.parametrize("name", ["parakeet", "canary"])
def test_batch_does_not_matter(name, request):
    system = request.getfixturevalue(name)
    languages = ["en", "fr", "en", "fr"]
    together = system.transcribe(WAVES, languages)
    assert together == [system.transcribe([w], [code])[0] for w, code in zip(WAVES, languages, strict=True)]
    assert len({heard.text for heard in together}) > 1


def test_the_stage_runs_both(parakeet_file, canary_file):
    systems = [
        {"kind": "nemo", "name": path.stem, "model": f"path:{path}", "batch_size": 2}
        for path in (parakeet_file, canary_file)
    ]
    stage = Transcribe(TranscribeConfig(systems=systems, language_system=""))
    stage.setup()
    segments = [Segment(80000, 80000 + len(WAVES[0]), audio=WAVES[0])]
    item = Recording(Source("r", "r.wav", language="en"), num_samples=400000, segments=segments)
    run_stage(stage, [item])
    first, second = item.segments[0].hypotheses
    assert not first.error
    assert not second.error
    assert first.words[0].start >= 80000


def test_silence_is_no_error(parakeet, canary):
    for system in (parakeet, canary):
        (heard,) = system.transcribe([np.zeros(100, np.float32)], ["en"])
        assert not heard.error
        assert all(word.end <= 100 for word in heard.words)
