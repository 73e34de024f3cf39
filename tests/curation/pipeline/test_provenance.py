"""How a build was made: its configuration is read back, and other label settings are refused."""

import json

import pytest
import yaml

from curation import __version__
from curation.core.errors import ConfigError, DataError
from curation.core.settings import override, read_yaml
from curation.core.storage import Storage
from curation.pipeline.config import load_config, validate
from curation.pipeline.provenance import (
    CONFIG_FILE,
    LABEL_FILE,
    LABEL_FORMAT,
    check_label_settings,
    open_labelled,
    pinned,
    read_config,
    tell_changes,
    write_config,
)
from tests.support.builds import toy_build, toy_config, write_recordings


@pytest.fixture
def out(tmp_path):
    return Storage(str(tmp_path))


def test_the_configuration_is_read_back(out):
    config = load_config(overrides=["consensus.max_pwer=0.1", "denoise=null"])
    write_config(out, config)
    assert read_config(out) == config


def test_a_folder_without_a_build_is_named(out, tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path} holds no build: run `curation build` first"):
        open_labelled(str(tmp_path))


def test_changes_since_the_last_run_are_logged_by_their_names(out, caplog):
    tell_changes(out, load_config())
    write_config(out, load_config())
    tell_changes(out, load_config())
    assert not caplog.records
    tell_changes(out, load_config(overrides=["consensus.max_pwer=0.1", "boundary=null"]))
    assert "consensus.max_pwer: 0.15 -> 0.1" in caplog.text
    assert "boundary.max_cut" in caplog.text
    assert "min_words" not in caplog.text


@pytest.mark.parametrize("override", ["consensus.max_pwer=0.1", "publish.shard_hours=1", "tokenize=null"])
def test_settings_of_the_publish_pass_may_change(out, override):
    check_label_settings(out, load_config(), is_new=True)
    check_label_settings(out, load_config(overrides=[override]), is_new=False)


def test_settings_of_the_label_pass_may_not(out):
    check_label_settings(out, load_config(), is_new=True)
    with pytest.raises(ConfigError, match=r"labelled with other settings:\n +-denoise:(.|\n)*another output folder"):
        check_label_settings(out, load_config(overrides=["denoise=null"]), is_new=False)


def test_software_that_labels_in_another_way_may_not_go_on(out, tmp_path):
    check_label_settings(out, load_config(), is_new=True)
    settings = tmp_path / "plan/settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"labels": 1}))
    with pytest.raises(ConfigError, match=rf"-labels: 1\n +\+labels: {LABEL_FORMAT}\n.*use that version") as caught:
        check_label_settings(out, load_config(), is_new=False)
    assert "Use the old ones" not in str(caught.value)  # no settings bring the old labels back


def test_a_patch_release_may_go_on(out):
    check_label_settings(out, load_config(), is_new=True)
    assert __version__ not in out.read_bytes("plan/settings.json").decode()


def test_a_model_whose_content_has_changed_is_refused(out, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.bin").write_bytes(b"weights")
    system = f"{{kind: whisper, name: mine, model: 'path:{model}'}}"
    config = load_config(overrides=[f"transcribe.systems=[{system}]", "transcribe.language_system=mine"])
    check_label_settings(out, config, is_new=True)
    check_label_settings(out, config, is_new=False)
    (model / "model.bin").write_bytes(b"WEIGHTS")
    with pytest.raises(ConfigError, match=rf"labelled with other settings:(.|\n)*path:{model}"):
        check_label_settings(out, config, is_new=False)
    model.rename(tmp_path / "elsewhere")  # another machine has it: nothing to compare here
    check_label_settings(out, config, is_new=False)


def test_damaged_label_settings_are_named_with_the_remedy(out):
    out.write_bytes("plan/settings.json", b"{")
    with pytest.raises(DataError, match=r"plan/settings\.json is damaged.*remove it and run `curation build`"):
        check_label_settings(out, load_config(), is_new=False)


SYSTEMS = "[{kind: whisper, name: mine, model: 'hf:some/model'}, {kind: whisper, name: other, model: 'hf:other/model'}]"
FIRST, SECOND = "a" * 40, "b" * 40


@pytest.fixture
def hub(tmp_path_factory, monkeypatch):
    """Moves `main` of the repository some/model on this machine to a commit; the hub does not answer."""
    cache = tmp_path_factory.mktemp("hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def move(commit):
        for file, content in ((f"snapshots/{commit}/model.bin", commit), ("refs/main", commit)):
            path = cache / "models--some--model" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    move(FIRST)
    return move


def hub_build(folder, *overrides):
    """A build of one recording whose configuration names models of the hub, in its systems and in a tokenizer."""
    config = toy_config().model_dump(mode="json") | {
        "transcribe": {"systems": yaml.safe_load(SYSTEMS), "language_system": "mine"}
    }
    source = write_recordings(folder / "in", ["one"])
    toy_build(source, folder / "out", validate(override(config, overrides), "test"))
    return {item["name"]: item["model"] for item in read_yaml(folder / "out/build.yaml")["transcribe"]["systems"]}


def test_models_of_the_hub_are_pinned_in_build_yaml_and_stay_so(tmp_path, hub, caplog):
    pins = {"mine": f"hf:some/model@{FIRST}", "other": "hf:other/model"}
    assert hub_build(tmp_path) == pins
    assert "not pinned, since neither this machine nor the hub says their commit: hf:other/model" in caplog.text
    caplog.clear()
    hub(SECOND)
    assert hub_build(tmp_path) == pins  # the build goes on with the commit that it has begun with
    assert "settings differ" not in caplog.text
    again = load_config(tmp_path / "out/build.yaml")
    assert pinned(Storage(str(tmp_path / "elsewhere")), again) == again
    with pytest.raises(ConfigError, match=rf"-.*{FIRST}\n.*\+.*{SECOND}"):
        hub_build(tmp_path, f"transcribe.systems={SYSTEMS.replace('some/model', 'some/model@main')}")


def test_a_tokenizer_is_pinned_behind_its_kind_and_nothing_else_is_changed(out, hub):
    config = load_config(overrides=["tokenize.glm=glm:hf:some/model", "inputs.allow=['hf://some/model']"])
    found = pinned(out, config)
    assert found.tokenize.glm == f"glm:hf:some/model@{FIRST}"
    back = found.model_copy(update={"tokenize": config.tokenize})
    assert back == config
    assert pinned(out, load_config()) == load_config()


def test_settings_of_another_version_are_named_with_the_remedy(out):
    write_config(out, load_config())
    out.write_bytes(CONFIG_FILE, out.read_bytes(CONFIG_FILE) + b"older:\n  setting: 1\n")
    with pytest.raises(ConfigError, match=r"build\.yaml: older"):
        read_config(out)
    out.write_json(LABEL_FILE, {"labels": 7})
    with pytest.raises(ConfigError, match=r"in format 7 by another version .* use that version, or build again into"):
        read_config(out)
