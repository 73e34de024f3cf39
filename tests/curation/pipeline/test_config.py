"""Configuration: what is wrong is named with the key and the nearest right one."""

import pickle

import pytest
import yaml

from curation.core.errors import ConfigError
from curation.core.settings import to_yaml
from curation.pipeline.config import label_settings, load_config, validate


@pytest.mark.parametrize("overrides", [[], ["denoise=null", "boundary=null", "punctuate=null", "tokenize=null"]])
def test_the_resolved_configuration_can_be_read_back_and_sent_to_workers(overrides):
    config = load_config(overrides=overrides)
    written = yaml.safe_load(to_yaml(config))
    assert list(written) == list(type(config).model_fields)  # a section that is off says so
    assert validate(written, "build.yaml") == config
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - our own


def test_a_file_chooses_its_preset(tmp_path):
    (tmp_path / "c.yaml").write_text("preset: paper\nconsensus: {max_pwer: 0.3}\n")
    assert load_config(tmp_path / "c.yaml").transcribe == load_config(preset="paper").transcribe
    assert load_config(tmp_path / "c.yaml", preset="paper") == load_config(tmp_path / "c.yaml")
    assert load_config(preset="paper").transcribe != load_config().transcribe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("consensus.max_pwerr=0.1", r"consensus\.max_pwerr: unknown key; did you mean 'max_pwer'"),
        ("consensis.max_pwer=0.1", r"consensis: unknown key; did you mean 'consensus'"),
        ("consensus.max_pwer=often", r"consensus\.max_pwer: input should be a valid number"),
        ("publish.shard_hours=1e-9", r"publish\.shard_hours: input should be greater than or equal to 0.0005"),
        ("engine.runtime=spark", r"engine\.runtime: input should be 'ray' or 'in-process'"),
        ("consensus", "expected key=value"),
        ("a=[", "not valid YAML"),
    ],
)
def test_mistakes_are_explained(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[override])


def test_unknown_key_in_a_system_of_a_list(tmp_path):
    file = tmp_path / "corpus.yaml"
    systems = [{"name": "w", "kind": "whisper", "model": "whisper-base", "beam": 3}]
    file.write_text(yaml.safe_dump({"transcribe": {"systems": systems, "language_system": "w"}}))
    with pytest.raises(
        ConfigError, match=r"corpus\.yaml: transcribe\.systems\.0.*beam: unknown key; did you mean 'beam_size'"
    ):
        load_config(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [("a: [", "not valid YAML"), ("- a", "expected sections"), ("!!python/name:os.system x", "YAML")],
)
def test_files_that_are_no_configuration(tmp_path, content, message):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "c.yaml")


def test_missing_file_and_unknown_preset(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="choose one of offline"):
        load_config(preset="onlyne")


def test_file_over_preset_and_override_over_file(tmp_path):
    (tmp_path / "c.yaml").write_text("consensus: {max_pwer: 0.3}\npunctuate: null\n")
    config = load_config(tmp_path / "c.yaml", overrides=["consensus.max_pwer=0.2"])
    assert config.consensus.max_pwer == 0.2
    assert config.punctuate is None
    assert config.transcribe == load_config().transcribe


@pytest.mark.parametrize(
    "override", ["consensus.max_pwer=0.4", "engine.workers=7", "publish.audio=true", "tokenize=null"]
)
def test_publish_settings_do_not_ask_for_new_labels(override):
    assert label_settings(load_config(overrides=[override])) == label_settings(load_config())


@pytest.mark.parametrize(
    "override", ["loudness.ratio=9", "punctuate=null", "engine.batch_seconds=1", "diarize.min_seconds=2"]
)
def test_label_settings_do(override):
    assert label_settings(load_config(overrides=[override])) != label_settings(load_config())
