"""Nothing that the configuration gives is fixed in the code: other sizes, other options, and the official sizes."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from curation.tokenize.base import CodecTokens
from curation.tokenize.official.bicodec.model import BiCodec
from curation.tokenize.official.bicodec.tokenizer import BiCodecTokenizer
from curation.tokenize.official.checkpoints import exact_float32, fold_weight_norm
from curation.tokenize.official.glm import Encoder, GlmTokenizer
from tests.support.checkpoints import official

BACKBONE = {"vocos_dim": 16, "vocos_intermediate_dim": 24, "vocos_num_layers": 1}
SMALL = {
    "mel_params": official.BICODEC["mel_params"] | {"n_fft": 512, "win_length": 400, "hop_length": 200, "num_mels": 40},
    "encoder": {"input_channels": 32, **BACKBONE, "out_channels": 20, "sample_ratios": [1, 1]},
    "decoder": {"input_channel": 18, "channels": 16, "rates": [8, 5, 4, 2], "kernel_sizes": [16, 11, 8, 4]},
    "quantizer": {"input_dim": 20, "codebook_size": 300, "codebook_dim": 6},
    "speaker_encoder": {"input_dim": 40, "out_dim": 18, "latent_dim": 12, "token_num": 9, "fsq_levels": [8, 5, 5]},
    "prenet": {"input_channels": 20, **BACKBONE, "out_channels": 18, "condition_dim": 18, "sample_ratios": [1, 1]},
    "postnet": {"input_channels": 18, **BACKBONE, "out_channels": 32},
}
WAV2VEC2 = official.WAV2VEC2 | {
    "hidden_size": 32,
    "num_hidden_layers": 17,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
SHORT_VOICE = official.BICODEC_SETTINGS | {"ref_segment_duration": 1}
"""Six seconds, to which every wave is repeated, take six times as long."""


def changed(**sections):
    config = copy.deepcopy(SMALL)
    for name, fields in sections.items():
        config[name] |= fields
    return config


def noise(samples, seed):
    return (np.random.default_rng(seed).standard_normal(samples) * 0.1).astype(np.float32)


OTHER_CONFIGURATIONS = {
    "plain": changed(),
    "one stage": changed(encoder={"sample_ratios": [1]}, prenet={"sample_ratios": [1]}),
    "halved rate": changed(encoder={"sample_ratios": [2, 1]}, prenet={"sample_ratios": [1, 2]}),
    "tanh": changed(prenet={"use_tanh_at_final": True}),
    "codes as wide as the encoder": changed(
        encoder={"out_channels": 6}, quantizer={"input_dim": 6}, prenet={"input_channels": 6}
    ),
    "scalars as wide as the latents": changed(speaker_encoder={"latent_dim": 3}),
    "other rates": changed(decoder={"rates": [10, 8, 4], "kernel_sizes": [20, 16, 8], "channels": 24}),
}


@pytest.mark.parametrize(
    "name",
    [
        name if name in {"halved rate", "other rates"} else pytest.param(name, marks=pytest.mark.slow)
        for name in OTHER_CONFIGURATIONS
    ],
)
def test_bicodec_of_other_sizes(tmp_path, name):
    config = OTHER_CONFIGURATIONS[name]
    tokenizer = BiCodecTokenizer(official.write_bicodec(tmp_path, config, WAV2VEC2, SHORT_VOICE))
    waves = [noise(samples, samples) for samples in (1500, 4000, 9000)]
    down, up = (int(np.prod(config[part]["sample_ratios"])) for part in ("encoder", "prenet"))
    together = [tokens for tokens, _ in tokenizer._encode_batch(list(map(tokenizer.volume_normalized, waves)))]
    for wave, tokens in zip(waves, together, strict=True):
        alone = tokenizer.encode([wave])[0]
        np.testing.assert_array_equal(tokens.semantic, alone.semantic)
        np.testing.assert_array_equal(tokens.global_, alone.global_)
        assert len(tokens.semantic) == ((len(wave) - 400) // 320 + 1) // down
        assert len(tokens.global_) == config["speaker_encoder"]["token_num"]
    tokenizer.model.double()
    for tokens, speech in zip(together, tokenizer.decode(together), strict=True):
        assert len(speech) == len(tokens.semantic) * 320 * up
        stream = tokenizer.decode_stream(np.array_split(tokens.semantic, 3), tokens.global_)
        np.testing.assert_allclose(np.concatenate(list(stream)), speech, rtol=0, atol=1e-11)


def test_wav2vec2_keys_without_prefix_and_with_the_names_of_newer_torch(tmp_path):
    folder = official.write_bicodec(tmp_path, SMALL, WAV2VEC2, SHORT_VOICE)
    wave = noise(3000, 1)
    before = BiCodecTokenizer(folder).encode([wave])[0]
    path = folder / "BiCodec/wav2vec2-large-xlsr-53/model.safetensors"
    names = {
        "wav2vec2.": "",
        "weight_g": "parametrizations.weight.original0",
        "weight_v": "parametrizations.weight.original1",
    }
    tensors = {}
    for key, value in load_file(path).items():
        for old, new in names.items():
            key = key.replace(old, new)  # noqa: PLW2901
        tensors[key] = value
    save_file({key: value for key, value in tensors.items() if not key.startswith("quantizer")}, path)
    np.testing.assert_array_equal(BiCodecTokenizer(folder).encode([wave])[0].semantic, before.semantic)


def test_more_wav2vec2_layers_than_needed_change_nothing(tmp_path):
    folder = official.write_bicodec(tmp_path, SMALL, WAV2VEC2 | {"num_hidden_layers": 19})
    tokenizer = BiCodecTokenizer(folder)
    assert len(tokenizer.features.model.encoder.layers) == 16
    wave = tokenizer.volume_normalized(noise(5000, 2))
    states = library_states(folder / "BiCodec/wav2vec2-large-xlsr-53", tokenizer.features.extractor, wave)
    with exact_float32():
        ours = tokenizer.features([wave])[0]
    torch.testing.assert_close(ours, (states[11] + states[14] + states[16]) / 3, rtol=0, atol=1e-5)


def library_states(folder, extractor, wave):
    """Hidden states of the whole model, loaded and run by transformers."""
    from transformers import Wav2Vec2Model

    model = Wav2Vec2Model.from_pretrained(folder).eval()
    values = extractor(wave.astype(np.float32), sampling_rate=16_000, return_tensors="pt").input_values
    with torch.inference_mode():
        return model(values, output_hidden_states=True).hidden_states


def test_too_few_wav2vec2_layers_are_an_error(tmp_path):
    folder = official.write_bicodec(tmp_path, SMALL, WAV2VEC2 | {"num_hidden_layers": 16})
    with pytest.raises(ValueError, match="num_hidden_layers is 16"):
        BiCodecTokenizer(folder)


def test_wav2vec2_whose_norm_sees_the_padding_is_run_clip_by_clip(tmp_path):
    group = WAV2VEC2 | {"feat_extract_norm": "group", "conv_bias": False}
    tokenizer = BiCodecTokenizer(official.write_bicodec(tmp_path, SMALL, group, SHORT_VOICE))
    waves = [noise(4000, 1), noise(4300, 2)]
    for wave, tokens in zip(waves, tokenizer.encode(waves), strict=True):
        np.testing.assert_array_equal(tokens.semantic, tokenizer.encode([wave])[0].semantic)


@pytest.mark.parametrize(
    ("section", "fields", "message"),
    [
        ("speaker_encoder", {"fsq_num_quantizers": 2}, "fsq_num_quantizers is 2"),
        ("decoder", {"kernel_sizes": [16, 10, 8, 4]}, "do not fit decoder.rates"),
        ("prenet", {"vocos_dimension": 3}, "audio_tokenizer.prenet"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_an_error(tmp_path, section, fields, message):
    with pytest.raises(ValueError, match=message):
        BiCodec(changed(**{section: fields}), tmp_path)


def test_glm_of_other_sizes(tmp_path):
    config = official.GLM | {
        "d_model": 48,
        "encoder_attention_heads": 3,
        "encoder_ffn_dim": 80,
        "quantize_encoder_only": False,
        "encoder_layers": 5,
        "quantize_position": 3,
        "pooling_position": 2,
        "pooling_kernel_size": 5,
        "quantize_vocab_size": 100,
        "activation_function": "relu",
    }
    tokenizer = GlmTokenizer(official.write_glm(tmp_path, config))
    assert len(tokenizer.encoder.layers) == 3
    ids = tokenizer.encode([noise(30 * 16000 + 5, 1)])[0]
    assert len(ids) == tokenizer.num_tokens(30 * 16000 + 5) == 300 + 1


def test_audio_longer_than_the_positions_of_the_encoder_is_an_error(tmp_path):
    small = official.GLM | {"d_model": 40, "encoder_ffn_dim": 8, "max_source_positions": 100, "quantize_vocab_size": 9}
    tokenizer = GlmTokenizer(official.write_glm(tmp_path, small))
    assert len(tokenizer.encode([noise(32_000, 1)])[0]) == 25
    with pytest.raises(ValueError, match="104 frames, more than max_source_positions 100"):
        tokenizer.encode([noise(32_001, 1)])


def test_official_sizes():
    with torch.device("meta"):
        glm = Encoder(official.GLM, official.Path())
    bicodec = BiCodec(official.BICODEC, official.Path())
    assert len(bicodec.state_dict()) == 842
    fold_weight_norm(bicodec)
    millions = [sum(p.numel() for p in model.parameters()) / 1e6 for model in (glm, bicodec)]
    np.testing.assert_allclose(millions, [343.6, 156.3], atol=0.1)


@pytest.mark.slow
def test_models_of_the_official_sizes_run(tmp_path):
    wave = noise(16_000, 1)
    assert len(GlmTokenizer(official.write_glm(tmp_path / "glm")).encode([wave])[0]) == 13
    bicodec = BiCodecTokenizer(official.write_bicodec(tmp_path / "bicodec"))
    tokens = bicodec.encode([wave])[0]
    assert (len(tokens.semantic), len(tokens.global_), bicodec.reach) == (49, 32, (67, 67))
    speech = bicodec.decode([tokens, CodecTokens(tokens.semantic[:20], tokens.global_)])
    stream = np.concatenate(list(bicodec.decode_stream(np.array_split(tokens.semantic, 4), tokens.global_)))
    np.testing.assert_allclose(stream, speech[0], rtol=0, atol=1e-5)
