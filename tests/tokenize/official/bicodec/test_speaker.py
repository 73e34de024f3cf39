"""Global tokens of BiCodec: as many for any clip, and a vector from each of them."""

import pytest
import torch

from curation.tokenize.official.bicodec.speaker import SpeakerEncoder


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    made = SpeakerEncoder(input_dim=12, out_dim=10, latent_dim=8, token_num=5, fsq_levels=(4, 4)).eval()
    for parameter in made.parameters():  # some are made empty, since a checkpoint fills them
        torch.nn.init.normal_(parameter, std=0.05)
    return made


@pytest.mark.parametrize("frames", [20, 75])
def test_every_clip_has_as_many_tokens(encoder, frames):
    with torch.inference_mode():
        ids, certain = encoder.ids(torch.randn(3, 12, frames, generator=torch.Generator().manual_seed(frames)))
    assert ids.shape == certain.shape == (3, 5)
    assert 0 <= ids.min() <= ids.max() < encoder.quantizer.size == 16


def test_a_clip_is_tokenized_alike_alone_and_in_a_batch(encoder):
    mel = torch.randn(4, 12, 40, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together, certain = encoder.ids(mel)
        alone = torch.cat([encoder.ids(one[None])[0] for one in mel])
    assert torch.equal(together[certain], alone[certain])


def test_each_token_and_its_place_change_the_vector(encoder):
    ids = torch.tensor([[3, 1, 4, 1, 5], [3, 1, 4, 1, 6], [1, 3, 4, 1, 5]])
    with torch.inference_mode():
        vectors = encoder.dvector(ids)
    assert vectors.shape == (3, 10)
    assert all((vectors[0] - vectors[i]).abs().max() > 1e-4 for i in (1, 2))


def test_what_only_training_needs_is_not_needed(encoder):
    """The x-vector branch of the checkpoint is loaded and then dropped."""
    mel = torch.randn(1, 12, 30, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        before = encoder.latents(mel)
        encoder.speaker_encoder.drop_unused()
        assert torch.equal(encoder.latents(mel), before)
    assert not [name for name, _ in encoder.named_parameters() if "speaker_encoder.pool" in name]


def test_residual_quantisers_are_refused():
    with pytest.raises(ValueError, match="fsq_num_quantizers is 2"):
        SpeakerEncoder(12, 10, 8, 5, (4, 4), fsq_num_quantizers=2)
