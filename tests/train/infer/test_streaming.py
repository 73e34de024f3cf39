"""Text and audio as they come."""

from hypothesis import given
from hypothesis import strategies as st

from curation.tokenize.vocabulary import make_vocabulary
from curation.train.infer.streaming import Chunking, text_pieces, token_chunks

BYTES = make_vocabulary(glm=1, global_=1, semantic=1)
MERGED = make_vocabulary(glm=1, global_=1, semantic=1, texts=["grüße 你好 grüße 你好"] * 5, text_size=300)


@given(st.text(max_size=40), st.sampled_from([BYTES, MERGED]))
def test_pieces_are_whole_characters_and_join_to_the_text(text, vocabulary):
    pieces = list(text_pieces(vocabulary.text_ids(text), vocabulary))
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece for piece in pieces) or "\ufffd" in text


@given(st.lists(st.integers(0, 255), max_size=40))
def test_bytes_that_are_no_text_come_out_as_when_decoded_at_once(ids):
    import numpy as np

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


@given(st.lists(st.integers(0, 8191), max_size=500), st.integers(1, 60), st.integers(1, 120))
def test_chunks_join_to_the_ids_and_grow(ids, first, largest):
    chunks = list(token_chunks(ids, Chunking(first, largest)))
    assert [number for chunk in chunks for number in chunk.tolist()] == ids
    sizes = [len(chunk) for chunk in chunks]
    assert all(size <= max(first, largest) for size in sizes)
    assert sizes[:-1] == sorted(sizes[:-1])
    assert not sizes or sizes[0] == min(first, len(ids))
