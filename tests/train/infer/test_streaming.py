"""Text and audio as they come."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.errors import ConfigError
from curation.tokenize.vocabulary import make_vocabulary
from curation.train.infer.streaming import Chunking, text_pieces, token_chunks
from tests.support.texts.characters import ANY

BYTES = make_vocabulary(glm=1, global_=1, semantic=1)
MERGED = make_vocabulary(glm=1, global_=1, semantic=1, texts=["grüße 你好 grüße 你好"] * 5, text_size=300)


@given(st.text(ANY, max_size=40), st.sampled_from([BYTES, MERGED]))
def test_pieces_are_whole_characters_and_join_to_the_text(text, vocabulary):
    pieces = list(text_pieces(vocabulary.text_ids(text), vocabulary))
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece for piece in pieces) or "\ufffd" in text


@given(st.lists(st.integers(0, 255), max_size=40))
def test_bytes_that_are_no_text_come_out_as_when_decoded_at_once(ids):
    assert "".join(text_pieces(ids, BYTES)) == BYTES.text_of(np.array(ids, np.int32))


def test_a_character_waits_for_its_last_byte():
    ids = BYTES.text_ids("a你b").tolist()
    taken = []

    def watched():
        for number in ids:
            taken.append(number)
            yield number

    seen = [(piece, len(taken)) for piece in text_pieces(watched(), BYTES)]
    assert seen == [("a", 1), ("你", 4), ("b", 5)]


@given(
    st.lists(st.integers(0, 8191), max_size=500),
    st.integers(1, 60),
    st.integers(1, 120),
    st.tuples(st.integers(0, 70), st.integers(0, 70)),
)
def test_chunks_join_to_the_ids_and_complete_pieces_that_grow(ids, first, largest, look_aheads):
    later, ahead = look_aheads
    chunks = list(token_chunks(ids, Chunking(first, largest), look_aheads))
    assert [number for chunk in chunks for number in chunk.tolist()] == ids
    arrived = np.cumsum([0, *map(len, chunks)]).tolist()
    ends = [0, *(count - (later if number else ahead) for number, count in enumerate(arrived[1:-1]))]
    sizes = [end - start for start, end in itertools.pairwise(ends)]
    wanted = [min(first * 2**number, max(first, largest)) for number in range(len(sizes))]
    if later >= ahead:
        assert sizes == wanted
    assert all(size <= max(first, largest) + ahead for size in sizes)


def test_the_look_ahead_of_the_first_piece_is_what_the_codec_advises(model):
    codec = model.codec
    assert 0 < codec.first_look_ahead < codec.look_ahead
    assert Chunking().look_aheads(codec) == (codec.look_ahead, codec.first_look_ahead)
    assert Chunking(look_ahead=4).look_aheads(codec) == (4, 4)
    assert Chunking(look_ahead=4, first_look_ahead=9).look_aheads(codec) == (4, 9)
    assert Chunking(first_look_ahead=0).look_aheads(codec) == (codec.look_ahead, 0)


@pytest.mark.parametrize("wrong", [{"first": 0}, {"largest": -1}, {"look_ahead": -3}, {"first_look_ahead": -3}])
def test_chunks_that_would_lose_tokens_are_refused(wrong):
    with pytest.raises(ConfigError, match="look-aheads 0 or more"):
        Chunking(**wrong)
