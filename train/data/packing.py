"""Best-fit packing: samples of different lengths into rows of a token budget, in one pass."""

import bisect
from collections.abc import Sequence


def pack(lengths: Sequence[int], budget: int, open_rows: int) -> list[list[int]]:
    """Indices of the samples of each row, in the order in which rows are closed.

    A sample goes into the fullest of at most `open_rows` rows in which it still fits (best fit, Johnson et al. 1974);
    where there is none, a row is opened, and the fullest is closed if there were too many. A row holds `budget` tokens
    at most. Raises ValueError for a sample that is longer.
    """
    closed: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (tokens left, number of the row), sorted
    rows: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        if length > budget:
            msg = f"sample {index} has {length} tokens and does not fit a row of {budget}"
            raise ValueError(msg)
        place = bisect.bisect_left(free, (length, -1))
        if place < len(free):
            left, row = free.pop(place)
        else:
            if len(free) == open_rows:
                closed.append(rows.pop(free.pop(0)[1]))
            left, row = budget, index
            rows[row] = []
        rows[row].append(index)
        bisect.insort(free, (left - length, row))
    return closed + [rows[row] for _, row in free]
