"""Every tokenizer says what its codes stand for."""

import numpy as np

from curation.tokenize.registry import load_codec, load_content


def assert_a_vector_for_each_code(vectors, count):
    assert vectors.dtype == np.float32
    assert len(vectors) == count
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors, axis=0)) == count


def test_content_tokenizers(glm):
    for tokenizer in (glm, load_content("compact")):
        assert_a_vector_for_each_code(tokenizer.code_vectors(), tokenizer.codebook_size)


def test_codecs(bicodec):
    for tokenizer in (bicodec, load_codec("compact")):
        semantic, global_ = tokenizer.code_vectors()
        assert_a_vector_for_each_code(semantic, tokenizer.semantic_size)
        assert_a_vector_for_each_code(global_, tokenizer.global_size)
