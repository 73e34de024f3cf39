"""Which tokenizer a reference opens, through the registry: `tokenize/adapters/base.py`, `tokenize/adapters/compact.py`,
`tokenize/adapters/glm.py`, `tokenize/adapters/bicodec.py`.
"""

import shutil

import pytest

from curation.core.errors import ConfigError, DataError, ModelError
from curation.tokenize.compact.weights import SHIPPED
from curation.tokenize.registry import check_reference, folder_of, kind_of, load_codec, load_content


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The shipped files in a folder, as `curation tokenizer fit` writes them."""
    folder = tmp_path_factory.mktemp("fitted")
    for path in SHIPPED.glob("*.safetensors"):
        shutil.copy(path, folder)
    return folder


def test_a_folder_is_taken_for_what_its_files_are(glm_folder, bicodec_folder, fitted):
    assert load_content(str(glm_folder)).name == "glm-4-voice"
    assert load_codec(str(bicodec_folder)).name == "bicodec"
    assert load_content(str(fitted)).name == load_content("compact").name == "compact-content"
    assert load_codec(str(fitted)).fingerprint == load_codec("compact").fingerprint


def test_a_kind_may_stand_before_the_folder_or_the_reference(glm_folder, bicodec_folder, fitted):
    assert load_content(f"glm:{glm_folder}").fingerprint == load_content(f"path:{glm_folder}").fingerprint
    assert load_codec(f"bicodec:path:{bicodec_folder}").fingerprint == load_codec(str(bicodec_folder)).fingerprint
    assert load_content(f"compact:{fitted}").fingerprint == load_content("compact").fingerprint


def test_a_tokenizer_is_loaded_once():
    assert load_codec("compact") is load_codec("compact", "cpu") is load_codec("compact", device="cpu")
    assert load_content("compact") is load_content(reference="compact", device="cpu")


@pytest.mark.parametrize(
    ("load", "reference", "message"),
    [
        (load_content, "glm", "glm needs a checkpoint"),
        (load_codec, "bicodec", "bicodec needs a checkpoint"),
        (load_codec, "glm", "tokenizer 'glm' has no such stream, it has content"),
        (load_content, "bicodec", "tokenizer 'bicodec' has no such stream, it has codec"),
    ],
)
def test_what_a_kind_lacks_is_named(load, reference, message):
    with pytest.raises(ConfigError, match=message):
        load(reference)


@pytest.mark.parametrize(
    ("reference", "stream", "message"),
    [
        ("nosuch", "codec", "unknown tokenizer 'nosuch': expected one of bicodec, compact, glm, .*a folder"),
        ("compct", "content", "unknown tokenizer 'compct': did you mean 'compact'"),
        ("nosuch:hf:a/b", "codec", "unknown tokenizer 'nosuch'"),
        ("not/there", "codec", "unknown tokenizer 'not/there'"),
        ("bicodec:nosuch", "codec", "bicodec:nosuch: there is no folder or model 'nosuch'"),
        ("bicodec", "codec", "bicodec needs a checkpoint: bicodec:FOLDER, or bicodec:hf:REPO@REVISION"),
        ("glm:", "content", "glm needs a checkpoint: glm:FOLDER, or glm:hf:REPO@REVISION"),
        ("bicodec:hf:a/b", "content", "the tokenizer 'bicodec' has no such stream, it has codec"),
    ],
)
def test_a_reference_that_nothing_can_open_is_refused_before_it_is_opened(reference, stream, message):
    with pytest.raises(ConfigError, match=message):
        check_reference(reference, stream)


def test_a_kind_a_folder_and_a_model_are_references(tmp_path, monkeypatch):
    """A model and an absolute path need not be on this machine."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fitted").mkdir()
    for reference in ("compact", "compact:", "fitted", "whisper-tiny.en", "hf:a/b@c", "path:x", "/not/there"):
        check_reference(reference, "codec")
    for reference in ("bicodec:fitted", "bicodec:/not/there", "bicodec:hf:a/b"):
        check_reference(reference, "codec")


def test_a_folder_without_a_tokenizer_and_no_folder_are_errors(tmp_path):
    for load in (load_content, load_codec):
        with pytest.raises(DataError, match=str(tmp_path)):
            load(str(tmp_path))
        with pytest.raises(ModelError):
            load(f"path:{tmp_path / 'nowhere'}")


def test_a_folder_with_the_name_of_a_kind_is_a_folder_but_for_the_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("glm", "compact"):
        (tmp_path / name).mkdir()
    assert kind_of("glm") == ""
    assert folder_of("glm").resolve() == tmp_path / "glm"
    assert kind_of("compact") == "compact"
