"""`curation tokenizer fit`, and `curation/fit/tokenizers.py`, which it calls.

`curation consensus fit` is tested in tests/curation/fit/test_consensus.py.
"""

from itertools import pairwise

import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.pipeline.config import load_config
from curation.tokenize.compact.codec import CompactCodec
from curation.tokenize.compact.content import CompactContent
from tests.support.builds import toy_build
from tests.support.commands import curation, message
from tests.support.scripted import noise, scripted_stages, utterance, write_corpus

CLIP = 17.0
"""Seconds of the others: ten of them hold the 2,048 content tokens that are clustered."""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Kept utterances of noise, the first one short."""
    folder = tmp_path_factory.mktemp("fit")
    ends = [1.0, *(1.0 + CLIP * number for number in range(1, 11))]
    script = [utterance(start, end) for start, end in pairwise([0.0, *ends])]
    manifest = write_corpus(folder / "in", {"a.wav": (noise(ends[-1]), SAMPLE_RATE, {"segments": script})})
    config = load_config(overrides=["engine.runtime=in-process", "tokenize=null"])
    toy_build(manifest, folder / "out", config, make_stages=scripted_stages)
    return folder / "out"


@pytest.mark.slow
def test_tokenizers_fitted_to_a_build_are_the_files_that_are_printed(build, tmp_path):
    done = curation("tokenizer", "fit", build, "-o", tmp_path / "fitted", "--steps", 2, "--codes", 256)
    names = ["compact_codec.safetensors", "compact_content.safetensors"]
    assert done.stdout.splitlines() == [str(tmp_path / "fitted" / name) for name in names]
    assert "features" in done.stderr
    assert CompactCodec(tmp_path / "fitted").semantic_size == 256
    assert CompactContent(tmp_path / "fitted").codebook_size == 2048


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--codes", 300], "300 semantic codes: choose of 256, 1024, 8192"),
        (["--max-hours", 0], "holds no kept utterances with audio"),
        (["--max-hours", 0.0003], "content tokens for 2048 codes: give more speech"),
    ],
)
def test_what_cannot_be_fitted_is_explained(build, tmp_path, options, reason):
    assert reason in message(curation("tokenizer", "fit", build, "-o", tmp_path / "fitted", *options, code=2))
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("group", ["tokenizer", "consensus"])
def test_a_folder_without_a_build_is_named(group, tmp_path):
    assert str(tmp_path / "none") in message(curation(group, "fit", tmp_path / "none", "-o", tmp_path / "x", code=2))
