"""Small checkpoints with random weights in the layouts that inference opens."""

import json

import torch

from curation.tokenize.vocabulary import make_vocabulary
from curation.torchaudio_shim import import_torchaudio

TINY = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 4096,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
}


def random_qwen3(vocabulary_size, seed=0, **changed):
    """A Qwen3 whose logits are far enough apart that rounding decides nothing."""
    import_torchaudio()
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    sizes = TINY | {"vocab_size": vocabulary_size, "tie_word_embeddings": True} | changed
    config = Qwen3Config(**sizes, bos_token_id=None, eos_token_id=None)
    model = Qwen3ForCausalLM(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.copy_(1 + 0.2 * torch.randn_like(weight))
            else:
                weight.copy_(torch.randn_like(weight) * (0.05 if "embed" in name else weight.shape[1] ** -0.5))
    return model


def write_checkpoint(folder, *, glm=2048, global_=256, semantic=8192, text_size=256, seed=0, **changed):
    """A checkpoint as the trainer writes it, for the compact tokenizers."""
    vocabulary = make_vocabulary(glm=glm, global_=global_, semantic=semantic, text_size=text_size)
    model = random_qwen3(vocabulary.size, seed, **changed)
    model.save_pretrained(folder)
    vocabulary.save(folder)
    (folder / "speech_tokenizers.json").write_text(json.dumps({"glm": "compact", "bicodec": "compact"}))
    return folder
