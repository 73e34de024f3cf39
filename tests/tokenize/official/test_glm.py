import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.tokenize.official.glm import GlmTokenizer

CASES = ["quiet_chirps", "speech_2s", "am_noise", "speech_6s", "clicks_speech", "long_31s4"]


def noise(samples, seed):
    """Noise with a slow change of loudness, so that log-mel floors differ between clips."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(samples) * 0.1 * np.linspace(1, rng.uniform(0.05, 1), samples)).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_ids_are_those_of_the_released_implementation(glm, glm_cases, case):
    golden = glm_cases[case]
    ids = glm.encode([golden["wave"]])[0]
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, golden["ids"])
    assert len(ids) == glm.num_tokens(len(golden["wave"])) == golden["chunk_counts"].sum()


@pytest.mark.parametrize("case", CASES)
def test_intermediate_arrays_are_within_the_advised_tolerance(glm, glm_cases, case):
    golden = glm_cases[case]
    chunk = golden["wave"][: glm.chunk_samples]
    np.testing.assert_allclose(glm.log_mel(chunk)[:, :4].T, golden["logmel4"], rtol=0, atol=1e-4)
    with torch.inference_mode():
        vectors = glm.prequant([glm.chunk(chunk)])[0, :8]
    np.testing.assert_allclose(vectors[: len(golden["prequant8"])], golden["prequant8"], rtol=0, atol=3e-4)


def test_one_batch_gives_the_same_ids(glm, glm_cases):
    chunks = [glm_cases[case]["wave"][: glm.chunk_samples] for case in CASES]
    for case, (ids, _) in zip(CASES, glm._encode_chunks(list(map(glm.chunk, chunks))), strict=True):
        np.testing.assert_array_equal(ids, glm_cases[case]["ids"][: len(ids)], err_msg=case)


@settings(max_examples=12, deadline=None)
@given(lengths=st.lists(st.integers(1, 40_000), min_size=2, max_size=6), seed=st.integers(0, 2**16))
def test_ids_do_not_depend_on_the_batch(glm, lengths, seed):
    waves = [noise(samples, seed + i) for i, samples in enumerate(lengths)]
    one_batch = [ids for ids, _ in glm._encode_chunks(list(map(glm.chunk, waves)))]  # whatever lengths would be batched
    for wave, together, forced in zip(waves, glm.encode(waves), one_batch, strict=True):
        alone = glm.encode([wave])[0]
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(forced, alone)
        assert len(together) == -(-len(wave) // 1280)


def test_a_loud_last_sample_does_not_reach_the_neighbours(glm):
    # Its reflection raises the maximum of the log-mel, and so the floor: the clip's own frames must set it.
    wave = noise(1280 * 4, 1) * 0.01
    wave[-30:] = 0.9
    alone = glm.encode([wave])[0]
    together = glm._encode_chunks(list(map(glm.chunk, [wave, noise(1280 * 5, 2), noise(1280 * 4 + 7, 3)])))[0][0]
    np.testing.assert_array_equal(alone, together)


def test_the_key_layout_of_the_older_files_is_read(glm, write_glm, tmp_path):
    old = write_glm(tmp_path, prefix="model.encoder.")
    wave = noise(20_000, 4)
    np.testing.assert_array_equal(GlmTokenizer(old).encode([wave])[0], glm.encode([wave])[0])


def test_layers_after_the_quantiser_are_ignored_where_the_configuration_announces_them(glm, write_glm, tmp_path):
    later = {"layers.4.fc1.weight": torch.zeros(128, 64), "layer_norm.bias": torch.zeros(64)}
    wave = noise(9_000, 6)
    whole = write_glm(tmp_path / "a", config={"quantize_encoder_only": False}, **later)
    np.testing.assert_array_equal(GlmTokenizer(whole).encode([wave])[0], glm.encode([wave])[0])
    with pytest.raises(ValueError, match=r"extra: layer_norm\.bias \(64,\), layers\.4\.fc1\.weight"):
        GlmTokenizer(write_glm(tmp_path / "b", **later))


def test_the_decoder_of_a_whole_model_file_is_ignored(glm, glm_folder, glm_tensors, tmp_path):
    from safetensors.torch import save_file

    tensors = {f"model.encoder.{key}": value for key, value in glm_tensors.items()}
    tensors |= {"model.encoder.layers.4.fc1.weight": torch.zeros(128, 64), "model.decoder.x": torch.zeros(2)}
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((glm_folder / name).read_bytes())
    save_file(tensors | {"model.encoder.layer_norm.weight": torch.zeros(64)}, tmp_path / "model.safetensors")
    wave = noise(9_000, 5)
    np.testing.assert_array_equal(GlmTokenizer(tmp_path).encode([wave])[0], glm.encode([wave])[0])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"drop": ["layers.2.fc1.bias"]}, r"missing: layers\.2\.fc1\.bias"),
        ({"surplus.weight": torch.zeros(3)}, r"extra: surplus\.weight"),
        (
            {"codebook.weight": torch.zeros(512, 63)},
            r"wrong shape: codebook\.weight \(512, 63\) instead of \(512, 64\)",
        ),
        ({"config": {"encoder_ffn_dim": 100}}, r"wrong shape: layers\.0\.fc1\.weight"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_an_error_that_names_the_key(write_glm, tmp_path, change, named):
    with pytest.raises(ValueError, match=named):
        GlmTokenizer(write_glm(tmp_path, **change))


def test_missing_files_are_named(tmp_path, write_glm):
    with pytest.raises(ValueError, match=r"config\.json"):
        GlmTokenizer(tmp_path)
    folder = write_glm(tmp_path / "b")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors or pytorch_model\.bin"):
        GlmTokenizer(folder)


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros((2, 1280)), np.full(1280, np.nan)])
def test_what_cannot_be_tokenized_is_an_error(glm, wave):
    with pytest.raises(ValueError, match="glm-4-voice"):
        glm.encode([wave])


def attends(encoder, frames, query, key):
    return bool(encoder.attention_mask(frames, torch.tensor([frames]), encoder.block)[0, 0, query, key])


@pytest.mark.parametrize(
    ("config", "allowed", "forbidden"),
    [
        ({}, [(0, 199), (250, 10)], [(0, 200), (199, 200)]),
        ({"quantize_causal_block_size": 50}, [(0, 49)], [(0, 50)]),
        ({"quantize_causal_block_size": None}, [(0, 299)], []),
        ({"encoder_causal_attention": True}, [(5, 5), (5, 0)], [(0, 1)]),
        ({"quantize_causal_encoder": True, "quantize_causal_block_size": None}, [(5, 5)], [(0, 1)]),
    ],
)
def test_attention_options(write_glm, tmp_path, config, allowed, forbidden):
    encoder = GlmTokenizer(write_glm(tmp_path, config=config)).encoder
    assert all(attends(encoder, 300, *pair) for pair in allowed)
    assert not any(attends(encoder, 300, *pair) for pair in forbidden)


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        ({"pooling_type": "max"}, {}),
        ({"pooling_position": 2}, {}),
        ({"encoder_causal_convolution": False}, {}),
        ({"pooling_kernel_size": 2}, {"embed_positions2.weight": torch.zeros(750, 64)}),
        ({"pooling_kernel_size": None}, {"embed_positions2.weight": torch.zeros(1500, 64)}),
        ({"encoder_causal_attention": True}, {}),
    ],
)
def test_other_configurations_count_right_and_do_not_depend_on_the_batch(write_glm, tmp_path, config, changed):
    tokenizer = GlmTokenizer(write_glm(tmp_path, config=config, **changed))
    waves = [noise(samples, samples) for samples in (12_801, 13_000, 14_400, 90_000)]
    samples = 320 * (config.get("pooling_kernel_size", 4) or 1)
    for wave, (ids, _) in zip(waves, tokenizer._encode_chunks(list(map(tokenizer.chunk, waves))), strict=True):
        assert len(ids) == tokenizer.num_tokens(len(wave)) == -(-len(wave) // samples)
        np.testing.assert_array_equal(ids, tokenizer.encode([wave])[0])


def test_fingerprint_follows_weights_and_configuration(write_glm, tmp_path):
    same = GlmTokenizer(write_glm(tmp_path / "a", config={}))
    assert same.fingerprint == GlmTokenizer(write_glm(tmp_path / "b")).fingerprint
    assert same.fingerprint != GlmTokenizer(write_glm(tmp_path / "c", config={"pooling_type": "max"})).fingerprint
    other = write_glm(tmp_path / "d", **{"conv1.bias": torch.zeros(64)})
    assert same.fingerprint != GlmTokenizer(other).fingerprint
