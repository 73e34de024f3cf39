"""Speaker turns to pieces of a recording: utterances of one speaker, overlapped speech, and excluded speech.

All times are samples at 16 kHz. The rules, in order:
 1. Where two or more speak, or where the diarizer takes that for likely, the speech is overlapped. The rest are
    stretches of one speaker.
 2. Stretches of the same speaker with only a short pause between them are one turn.
 3. A turn that runs into overlapped speech ends at the last pause before it (and starts at the first one after it),
    so that neither a cut word nor the other voice is published.
 4. Where a word is likely cut at an edge of a turn all the same, by overlapped speech, another speaker or the end of
    the recording, the turn is parted at the nearest pause where none is cut: what is between is an utterance of its
    own, if it is long enough, and the rest is whole.
 5. A turn that is too long is cut at its longest pauses.
 6. Edges move outwards to where the speech has decayed: the times of a diarizer are accurate to about 0.1 s.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from curation.audio.wave import SAMPLE_RATE
from curation.stages.diarize.pauses import FADE, FRAME, Pauses

Kind = Literal["speech", "overlap", "margin"]
MIN_PARTED = 4 * SAMPLE_RATE
"""Shorter turns are not parted: less of them would be left than is lost."""
MAX_CUT = 0.5
"""Probability above which a word counts as cut."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker speaks from `start` to `end` (samples). Turns of different speakers may overlap."""

    start: int
    end: int
    speaker: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of speech; pieces never overlap. `margin` is one speaker's speech next to overlapped speech."""

    start: int
    end: int
    speaker: str
    kind: Kind = "speech"

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.start) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class TurnRules:
    """The limits that the rules use, in samples."""

    min_length: int
    max_length: int
    max_pause: int
    overlap_margin: int
    max_edge: int
    exclude_overlap: bool = True


def cut_turns(
    turns: Sequence[Turn], pauses: Pauses, rules: TurnRules, crowded: Sequence[tuple[int, int]] = ()
) -> list[Piece]:
    """Pieces in order of time, inside 0..`pauses.length`, none overlapping another. `crowded` are stretches in which
    two are likely to speak, whatever the turns say.
    """
    pieces = separate(turns, crowded if rules.exclude_overlap else (), exclude_overlap=rules.exclude_overlap)
    pieces = settle_changes(merge(pieces, rules.max_pause), pauses, rules)
    pieces = [part for i in range(len(pieces)) for part in cut_margins(pieces, i, pauses, rules)]
    pieces = [part for i in range(len(pieces)) for part in part_cuts(pieces, i, pauses)]
    pieces = [part for piece in pieces for part in split(piece, pauses, rules)]
    return widen(pieces, pauses, rules)


def whole_turn(
    turns: Sequence[Turn], pauses: Pauses, rules: TurnRules, crowded: Sequence[tuple[int, int]] = ()
) -> list[Piece]:
    """One piece from the first speech to the last, of the speaker with the most, with silence around it; of kind
    `overlap` where two speak, or are likely to, anywhere in it. Empty where nobody speaks.
    """
    parts = separate(turns, crowded if rules.exclude_overlap else (), exclude_overlap=rules.exclude_overlap)
    if not parts:
        return []
    length = Counter[str]()
    for part in parts:
        length[part.speaker] += part.end - part.start
    kind: Kind = "overlap" if any(part.kind == "overlap" for part in parts) else "speech"
    del length[""]
    speaker = "" if kind == "overlap" else max(sorted(length), key=length.__getitem__)
    piece = Piece(parts[0].start, parts[-1].end, speaker, kind)
    return [piece] if piece.end - piece.start > rules.max_length else widen([piece], pauses, rules)


def separate(turns: Iterable[Turn], crowded: Sequence[tuple[int, int]] = (), *, exclude_overlap: bool) -> list[Piece]:
    """Stretches with one speaker, and stretches with several or `crowded` (kind `overlap`, no speaker).

    Without `exclude_overlap` a stretch with several is assigned to the speaker before it.
    """
    turns = [turn for turn in turns if turn.end > turn.start]
    borders = [*((turn.start, turn.end) for turn in turns), *crowded]
    times = sorted({time for border in borders for time in border})
    pieces: list[Piece] = []
    for start, end in pairwise(times):
        speakers = sorted({turn.speaker for turn in turns if turn.start < end and turn.end > start})
        if not speakers:
            continue
        before = pieces[-1].speaker if pieces else ""
        single = len(speakers) == 1 and not any(first < end and last > start for first, last in crowded)
        if single or not exclude_overlap:
            speaker = before if before in speakers else speakers[0]
            pieces.append(Piece(start, end, speaker))
        else:
            pieces.append(Piece(start, end, "", "overlap"))
    return merge(pieces, 0)


def merge(pieces: Iterable[Piece], max_pause: int) -> list[Piece]:
    """Join neighbours of the same speaker and kind with at most `max_pause` between them; overlapped speech only
    where it touches.
    """
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        same = last is not None and (last.speaker, last.kind) == (piece.speaker, piece.kind)
        if last is not None and same and piece.start - last.end <= (max_pause if piece.kind == "speech" else 0):
            merged[-1] = replace(last, end=piece.end)
        else:
            merged.append(piece)
    return merged


def settle_changes(pieces: list[Piece], pauses: Pauses, rules: TurnRules) -> list[Piece]:
    """Move the border where one speaker follows another without a pause to the quietest moment nearby."""
    pieces = list(pieces)
    for i in range(len(pieces) - 1):
        one, two = pieces[i], pieces[i + 1]  # as changed by the border before
        if one.kind == two.kind == "speech" and one.end == two.start:
            reach = whole_frames(min(rules.max_edge, (one.end - one.start) // 2, (two.end - two.start) // 2))
            border = pauses.quietest(one.end - reach, one.end + reach)
            pieces[i], pieces[i + 1] = replace(one, end=border), replace(two, start=border)
    return pieces


def cut_margins(pieces: Sequence[Piece], i: int, pauses: Pauses, rules: TurnRules) -> list[Piece]:
    """Piece `i`, cut back from the overlapped speech that it touches; what is cut off becomes `margin` pieces."""
    piece = pieces[i]
    if piece.kind != "speech":
        return [piece]
    reach = whole_frames(min(rules.overlap_margin, (piece.end - piece.start) // 2))
    start, end = piece.start, piece.end
    if i > 0 and pieces[i - 1].kind == "overlap" and pieces[i - 1].end == start:
        start = pauses.first_pause(start, start + reach)
    if i + 1 < len(pieces) and pieces[i + 1].kind == "overlap" and pieces[i + 1].start == end:
        end = pauses.last_pause(end - reach, end)
    parts = [
        replace(piece, end=start, kind="margin"),
        replace(piece, start=start, end=end),
        replace(piece, start=end, kind="margin"),
    ]
    return [part for part in parts if part.end > part.start]


def part_cuts(pieces: Sequence[Piece], i: int, pauses: Pauses) -> list[Piece]:
    """Piece `i`, parted from what is between an edge at which a word is cut and the pause nearest to it, in the half of
    the piece on that side. Only edges at which the recording ends or another piece follows at once may be cut.
    """
    piece = pieces[i]
    if piece.kind != "speech" or piece.end - piece.start < MIN_PARTED:
        return [piece]
    half, level = whole_frames((piece.end - piece.start) // 2), pauses.level(piece.start, piece.end)
    first, last = (piece.start, piece.start), (piece.end, piece.end)
    if piece.start == (pieces[i - 1].end if i > 0 else 0) and pauses.cut(piece.start, 0, level) > MAX_CUT:
        places = [(max(a, b - FADE), (a, b)) for a, b in pauses.between(piece.start, piece.start + half)]
        first = next((parted(at, pause) for at, pause in places if pauses.cut(at, 0, level) <= MAX_CUT), first)
    beyond = pieces[i + 1].start if i + 1 < len(pieces) else pauses.length
    if piece.end > beyond - FRAME and pauses.cut(piece.end, 1, level) > MAX_CUT:
        places = [(min(b, a + FADE), (a, b)) for a, b in reversed(pauses.between(piece.end - half, piece.end))]
        last = next((parted(at, pause) for at, pause in places if pauses.cut(at, 1, level) <= MAX_CUT), last)
    parts = [(piece.start, first[0]), (first[1], last[0]), (last[1], piece.end)]
    return [replace(piece, start=start, end=end) for start, end in parts if end > start]


def parted(at: int, pause: tuple[int, int]) -> tuple[int, int]:
    """Where speech ends and begins that is parted at a place in a pause: a long one is dropped, `widen` gives each side
    its share; of a short one the whole side gets all.
    """
    return pause if pause[1] - pause[0] >= 2 * FADE else (at, at)


def split(piece: Piece, pauses: Pauses, rules: TurnRules) -> list[Piece]:
    """Cut a turn that is too long at its longest pause, repeatedly; the pauses themselves are dropped.

    No part becomes shorter than a quarter of the longest length allowed.
    """
    length = piece.end - piece.start
    if piece.kind != "speech" or length <= rules.max_length:
        return [piece]
    least = min(max(rules.min_length, rules.max_length // 4), length // 3)
    start, end = pauses.longest_pause(piece.start + least, piece.end - least)
    return [
        *split(replace(piece, end=start), pauses, rules),
        *split(replace(piece, start=end), pauses, rules),
    ]


def widen(pieces: Sequence[Piece], pauses: Pauses, rules: TurnRules) -> list[Piece]:
    """Move the outer edges of speech into the silence around it, at most half-way to the next piece of speech."""
    widened = list(pieces)
    for i, piece in enumerate(pieces):
        if piece.kind != "speech":
            continue
        reach = min(rules.max_edge, (rules.max_length - (piece.end - piece.start)) // 2)
        before = pieces[i - 1] if i > 0 else None
        after = pieces[i + 1] if i + 1 < len(pieces) else None
        lowest = 0 if before is None else room_after(before, piece.start)
        highest = pauses.length if after is None else room_before(after, piece.end)
        start = pauses.fade(piece.start, max(piece.start - reach, lowest))
        end = pauses.fade(piece.end, min(piece.end + reach, highest))
        widened[i] = replace(piece, start=start, end=end)
    return widened


def room_after(before: Piece, start: int) -> int:
    """The earliest start of a piece that starts at `start`, after the piece `before`."""
    return start - whole_frames((start - before.end) // 2) if before.kind == "speech" else before.end


def room_before(after: Piece, end: int) -> int:
    """The latest end of a piece that ends at `end`, before the piece `after`."""
    return end + whole_frames((after.start - end) // 2) if after.kind == "speech" else after.start


def whole_frames(length: int) -> int:
    """`length` rounded down to whole frames of 10 ms."""
    return length // FRAME * FRAME


def samples(seconds: float) -> int:
    """Seconds as a multiple of 10 ms, in samples."""
    return round(seconds * 100) * FRAME
