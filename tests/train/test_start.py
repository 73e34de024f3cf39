"""What a run begins or goes on with."""

import pytest

from curation.core.errors import ConfigError
from curation.train.config import load_training_config
from curation.train.distributed import World
from curation.train.run import prepare
from tests.train.test_run import FEW, shards, train


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A corpus, and a run on it."""
    folder = tmp_path_factory.mktemp("begun")
    corpus = shards(folder / "build")
    train(corpus, folder / "run", "run.steps=1")
    return corpus, folder / "run"


@pytest.mark.parametrize("setting", ["run.seed=1", "speech.text_size=300", "model.start_from=elsewhere"])
def test_what_counts_at_the_beginning_alone_is_not_changed_later(begun, setting):
    section, name = setting.partition("=")[0].split(".")
    with pytest.raises(ConfigError, match=rf"{section}\.{name} was .* where this run began.*step-.* another folder"):
        train(*begun, setting)


def test_tokenizers_that_have_moved_are_named_anew(begun, tmp_path):
    corpus, run = begun
    config = load_training_config(overrides=[*FEW, f"speech.glm=glm:{tmp_path}"])
    tokenizers = prepare(corpus, run, config, World()).speech.tokenizers
    assert (tokenizers.glm, tokenizers.bicodec) == (f"glm:{tmp_path}", "compact")


def test_a_start_without_a_checkpoint_leaves_no_vocabulary_behind(begun, tmp_path):
    sizes = {}
    for size in (256, 300):
        config = load_training_config(overrides=[*FEW, f"speech.text_size={size}"])
        sizes[size] = prepare(begun[0], tmp_path, config, World()).speech.vocabulary.size
    assert sizes[300] > sizes[256]
