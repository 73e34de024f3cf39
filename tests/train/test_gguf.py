"""GGUF files, read with llama.cpp's own package, and run by llama.cpp where its bindings are installed.

The bindings are compiled when they are installed, which takes minutes: pip install llama-cpp-python.
"""

import json
import os
import resource

import gguf
import numpy as np
import pytest
from safetensors.torch import load_file

from curation.tokenize.vocabulary import make_vocabulary
from curation.train.gguf import write_gguf
from curation.train.infer.backends.base import Request
from curation.train.infer.sampling import Allowed
from curation.train.infer.speech_model import SpeechModel
from tests.support.checkpoints.speech import TINY, random_qwen3, write_checkpoint
from tests.support.commands import curation, message


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A checkpoint with fewer ids, so that files are small."""
    folder = tmp_path_factory.mktemp("small")
    return write_checkpoint(folder, glm=64, global_=256, semantic=300, text_size=256)


def written(checkpoint, path, kind):
    told = curation("gguf", checkpoint, path, "--type", kind).stdout.strip()
    assert told == str(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return gguf.GGUFReader(path)


@pytest.mark.parametrize(("kind", "error"), [("f32", 0), ("f16", 1e-3), ("q8_0", 1e-2)])
def test_a_file_holds_the_network_and_its_weights(small, tmp_path, kind, error):
    reader = written(small, tmp_path / "model.gguf", kind)
    value = {name: field.contents() for name, field in reader.fields.items()}
    assert value["general.architecture"] == "qwen3"
    expected = {
        "block_count": TINY["num_hidden_layers"],
        "embedding_length": TINY["hidden_size"],
        "feed_forward_length": TINY["intermediate_size"],
        "attention.head_count": TINY["num_attention_heads"],
        "attention.head_count_kv": TINY["num_key_value_heads"],
        "attention.key_length": TINY["head_dim"],
        "attention.value_length": TINY["head_dim"],
        "context_length": TINY["max_position_embeddings"],
        "rope.freq_base": TINY["rope_parameters"]["rope_theta"],
    }
    assert {name: value[f"qwen3.{name}"] for name in expected} == expected
    assert value["qwen3.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    tensors = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    weights = load_file(small / "model.safetensors")
    assert len(tensors) == len(weights)
    pairs = {
        "token_embd.weight": "model.embed_tokens.weight",
        "blk.2.attn_k_norm.weight": "model.layers.2.self_attn.k_norm.weight",
        "blk.1.ffn_down.weight": "model.layers.1.mlp.down_proj.weight",
        "blk.0.attn_output.weight": "model.layers.0.self_attn.o_proj.weight",
    }
    for name, ours in pairs.items():
        wanted = weights[ours].numpy()
        np.testing.assert_allclose(tensors[name], wanted, rtol=0, atol=error * np.abs(wanted).max())


def test_every_id_has_its_token(small, tmp_path):
    value = {name: field.contents() for name, field in written(small, tmp_path / "m.gguf", "f32").fields.items()}
    tokens, types = value["tokenizer.ggml.tokens"], value["tokenizer.ggml.token_type"]
    written_as = json.loads((small / "added_tokens.json").read_text())
    assert len(tokens) == len(set(tokens)) == value["qwen3.vocab_size"]
    assert [tokens[number] for number in written_as.values()] == list(written_as)
    assert {types[number] for number in written_as.values()} == {int(gguf.TokenType.CONTROL)}
    assert tokens[value["tokenizer.ggml.eos_token_id"]] == "<|im_end|>"
    assert (value["tokenizer.ggml.pre"], value["tokenizer.ggml.add_bos_token"]) == ("gpt-2", False)


def test_an_untied_output_matrix_is_written_too(tmp_path):
    folder = write_checkpoint(tmp_path / "in", glm=1, global_=1, semantic=1, tie_word_embeddings=False)
    reader = written(folder, tmp_path / "out" / "m.gguf", "f16")
    head = next(tensor for tensor in reader.tensors if tensor.name == "output.weight")
    wanted = load_file(folder / "model.safetensors")["lm_head.weight"].numpy()
    np.testing.assert_allclose(head.data.reshape(wanted.shape), wanted, rtol=1e-3, atol=1e-6)


def test_a_checkpoint_that_is_not_whole_leaves_no_file(small, tmp_path):
    config = json.loads((small / "config.json").read_text())
    broken = write_checkpoint(tmp_path / "in", glm=64, global_=256, semantic=300)
    (broken / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    told = message(curation("gguf", broken, tmp_path / "m.gguf", code=2))
    assert "the weights are not those that config.json describes: missing: model.layers.3" in told
    assert not list(tmp_path.glob("m.gguf*"))


def test_a_file_that_cannot_be_written_leaves_nothing(small, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        told = message(curation("gguf", small, place, code=2))
        assert f"{place}: no file, but a folder or a device: give the file to write" in told
    (tmp_path / "pipe").unlink()
    (tmp_path / "file").write_text("")
    told = message(curation("gguf", small, tmp_path / "file" / "m.gguf", code=4))
    assert f"{tmp_path}/file/m.gguf cannot be written" in told
    (tmp_path / "m.gguf").write_text("an earlier one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        told = message(curation("gguf", small, tmp_path / "m.gguf", code=4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"{tmp_path}/m.gguf cannot be written" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "m.gguf"]
    assert (tmp_path / "m.gguf").read_text() == "an earlier one"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["f32", "f16", "q8_0"])
def test_llama_cpp_answers_as_our_engine_does(tmp_path, kind):
    """Greedy, on random weights, whose choices are near each other: rounded weights change some of them."""
    llama_cpp = pytest.importorskip("llama_cpp")
    vocabulary = make_vocabulary(glm=64, global_=256, semantic=300, texts=["the north wind and the sun"], text_size=280)
    random_qwen3(vocabulary.size).save_pretrained(tmp_path / "in")
    vocabulary.save(tmp_path / "in")
    (tmp_path / "in" / "speech_tokenizers.json").write_text(json.dumps({"glm": "compact", "bicodec": "compact"}))
    write_gguf(tmp_path / "in", tmp_path / "m.gguf", kind)
    whole = {"type_k": llama_cpp.GGML_TYPE_F32, "type_v": llama_cpp.GGML_TYPE_F32}
    theirs = llama_cpp.Llama(str(tmp_path / "m.gguf"), n_ctx=512, n_threads=1, verbose=False, **whole)
    for text in ("the north wind", "Sun, 12 of it:  \u00dcn\u00ef\u4f60\u597d", "it's <|im_end|> text"):
        found = theirs.tokenize(text.encode(), add_bos=False, special=False)
        assert found == vocabulary.text_ids(text).tolist()
    allowed = Allowed(range(vocabulary.size - 1), (vocabulary.size - 1,))
    rng = np.random.default_rng(1)
    prompts = [rng.integers(0, vocabulary.size - 1, length).astype(np.int32) for length in (3, 40, 120)]
    answers = SpeechModel.open(tmp_path / "in").engine.run([Request(one, allowed, 60) for one in prompts])
    same = []
    for prompt, answer in zip(prompts, answers, strict=True):
        theirs.reset()
        stream = theirs.generate(prompt.tolist(), temp=0, repeat_penalty=1.0)
        same.append([number == next(stream) for number in answer.ids])
    print(f"{kind}: {sum(map(sum, same))} of {sum(map(len, same))} ids as in our engine")
    assert sum(map(len, same)) > 100
    assert all(one[0] for one in same)
    assert kind != "f32" or all(map(all, same))
