"""BiCodec against the released implementation, and the properties that the released code lacks."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.tokenize.base import CodecTokens
from curation.tokenize.official.bicodec.features import normalize_volume
from curation.tokenize.official.bicodec.tokenizer import BiCodecTokenizer
from curation.tokenize.official.checkpoints import exact_float32

CASES = ["quiet_chirps", "speech_2s", "am_noise", "speech_6s", "clicks_speech"]
VOLUMES = [
    "silence",
    "tiny",
    "quiet",
    "few_loud",
    "max_gain",
    "peak_limit",
    "min_gain",
    "plain",
    "edge_max_0p1",
]


def noise(samples, seed):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(samples) * rng.uniform(0.005, 0.3)).astype(np.float32)


def assert_same_tokens(tokens, expected):
    np.testing.assert_array_equal(tokens.semantic, expected.semantic)
    np.testing.assert_array_equal(tokens.global_, expected.global_)


def golden_tokens(case):
    return CodecTokens(case["semantic"].astype(np.int32), case["global"].astype(np.int32))


@pytest.mark.parametrize("case", CASES)
def test_tokens_are_those_of_the_released_implementation(bicodec, bicodec_cases, case):
    golden = bicodec_cases[case]
    tokens = bicodec.encode([golden["wave"]])[0]
    assert tokens.semantic.dtype == tokens.global_.dtype == np.int32
    assert_same_tokens(tokens, golden_tokens(golden))
    assert len(tokens.semantic) == (len(golden["wave"]) - 400) // 320 + 1


def test_clips_encoded_in_several_threads_have_their_own_tokens(bicodec):
    waves = [noise(8_000, seed) for seed in range(4)]
    alone = [bicodec.encode([wave])[0] for wave in waves]
    with ThreadPoolExecutor(4) as executor:
        for found, expected in zip(
            executor.map(lambda wave: bicodec.encode([wave])[0], waves * 4), alone * 4, strict=True
        ):
            assert_same_tokens(found, expected)


def test_voices_are_the_global_tokens_without_wav2vec2(bicodec, monkeypatch):
    waves = [noise(length, length) for length in (400, 8_000, 120_000)]
    expected = [tokens.global_ for tokens in bicodec.encode(waves)]
    monkeypatch.setattr(bicodec, "features", None)
    for found, wanted in zip(bicodec.voices(waves), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == np.int32


def intermediates(tokenizer, wave):
    """Every array that the golden data holds, by name, as that data has it."""
    model, speaker = tokenizer.model, tokenizer.model.speaker_encoder
    loud = tokenizer.volume_normalized(wave)
    with exact_float32():
        features = tokenizer.features([loud])[0]
        z = model.encoder(features)
        mel = tokenizer.mel([loud])
        latent = speaker.speaker_encoder(mel)
        read = speaker.latents(mel)
        scalars = speaker.quantizer.project_in(read)
        ids = speaker.ids(mel)[0][0].numpy()
        semantic = model.quantizer.ids(model.quantizer.project(z))[0][0].numpy()
        vector = tokenizer.dvector([ids])
        frames = tokenizer.synthesis.prenet([semantic], vector)[0]
        arrays = {
            "feat4": features[0, :4],
            "mel4": mel[0, :, :4].T,
            "z4": z[0, :4],
            "ze4": model.quantizer.project(z)[0, :4],
            "ecapa_latent_mean": latent[0].mean(0),  # over channels: one value for each frame
            "perceiver4": read[0, :4],
            "fsq_in": scalars[0],
            "fsq_bound": speaker.quantizer.bound(scalars)[0],
            "dvector": vector[0],
            "prenet4": frames[0, :, :4].T,
            "recon": torch.from_numpy(tokenizer.decode([CodecTokens(semantic, ids)])[0]),
        }
    return {name: array.numpy() for name, array in arrays.items()}


TOLERANCES = {
    "feat4": 3e-4,
    "mel4": 1e-5,
    "z4": 1e-4,
    "ze4": 1e-4,
    "ecapa_latent_mean": 1e-5,
    "perceiver4": 5e-5,
    "fsq_in": 5e-5,
    "fsq_bound": 5e-5,
    "dvector": 1e-5,
    "prenet4": 3e-5,
    "recon": 5e-5,
}


@pytest.mark.parametrize("case", CASES)
def test_intermediate_arrays_are_within_the_advised_tolerance(bicodec, bicodec_cases, case):
    arrays = intermediates(bicodec, bicodec_cases[case]["wave"])
    for name, tolerance in TOLERANCES.items():
        golden = bicodec_cases[case][name]
        np.testing.assert_allclose(arrays[name], golden, rtol=0, atol=tolerance, err_msg=name)


def test_one_batch_gives_the_same_tokens_and_speech(bicodec, bicodec_cases):
    golden = [bicodec_cases[case] for case in CASES]
    tokens = [
        tokens for tokens, _ in bicodec._encode_batch([bicodec.volume_normalized(case["wave"]) for case in golden])
    ]
    for item, case in zip(tokens, golden, strict=True):
        assert_same_tokens(item, golden_tokens(case))
    for wave, case in zip(bicodec.decode(tokens), golden, strict=True):
        np.testing.assert_allclose(wave, case["recon"], rtol=0, atol=5e-5)


def test_content_and_voice_of_different_clips_combine(bicodec, bicodec_cases):
    swap = bicodec_cases["swap"]
    semantic = bicodec_cases[str(swap["semantic_from"])]["semantic"]
    global_ = bicodec_cases[str(swap["global_from"])]["global"]
    np.testing.assert_allclose(bicodec.decode([CodecTokens(semantic, global_)])[0], swap["recon"], rtol=0, atol=5e-5)


def test_scalar_codes(bicodec, bicodec_cases):
    codes = bicodec.model.speaker_encoder.quantizer.codes(torch.from_numpy(bicodec_cases["fsq"]["ids"]))
    np.testing.assert_array_equal(codes.numpy(), bicodec_cases["fsq"]["codes"])


@pytest.mark.parametrize("name", VOLUMES)
def test_volume_rule(bicodec_cases, name):
    given_wave, expected = (bicodec_cases["volume"][f"{name}/{side}"] for side in ("in", "out"))
    np.testing.assert_allclose(normalize_volume(given_wave), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_gain_of_the_whole_clip(bicodec, bicodec_cases, case):
    wave = bicodec_cases[case]["wave"]
    loudest = np.abs(wave).argmax()
    gain = bicodec.volume_normalized(wave)[loudest] / wave[loudest].astype(np.float64)
    np.testing.assert_allclose(gain, bicodec_cases[case]["gain"], rtol=1e-12)


@pytest.mark.parametrize(
    ("layout", "wav2vec2_file"),
    [
        ("spark", "model.safetensors"),
        ("gpa", "pytorch_model.bin"),
        pytest.param("gpa", "model.safetensors", marks=pytest.mark.slow),
    ],
)
def test_every_disk_layout_gives_the_same_tokens(write_bicodec, bicodec_cases, tmp_path, layout, wav2vec2_file):
    golden = bicodec_cases["quiet_chirps"]
    folder = write_bicodec(tmp_path, layout, wav2vec2_file)
    assert_same_tokens(BiCodecTokenizer(folder).encode([golden["wave"]])[0], golden_tokens(golden))
    if layout == "gpa":
        moved = BiCodecTokenizer(folder / "BiCodec").encode([golden["wave"]])[0]
        assert_same_tokens(moved, golden_tokens(golden))


@settings(max_examples=3, deadline=None)
@given(lengths=st.lists(st.integers(400, 16_000), min_size=2, max_size=5), seed=st.integers(0, 2**16))
def test_tokens_do_not_depend_on_the_batch(bicodec, lengths, seed):
    waves = [noise(samples, seed + i) for i, samples in enumerate(lengths)]
    one_batch = [
        tokens for tokens, _ in bicodec._encode_batch([bicodec.volume_normalized(wave) for wave in waves])
    ]  # whatever lengths would be batched
    for wave, together, forced in zip(waves, bicodec.encode(waves), one_batch, strict=True):
        alone = bicodec.encode([wave])[0]
        assert_same_tokens(together, alone)
        assert_same_tokens(forced, alone)
        assert (len(together.semantic), len(together.global_)) == ((len(wave) - 400) // 320 + 1, 32)


@pytest.mark.parametrize("samples", [0, 1, 399])
def test_too_short_a_clip_is_an_error_with_the_minimum(bicodec, samples):
    assert bicodec.num_semantic(samples) == 0
    with pytest.raises(ValueError, match="minimum is 400 samples"):
        bicodec.encode([np.zeros(samples, np.float32)])


def test_the_shortest_clip_and_silence_have_tokens(bicodec):
    for wave in (np.zeros(400, np.float32), noise(719, 1)):
        assert len(bicodec.encode([wave])[0].semantic) == 1


@pytest.mark.parametrize(
    ("drop", "changed", "message"),
    [
        (["prenet.linear.bias"], {}, r"missing: prenet\.linear\.bias \(72,\)"),
        (["decoder.model.0.weight_g"], {}, r"missing: decoder\.model\.0\.weight_g"),
        (["postnet.linear.bias"], {}, r"missing: postnet\.linear\.bias"),
        ([], {"encoder.more": torch.zeros(1)}, r"extra: encoder\.more"),
        ([], {"quantizer.codebook.weight": torch.zeros(8192, 7)}, r"quantizer\.codebook\.weight \(8192, 7\) instead"),
        ([], {"wav2vec2.encoder.more": torch.zeros(1)}, r"extra: wav2vec2\.encoder\.more"),
        (["wav2vec2.encoder.pos_conv_embed.conv.weight_g"], {}, r"missing: wav2vec2\.\S+\.conv\.weight_g"),
        (["wav2vec2.encoder.layers.19.layer_norm.bias"], {}, r"missing: wav2vec2\.encoder\.layers\.19"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_an_error_that_names_the_key(write_bicodec, tmp_path, drop, changed, message):
    with pytest.raises(ValueError, match=message):
        BiCodecTokenizer(write_bicodec(tmp_path, drop=drop, changed=changed))


def test_a_stored_mel_filter_bank_is_used(write_bicodec, tmp_path, bicodec):
    key = "mel_transformer.mel_scale.fb"
    bank = bicodec.model.mel_transformer.mel_scale.fb
    tokenizer = BiCodecTokenizer(write_bicodec(tmp_path, changed={key: bank * 2}))
    wave = noise(4000, 1).astype(np.float64)
    torch.testing.assert_close(tokenizer.mel([wave]), 2 * bicodec.mel([wave]))


def test_weights_that_hold_code_are_not_run(write_bicodec, tmp_path):
    folder = write_bicodec(tmp_path)
    torch.save({"x": shutil.rmtree}, folder / "wav2vec2-large-xlsr-53/pytorch_model.bin")
    with pytest.raises(Exception, match="could run code"):
        BiCodecTokenizer(folder)


def test_missing_parts_are_named(write_bicodec, tmp_path):
    folder = write_bicodec(tmp_path)
    shutil.rmtree(folder / "wav2vec2-large-xlsr-53")
    with pytest.raises(ValueError, match="no folder wav2vec2-large-xlsr-53"):
        BiCodecTokenizer(folder)
    (folder / "BiCodec/config.yaml").unlink()
    with pytest.raises(ValueError, match=r"BiCodec/config\.yaml: file not found"):
        BiCodecTokenizer(folder)


def test_fingerprint_follows_the_weights(bicodec, write_bicodec, tmp_path):
    assert BiCodecTokenizer(write_bicodec(tmp_path / "a")).fingerprint == bicodec.fingerprint
    other = write_bicodec(tmp_path / "b", changed={"wav2vec2.encoder.layer_norm.bias": torch.zeros(64)})
    assert BiCodecTokenizer(other).fingerprint != bicodec.fingerprint
