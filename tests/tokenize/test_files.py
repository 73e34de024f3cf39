"""Files of checkpoints: what cannot be read is named."""

import json

import pytest
import torch
from safetensors.torch import save_file

from curation.core.errors import DataError
from curation.tokenize.files import find_weights, key_problems, read_config, read_model_tensors, read_tensors, require


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", r"config\.json: not valid JSON"),
        ("config.yaml", b"a: [", r"config\.yaml: not valid YAML"),
        ("config.json", b"[1]", r"config\.json: expected a mapping"),
        ("config.json", b"\xff", r"config\.json: not valid JSON"),
        ("config.json", None, r"config\.json: file not found"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_config(tmp_path / name)


def test_json_and_yaml_are_mappings(tmp_path):
    (tmp_path / "a.json").write_text('{"rate": 16000}')
    (tmp_path / "a.yaml").write_text("rate: 16000\n")
    assert read_config(tmp_path / "a.json") == read_config(tmp_path / "a.yaml") == {"rate": 16000}
    with pytest.raises(DataError, match=r"a\.yaml: field 'hop' is missing"):
        require({"rate": 1}, "hop", tmp_path / "a.yaml")


def test_weights_in_parts_are_those_in_one_file(tmp_path):
    tensors = {name: torch.randn(3, 2) for name in ("a", "b", "c")}
    save_file(tensors, tmp_path / "model.safetensors")
    whole = read_model_tensors(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(DataError, match="no weights"):
        read_model_tensors(tmp_path)
    save_file({"a": tensors["a"]}, tmp_path / "1.safetensors")
    save_file({"b": tensors["b"], "c": tensors["c"]}, tmp_path / "2.safetensors")
    index = {"weight_map": {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    parts = read_model_tensors(tmp_path)
    assert parts.keys() == whole.keys() == tensors.keys()
    assert all(torch.equal(parts[name], whole[name]) for name in parts)


def test_damaged_weights_are_named(tmp_path):
    save_file({"a": torch.zeros(100)}, tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:-50])
    for read in (read_tensors, lambda path: read_model_tensors(path.parent)):
        with pytest.raises(DataError, match=r"model\.safetensors: cannot be read"):
            read(tmp_path / "model.safetensors")


def test_safetensors_come_before_torch_files(tmp_path):
    with pytest.raises(DataError, match=r"model\.safetensors or pytorch_model\.bin"):
        find_weights(tmp_path)
    torch.save({"a": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    assert torch.equal(read_tensors(find_weights(tmp_path))["a"], torch.ones(2))
    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors")
    assert torch.equal(read_tensors(find_weights(tmp_path))["a"], torch.zeros(2))


def test_every_wrong_key_is_named_but_only_the_first_of_many():
    expected = {"a": torch.zeros(2), "b": torch.zeros(3), "may_lack": torch.zeros(1)}
    assert key_problems(expected, {"a": torch.zeros(2), "b": torch.zeros(3)}, ["may_lack"]) == []
    problems = key_problems(expected, {"b": torch.zeros(4), "x": torch.zeros(1)}, ["may_lack"])
    assert problems == ["missing: a (2,)", "extra: x (1,)", "wrong shape: b (4,) instead of (3,)"]
    (many,) = key_problems({}, {f"k{number:02d}": torch.zeros(1) for number in range(11)}, [])
    assert many.endswith("k07 (1,) and 3 more")
