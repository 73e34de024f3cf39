"""The adapter of Montreal Forced Aligner: on a stand-in everywhere, on the real one where it is installed."""

# ruff: noqa: RUF001 - typographic apostrophes

import hashlib
import json
import stat
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ModelError
from curation.manifests.records import Segment
from curation.models.store import resolve
from curation.pipeline.config import load_config
from curation.preflight.doctor import examine
from curation.stages.punctuate.base import Spoken
from curation.stages.punctuate.mfa.adapter import MontrealForcedAligner
from curation.stages.punctuate.mfa.models import INSTALL, MfaConfig, missing, model_folder
from curation.stages.punctuate.mfa.textgrid import read_words
from curation.stages.punctuate.stage import Punctuate, PunctuateConfig
from tests.support.checkpoints import mfa_stand_in
from tests.support.real_speech import librivox, recording

GOLDEN = Path(__file__).parents[3] / "data" / "mfa" / "golden"
MODELS = {"acoustic_model": f"path:{GOLDEN / 'acoustic.zip'}", "dictionary": f"path:{GOLDEN / 'dictionary.dict'}"}
NOT_HERE = missing(MfaConfig(**MODELS))
needs_mfa = pytest.mark.skipif(bool(NOT_HERE), reason=f"Montreal Forced Aligner is not here: {NOT_HERE}")
SENTENCE = "Unless to be rather cold-hearted, and rather Selfishzq — is to be ill-disposed."
SILENCE = np.zeros(5 * SAMPLE_RATE, np.float32)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def stand_in(store, monkeypatch):
    mfa_stand_in.install(monkeypatch)


def loaded(**settings):
    aligner = MontrealForcedAligner(MfaConfig(**MODELS, **settings))
    aligner.load()
    return aligner


def starts(placed):
    return [None if one is None else round(one.start / SAMPLE_RATE, 3) for one in placed]


# In memory -----------------------------------------------------------------------------------------------------------


def test_words_are_placed_in_order_and_symbols_are_left_out(stand_in):
    words = SENTENCE.split()
    placed = loaded().align(SILENCE, words, "en")
    # Each word takes 200 ms from 0.1 s on, cold-hearted and ill-disposed twice that, the dash nothing.
    assert starts(placed) == [0.1, 0.3, 0.5, 0.7, 0.9, 1.3, 1.5, 1.7, None, 1.9, 2.1, 2.3, 2.5]
    assert placed[-1].end == round(2.9 * SAMPLE_RATE)


def test_apostrophes_and_case(stand_in):
    placed = loaded().align(SILENCE, ["It’s", "DON'T", "to"], "en")
    assert starts(placed) == [0.1, 0.3, 0.5]


def test_what_does_not_fit_gives_none(stand_in):
    aligner = loaded()
    assert aligner.align(SILENCE, ["a", "mismatch"], "en") is None  # the beam was too narrow
    assert aligner.align(SILENCE, ["—"], "en") is None
    assert aligner.align(SILENCE, [], "en") is None
    assert aligner.align(SILENCE[:400], ["a"], "en") is None
    assert aligner.align(SILENCE, ["hallo"], "de") is None


def test_beams_and_the_compiled_dictionary(stand_in, store):
    loaded(beam=12, retry_beam=60)
    assert mfa_stand_in.KalpyAligner.made[-1].beams == (12, 60)
    loaded()
    assert mfa_stand_in.LexiconCompiler.compiled == 1  # the second time it is read from disk
    (folder,) = (store / "mfa" / "lexicons").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["L.fst", "L_align.fst", "phones.txt", "words.txt"]


def test_g2p_words_get_a_dictionary_of_their_own(stand_in, tmp_path):
    (tmp_path / "g2p").mkdir()
    aligner = loaded(g2p=f"path:{tmp_path / 'g2p'}")
    seen = []
    align = mfa_stand_in.KalpyAligner.align_utterance

    def watching(self, utterance):
        seen.append(self.lexicon_compiler.word_table.symbols[2:])
        return align(self, utterance)

    mfa_stand_in.KalpyAligner.align_utterance = watching
    try:
        first = aligner.align(SILENCE, ["the", "selfishzq", "日本"], "en")
        aligner.align(SILENCE, ["the"], "en")
        assert aligner.align(SILENCE, ["the", "selfishzq", "日本"], "en") == first
    finally:
        mfa_stand_in.KalpyAligner.align_utterance = align
    assert seen[0] == ["the", "the", "selfishzq"]  # both pronunciations, the guess, and spoken noise for the third
    assert "selfishzq" not in seen[1]
    assert len(seen[1]) > 100
    assert starts(first) == [0.1, 0.3, 0.5]


def test_the_golden_model_is_unpacked_once_and_flat(store):
    folder = model_folder(MODELS["acoustic_model"])
    assert {"final.mdl", "final.alimdl", "lda.mat", "tree", "meta.json"} <= {path.name for path in folder.iterdir()}
    before = (folder / "meta.json").stat().st_mtime_ns
    assert model_folder(MODELS["acoustic_model"]) == folder
    assert (folder / "meta.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["../evil", "/evil", "a\\..\\evil"])
def test_no_archive_leads_out_of_its_folder(store, tmp_path, name):
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")
        archive.writestr("final.mdl", "y")
    folder = model_folder(f"path:{path}")
    assert sorted(item.name for item in folder.iterdir()) == ["evil", "final.mdl"]
    assert not (tmp_path / "evil").exists()


def test_an_archive_that_is_none_is_named(store, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match=r"model\.zip is not a model"):
        model_folder(f"path:{tmp_path / 'model.zip'}")
    assert not list((store / "mfa").rglob("final.mdl"))


@pytest.mark.skipif(not NOT_HERE, reason="Montreal Forced Aligner is installed here")
def test_without_mfa_the_error_says_what_to_do():
    with pytest.raises(ModelError, match="which pip does not bring") as caught:
        loaded()
    assert INSTALL in str(caught.value)


# The command line ----------------------------------------------------------------------------------------------------

PROGRAM = """#!PYTHON
import json, os, sys
from pathlib import Path
words = sys.argv[1:]
command, corpus, dictionary, model, out = words[:5]
assert command == "align" and Path(dictionary).is_file() and Path(model).is_file(), words
options = words[5:]
assert options[options.index("--output_format") + 1] == "json"
assert options[options.index("--beam") + 1] == "10" and "--single_speaker" in options
assert str(Path(sys.argv[0]).parent) == os.environ["PATH"].split(":")[0] and os.environ["MFA_ROOT_DIR"]
Path(out).mkdir()
Path(LOG).write_text(json.dumps(words))
texts = {path.stem: path.read_text().split() for path in sorted(Path(corpus).glob("*.lab"))}
assert {stem + ".wav" for stem in texts} == {path.name for path in Path(corpus).glob("*.wav")}
if any("broken" in text for text in texts.values()):
    sys.exit("database is locked")
texts = {stem: text for stem, text in texts.items() if "mismatch" not in text}
if not texts:
    sys.exit("NoAlignmentsError: There were no successful \\nalignments for 1 utterances.")
for stem, text in texts.items():
    entries = [[0.2 * n, 0.2 * n + 0.2, word.lower().strip(",.")] for n, word in enumerate(text)]
    tiers = {"words": {"type": "interval", "entries": entries}}
    (Path(out) / (stem + ".json")).write_text(json.dumps({"start": 0, "end": 5, "tiers": tiers}))
"""


@pytest.fixture
def program(store, tmp_path):
    path = tmp_path / "mfa"
    path.write_text(PROGRAM.replace("PYTHON", sys.executable).replace("LOG", repr(str(tmp_path / "log"))))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_batch_goes_through_one_start_of_the_program(program, tmp_path):
    aligner = loaded(run="command", command=str(program))
    batch = [
        Spoken(SILENCE, ["Is", "—", "it,"], "en"),
        Spoken(SILENCE, ["mismatch"], "en"),
        Spoken(SILENCE, ["hallo"], "de"),
        Spoken(SILENCE, ["—"], "en"),
        Spoken(SILENCE, ["cold-hearted", "man"], "en"),
    ]
    placed = aligner.align_all(batch)
    assert [starts(one) if one else None for one in placed] == [[0.0, None, 0.2], None, None, None, [0.0, 0.2]]
    assert json.loads((tmp_path / "log").read_text())[0] == "align"


def test_a_batch_of_which_nothing_fits_is_a_result(program):
    assert loaded(run="command", command=str(program)).align(SILENCE, ["mismatch"], "en") is None


def test_a_program_that_fails_says_why(program):
    with pytest.raises(RuntimeError, match="ended with 1: database is locked"):
        loaded(run="command", command=str(program)).align(SILENCE, ["broken"], "en")


def test_a_missing_program_is_named():
    with pytest.raises(ModelError, match=r"no-such-mfa.*conda install"):
        loaded(run="command", command="no-such-mfa")


# In the stage --------------------------------------------------------------------------------------------------------


def punctuated(text, **settings):
    stage = Punctuate(PunctuateConfig(aligner="mfa", mfa=MfaConfig(**MODELS), **settings))
    stage.setup()
    made = recording(librivox()[1])
    made.segments = [Segment(0, made.num_samples, language="en", text=text)]
    stage.process([made])
    return made.segments[0]


def test_the_row_says_which_aligner_it_was(stand_in):
    assert punctuated("he was not").notes["punctuate.aligner"] == "mfa"
    assert punctuated("he was mismatch").notes["punctuate.aligner"] == "none"
    assert punctuated("he was mismatch", fallback="pocketsphinx").notes["punctuate.aligner"] == "pocketsphinx"


@pytest.mark.skipif(not NOT_HERE, reason="Montreal Forced Aligner is installed here")
def test_without_mfa_the_fallback_does_all():
    segment = punctuated("he was not an ill disposed young man", fallback="pocketsphinx")
    assert segment.notes["punctuate.aligner"] == "pocketsphinx"
    assert segment.words
    with pytest.raises(ModelError, match="conda install"):
        punctuated("he was not")


def test_settings_without_models_are_refused():
    with pytest.raises(ValueError, match=r"punctuate\.mfa\.acoustic_model"):
        PunctuateConfig(aligner="mfa")


# The real one --------------------------------------------------------------------------------------------------------


@needs_mfa
@pytest.mark.timeout(900)
def test_real_alignment_in_memory_is_that_of_the_command_line():
    """Golden times come from `mfa align`, which normalises over a speaker, not over an utterance."""
    aligner = loaded()
    differences = []
    for path, wave in zip(sorted((GOLDEN / "json").glob("sense*.json")), librivox(), strict=True):
        found = read_words(path)
        placed = aligner.align(wave, [word.text for word in found], "en")
        for word, one in zip(found, placed, strict=True):
            differences += [one.start / SAMPLE_RATE - word.start, one.end / SAMPLE_RATE - word.end]
    assert np.median(np.abs(differences)) <= 0.01
    assert np.quantile(np.abs(differences), 0.95) <= 0.1


@needs_mfa
@pytest.mark.timeout(900)
def test_real_words_outside_the_dictionary_keep_their_place():
    placed = loaded().align(librivox()[2], SENTENCE.split(), "en")
    assert placed[8] is None
    assert abs(placed[7].start / SAMPLE_RATE - 2.96) <= 0.05


@needs_mfa
@pytest.mark.timeout(900)
def test_real_alignment_does_not_depend_on_what_came_before():
    aligner = loaded()
    texts = [[word.text for word in read_words(path)] for path in sorted((GOLDEN / "json").glob("sense*.json"))]
    batch = [Spoken(wave, text, "en") for wave, text in zip(librivox(), texts, strict=True)]
    assert aligner.align_all(batch) == aligner.align_all(batch[::-1])[::-1]


def test_resolving_with_a_pin(tmp_path):
    path = GOLDEN / "dictionary.dict"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert resolve(f"path:{path}#sha256={digest}") == path
    with pytest.raises(ModelError, match="SHA-256"):
        resolve(f"path:{path}#sha256={'0' * 64}")


@pytest.mark.skipif(not NOT_HERE, reason="Montreal Forced Aligner is installed here")
def test_doctor_names_mfa_and_its_models_with_the_commands(store):
    found = {check.what: check for check in examine(load_config(preset="paper"), str(store))}
    check = found["Montreal Forced Aligner"]
    assert not check.ok
    assert INSTALL in check.remedy
    assert "pocketsphinx takes its place" in check.remedy
    remedies = [check.remedy for what, check in found.items() if "pretrained_models" in what]
    kinds = ("acoustic", "dictionary", "g2p")
    assert sorted(remedies) == [f"mfa model download {kind} english_us_arpa" for kind in kinds]
    assert "Montreal Forced Aligner" not in {check.what for check in examine(load_config(), str(store))}
