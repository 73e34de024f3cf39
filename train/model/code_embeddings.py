"""Initial embeddings of a new model in which similar-sounding speech codes are similar.

A code with the codebook vector x starts as random Fourier features of x (Rahimi and Recht 2007): the inner product of
two embeddings is then about exp(-|x - y|^2 / 2 width^2). Random embeddings, the alternative, carry no information on
8192 codes until each has been seen many times, which takes many hours of speech.
"""

import math
from collections.abc import Mapping

import torch

from curation.tokenize.base import CodecTokenizer, ContentTokenizer, Vectors
from curation.tokenize.vocabulary import Stream, Vocabulary
from curation.train.model.qwen3 import Qwen3

WIDTH = 0.5
"""Width of the kernel, relative to the median distance of two codes: there the kernel is 0.14."""
OWN = 0.1
"""Share of a code's embedding (in variance) that stays random, so that no two codes are equal."""
PAIRS = 20_000


def code_vectors(content: ContentTokenizer, codec: CodecTokenizer) -> dict[Stream, Vectors]:
    """Vectors of the codes of each stream, (codes, any size)."""
    semantic, global_ = codec.code_vectors()
    return {"glm": content.code_vectors(), "semantic": semantic, "global_": global_}


def start_from_codebooks(
    model: Qwen3, vocabulary: Vocabulary, vectors: Mapping[Stream, Vectors], seed: int = 0
) -> None:
    """Overwrite the embeddings (input and tied output) of all speech codes; their size stays the same."""
    weight = model.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(seed)
    for stream, codes in sorted(vectors.items()):
        ids = vocabulary.streams[stream]
        rows = weight.detach()[ids.start : ids.stop]
        own = rows.std()
        features = fourier_features(torch.from_numpy(codes), weight.shape[1], generator).to(rows)
        rows.copy_(math.sqrt(1 - OWN) * own * features + math.sqrt(OWN) * rows)


def fourier_features(vectors: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """(codes, size) float32 with mean square one; inner products over `size` approximate the kernel."""
    vectors = vectors.float()
    pairs = torch.randint(len(vectors), (2, PAIRS), generator=generator)
    width = WIDTH * (vectors[pairs[0]] - vectors[pairs[1]]).norm(dim=1).median().clamp(min=1e-6)
    frequencies = torch.randn(vectors.shape[1], size, generator=generator) / width
    phases = 2 * math.pi * torch.rand(size, generator=generator)
    return math.sqrt(2) * torch.cos(vectors @ frequencies + phases)
