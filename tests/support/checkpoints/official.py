"""Checkpoints with random weights in the official layouts, at the official sizes or at any other.

python -m tests.support.checkpoints.official OUT        writes OUT/glm (1.4 GB) and OUT/bicodec (1.9 GB)
"""

import json
import sys
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file

from curation.models.torch_compat import import_torchaudio
from curation.tokenize.official.bicodec.model import BiCodec
from curation.tokenize.official.glm import Encoder

GLM = {
    "d_model": 1280,
    "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "encoder_layers": 32,
    "encoder_causal_convolution": True,
    "max_source_positions": 1500,
    "num_mel_bins": 128,
    "activation_function": "gelu",
    "pooling_kernel_size": 4,
    "pooling_position": 16,
    "pooling_type": "avg",
    "quantize_causal_block_size": 200,
    "quantize_encoder_only": True,
    "quantize_position": 16,
    "quantize_vocab_size": 16384,
}
GLM_PREPROCESSOR = {"chunk_length": 30, "feature_size": 128, "hop_length": 160, "n_fft": 400, "sampling_rate": 16000}
BICODEC = {
    "mel_params": {
        "sample_rate": 16000,
        "n_fft": 1024,
        "win_length": 640,
        "hop_length": 320,
        "mel_fmin": 10,
        "mel_fmax": None,
        "num_mels": 128,
    },
    "encoder": {
        "input_channels": 1024,
        "vocos_dim": 384,
        "vocos_intermediate_dim": 2048,
        "vocos_num_layers": 12,
        "out_channels": 1024,
        "sample_ratios": [1, 1],
    },
    "decoder": {"input_channel": 1024, "channels": 1536, "rates": [8, 5, 4, 2], "kernel_sizes": [16, 11, 8, 4]},
    "quantizer": {"input_dim": 1024, "codebook_size": 8192, "codebook_dim": 8, "use_l2_normlize": True},
    "speaker_encoder": {
        "input_dim": 128,
        "out_dim": 1024,
        "latent_dim": 128,
        "token_num": 32,
        "fsq_levels": [4, 4, 4, 4, 4, 4],
        "fsq_num_quantizers": 1,
    },
    "prenet": {
        "input_channels": 1024,
        "vocos_dim": 384,
        "vocos_intermediate_dim": 2048,
        "vocos_num_layers": 12,
        "out_channels": 1024,
        "condition_dim": 1024,
        "sample_ratios": [1, 1],
        "use_tanh_at_final": False,
    },
    "postnet": {
        "input_channels": 1024,
        "vocos_dim": 384,
        "vocos_intermediate_dim": 2048,
        "vocos_num_layers": 6,
        "out_channels": 1024,
        "use_tanh_at_final": False,
    },
}
BICODEC_SETTINGS = {
    "sample_rate": 16000,
    "ref_segment_duration": 6,
    "latent_hop_length": 320,
    "volume_normalize": True,
}
WAV2VEC2 = {
    "model_type": "wav2vec2",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "feat_extract_norm": "layer",
    "feat_extract_activation": "gelu",
    "conv_dim": [512] * 7,
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_bias": True,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
    "do_stable_layer_norm": True,
    "mask_time_prob": 0.075,
}
WAV2VEC2_PREPROCESSOR = {"do_normalize": True, "feature_size": 1, "padding_value": 0, "sampling_rate": 16000}


def random_tensors(module, seed=0):
    """Weights for every key of `module` under which signals keep their size: 1/sqrt(fan in), norms near 1."""
    rng = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, value in module.state_dict().items():
        x = torch.randn(value.shape, generator=rng) if value.is_floating_point() else torch.zeros(value.shape)
        last = key.rpartition(".")[2]
        if last in ("alpha", "running_var", "gamma") or (last == "weight" and value.dim() == 1):
            x = 1 + 0.1 * x.abs()
        elif last == "weight_g":
            x = 0.5 + 0.05 * x
        elif value.dim() < 2:
            x = 0.02 * x
        elif last not in ("latents", "weight_v"):
            x = x / value[0].numel() ** 0.5
        tensors[key] = x.to(value.dtype)
    return tensors


def write_glm(folder, config=GLM, seed=0):
    """A GLM-4-Voice tokenizer folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        encoder = Encoder(config, folder)
    tensors = random_tensors(encoder, seed)
    for key in tensors:  # sharper attention and wider features: else every frame gives the same token
        if "q_proj.weight" in key or "k_proj.weight" in key or "conv" in key:
            tensors[key] *= 2.2
    sizes = tensors["codebook.weight"].shape
    tensors |= {"ema_count": torch.ones(sizes[0]), "ema_weight": torch.zeros(sizes)}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(GLM_PREPROCESSOR))
    return folder


def write_bicodec(folder, config=BICODEC, wav2vec2=WAV2VEC2, settings=BICODEC_SETTINGS, seed=0):
    """A BiCodec folder in GPA's layout."""
    home, features = folder / "BiCodec", folder / "BiCodec" / "wav2vec2-large-xlsr-53"
    features.mkdir(parents=True, exist_ok=True)
    tensors = random_tensors(BiCodec(config, folder), seed)
    tensors = {key: value for key, value in tensors.items() if not key.startswith("mel_transformer.")}
    save_file(tensors, home / "model.safetensors")
    (home / "config.yaml").write_text(yaml.safe_dump({"audio_tokenizer": config, **settings}))
    save_file(random_wav2vec2(wav2vec2, seed), features / "model.safetensors")
    (features / "config.json").write_text(json.dumps(wav2vec2))
    (features / "preprocessor_config.json").write_text(json.dumps(WAV2VEC2_PREPROCESSOR))
    return folder


def random_wav2vec2(config, seed):
    """Tensors of a pre-training checkpoint, with its prefix and its old names of weight norm."""
    import_torchaudio()
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    with torch.device("meta"):
        model = Wav2Vec2Model(Wav2Vec2Config(**config))
    tensors = random_tensors(model, seed)
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {"quantizer.codevectors": torch.zeros(1, 4, 2)}
    for key, value in tensors.items():
        new = f"wav2vec2.{key}"
        for library, old in names.items():
            new = new.replace(library, old)
        renamed[new] = value
    return renamed


if __name__ == "__main__":
    write_glm(Path(sys.argv[1]) / "glm")
    write_bicodec(Path(sys.argv[1]) / "bicodec")
