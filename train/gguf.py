"""A checkpoint as one GGUF file for llama.cpp: architecture qwen3, the weights, and every id of the vocabulary.

    write_gguf(Path("checkpoint"), Path("model.gguf"), "q8_0")

The speech tokenizers stay beside it: llama.cpp turns ids into ids. Names, fields and types are those of llama.cpp's own
writer, the package `gguf`.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from curation.core.errors import ConfigError, DataError
from curation.core.stores.naming import writing
from curation.core.stores.temporary import temporary_name
from curation.tokenize.files import key_problems, read_model_tensors
from curation.tokenize.vocabulary import Vocabulary
from curation.train.checkpoint.folder import find_parts
from curation.train.infer.weights import Sizes, shapes

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFWriter
    from torch import Tensor

Kind = Literal["f32", "f16", "q8_0"]
"""How matrices are stored: 4, 2, or about 1.06 bytes a weight. Vectors are always f32."""

WHOLE = {"model.embed_tokens.weight": "token_embd", "model.norm.weight": "output_norm", "lm_head.weight": "output"}
PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
NO_MERGE = "<|im_end|> <|im_end|>"
"""llama.cpp wants one merge at least, where a vocabulary of bytes has none: text never has such pieces."""
BLOCK = 32
"""Weights of a row that share a scale in q8_0."""


def write_gguf(checkpoint: Path, out: Path, kind: Kind) -> None:
    """Write a checkpoint folder, or the last of a run, to a file; it is replaced at the end.

    Raises ConfigError where the package is missing or the output is no file, DataError where the checkpoint is not
    whole, StorageError where the file cannot be written.
    """
    try:
        import gguf
    except ModuleNotFoundError as error:
        msg = f"writing GGUF needs the package {error.name}: pip install 'curation[gguf]'"
        raise ConfigError(msg) from error
    if out.exists() and not out.is_file():  # a device would be replaced too
        msg = f"{out}: no file, but a folder or a device: give the file to write, as OUT.gguf"
        raise ConfigError(msg)
    parts = find_parts(checkpoint.expanduser())
    sizes, vocabulary = Sizes.read(parts.model / "config.json"), parts.vocabulary()
    tensors = _checked(read_model_tensors(parts.model), sizes, vocabulary, parts.model)
    temporary = out.with_name(temporary_name(out.name))
    writer = gguf.GGUFWriter(temporary, "qwen3")
    _add_network(writer, sizes, kind)
    _add_vocabulary(writer, vocabulary, sizes.vocabulary)
    for name, tensor in tensors.items():
        values = tensor.float().numpy()
        form = _form(values, kind)
        writer.add_tensor(_renamed(name), gguf.quants.quantize(values, form), raw_dtype=form)
    with writing(str(out)):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            temporary.replace(out)
        finally:
            with suppress(OSError):  # what it could not write before
                writer.close()
            temporary.unlink(missing_ok=True)


def _checked(tensors: "dict[str, Tensor]", sizes: Sizes, vocabulary: Vocabulary, folder: Path) -> "dict[str, Tensor]":
    """The tensors that are written; a tied output matrix is the embedding."""
    import torch

    expected = {name: torch.empty(shape, device="meta") for name, shape in shapes(sizes).items()}
    problems = key_problems(expected, tensors, ["lm_head.weight"] if sizes.tied else [])
    if sizes.vocabulary < vocabulary.size:
        problems.append(f"vocab_size {sizes.vocabulary}, the tokenizer files {vocabulary.size}")
    if problems:
        msg = f"{folder}: the weights are not those that config.json describes: {'; '.join(problems)}"
        raise DataError(msg)
    return {name: tensor for name, tensor in tensors.items() if not (sizes.tied and name == "lm_head.weight")}


def _form(values: npt.NDArray[np.float32], kind: Kind) -> "GGMLQuantizationType":
    """How a tensor is stored: vectors as they are, rows that are not whole blocks in 16 bits."""
    from gguf import GGMLQuantizationType as Form

    if values.ndim == 1 or kind == "f32":
        return Form.F32
    return Form.F16 if kind == "f16" or values.shape[-1] % BLOCK else Form.Q8_0


def _renamed(name: str) -> str:
    """The name that llama.cpp has for a tensor of `Qwen3ForCausalLM`."""
    if name in WHOLE:
        return f"{WHOLE[name]}.weight"
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{PARTS[part]}.weight"


def _add_network(writer: "GGUFWriter", sizes: Sizes, kind: Kind) -> None:
    from gguf import LlamaFileType

    writer.add_name("curation")
    types = {"f32": LlamaFileType.ALL_F32, "f16": LlamaFileType.MOSTLY_F16, "q8_0": LlamaFileType.MOSTLY_Q8_0}
    writer.add_file_type(types[kind])
    writer.add_context_length(sizes.positions)
    writer.add_embedding_length(sizes.hidden)
    writer.add_block_count(sizes.layers)
    writer.add_feed_forward_length(sizes.inner)
    writer.add_head_count(sizes.heads)
    writer.add_head_count_kv(sizes.kv_heads)
    writer.add_key_length(sizes.head_dim)
    writer.add_value_length(sizes.head_dim)
    writer.add_layer_norm_rms_eps(sizes.eps)
    writer.add_rope_freq_base(sizes.theta)
    writer.add_vocab_size(sizes.vocabulary)


def _add_vocabulary(writer: "GGUFWriter", vocabulary: Vocabulary, size: int) -> None:
    """Every id below `size`, those without a meaning too."""
    from gguf import TokenType

    tokens, types = [f"[UNUSED_{number}]" for number in range(size)], [int(TokenType.UNUSED)] * size
    for token, number in vocabulary.text.get_vocab().items():
        tokens[number], types[number] = token, int(TokenType.NORMAL)
    for token, number in vocabulary.added().items():
        tokens[number], types[number] = token, int(TokenType.CONTROL)
    spec = json.loads(vocabulary.text.to_str())
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2" if _is_split(spec["pre_tokenizer"]) else "gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(_merges(spec))
    writer.add_eos_token_id(vocabulary.end)
    writer.add_add_bos_token(value=False)


def _is_split(pre_tokenizer: dict[str, Any] | None) -> bool:
    """Whether text is split by an expression of its own before it is bytes, as Qwen's is; ours has GPT-2's."""
    return pre_tokenizer is not None and pre_tokenizer["type"] == "Sequence"


def _merges(spec: dict[str, Any]) -> list[str]:
    """Merges of the text tokenizer, best first."""
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in spec["model"]["merges"]]
    return merges or [NO_MERGE]
