"""Small checkpoints with random weights in the layouts that inference opens."""

import json

import torch

from curation.models.torch_compat import import_torchaudio
from curation.tokenize.vocabulary import make_vocabulary
from tests.support.checkpoints import official

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


SMALL_GLM = {
    "d_model": 64,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 96,
    "encoder_layers": 2,
    "pooling_position": 2,
    "quantize_position": 2,
    "quantize_vocab_size": 512,
}
SMALL_BACKBONE = {"vocos_dim": 32, "vocos_intermediate_dim": 48, "vocos_num_layers": 2}
SMALL_BICODEC = {
    "encoder": SMALL_BACKBONE | {"input_channels": 64, "out_channels": 64},
    "decoder": {"input_channel": 64, "channels": 32},
    "quantizer": {"input_dim": 64, "codebook_size": 1024},
    "speaker_encoder": {"out_dim": 64},
    "prenet": SMALL_BACKBONE | {"input_channels": 64, "out_channels": 64, "condition_dim": 64},
    "postnet": SMALL_BACKBONE | {"input_channels": 64, "out_channels": 64},
}
SMALL_WAV2VEC2 = {
    "hidden_size": 64,
    "num_hidden_layers": 17,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": [32] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


GPA = {
    "hidden_size": 512,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
"""GPA's 0.3B."""


def write_official(folder, vocabulary_size=180_445, seed=0, *, small=True):
    """A folder in the layout of GPA's release, with the ids of its vocabulary; of its sizes too, or small."""
    vocabulary = make_vocabulary(glm=1, global_=1, semantic=1)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary.text.save(str(folder / "tokenizer.json"))
    names = ["start_glm_token", "end_glm_token", "start_global_token", "end_global_token", "start_semantic_token"]
    names += ["end_semantic_token", "start_content", "end_content"]
    added = {f"<|{name}|>": 151_669 + place for place, name in enumerate(names)} | {"<|im_end|>": 151_645}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    network = {"hidden_size": 32, "intermediate_size": 64} if small else GPA
    random_qwen3(vocabulary_size, seed, **network).save_pretrained(folder)
    glm, bicodec, wav2vec2 = (SMALL_GLM, SMALL_BICODEC, SMALL_WAV2VEC2) if small else ({}, {}, {})
    official.write_glm(folder / "glm-4-voice-tokenizer", official.GLM | glm)
    parts = {name: part | bicodec.get(name, {}) for name, part in official.BICODEC.items()}
    official.write_bicodec(folder, parts, official.WAV2VEC2 | wav2vec2)
    return folder
