"""How streams of speech are cut and joined, by a codec whose samples say what they were decoded from."""

import numpy as np
import pytest

from curation.tokenize.speech import FADE, speech

TOKEN = 320


class Hearing:
    """A token says its id, and errs by 1 for each token of its look-ahead that is not there."""

    look_ahead, token_samples = 3, TOKEN

    def __init__(self):
        self.ids, self.forgotten = [], []

    def take(self, ids):
        self.ids += ids.tolist()

    def speak(self, start, end):
        missing = [max(self.look_ahead - (len(self.ids) - 1 - place), 0) for place in range(start, end)]
        return np.repeat(np.float32(self.ids[start:end]) + np.float32(missing), TOKEN)

    def forget(self, end):
        self.forgotten.append(end)


def spoken(chunks, look_ahead=None, first=None):
    stream = Hearing()
    pieces = list(speech(stream, (np.array(chunk, np.int32) for chunk in chunks), look_ahead, first))
    return pieces, stream


def test_pieces_are_spoken_once_their_look_ahead_is_there_and_at_last_all_is():
    pieces, stream = spoken([[10, 11], [12, 13, 14], [], [15]])
    assert [len(piece) // TOKEN for piece in pieces] == [2, 1, 3]
    assert stream.forgotten == [2, 3, 6]
    assert np.concatenate(pieces)[::TOKEN].tolist() == [10, 11, 12, 14, 16, 18]  # at the end, nothing follows


def test_the_first_piece_may_wait_for_less():
    pieces, _ = spoken([[10, 11, 12], [13, 14, 15, 16]], None, 1)
    assert [len(piece) // TOKEN for piece in pieces] == [2, 2, 3]
    assert pieces[0][::TOKEN].tolist() == [11, 13]
    assert pieces[1][FADE] == 12


def test_a_piece_that_is_not_exact_goes_over_into_the_next_one():
    (_, second, _), _ = spoken([[10, 11, 12], [13, 14, 15, 16]], None, 1)
    fade, rest = second[:FADE], second[FADE:TOKEN]
    assert 12 < fade[-1] < fade[0] < 15  # what the first piece would have said next, with nothing behind it
    assert np.all(np.diff(fade) < 0)
    assert np.all(rest == 12)
    (_, exact, *_), _ = spoken([[10, 11, 12, 13, 14], [15, 16]])
    assert np.all(exact[:TOKEN] == 12)
    (_, hard, *_), _ = spoken([[10], [11], [12]], 0)
    assert np.all(hard == 14)  # nothing follows that could go over


@pytest.mark.parametrize("chunks", [[], [[]], [[], []]])
def test_nothing_to_say_is_no_piece(chunks):
    assert spoken(chunks)[0] == []
