"""The pronunciation dictionary, with probabilities of pronunciations and of the silences around them.

Source: montreal_forced_aligner 3.4.3, utils.py (`parse_dictionary_file`) and dictionary/multispeaker.py; kalpy 0.10.5,
fstext/lexicon.py (`add_pronunciation`). Only the words of an utterance are ever looked at, so that no transducer of the
whole dictionary is needed.
"""

import math
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.acoustic import AcousticModel
from curation.stages.punctuate.mfa.direct.metadata import Metadata

PROBABILITY = re.compile(r"\b(\d+\.\d+|1)\b")
SPECIAL = frozenset({"<eps>", "<s>", "</s>", "#0"})
"""Entries of a dictionary that are no words."""
LEAST = 0.01
"""Smallest probability of a pronunciation."""
CLITIC = "'"
CLITIC_MARKS = re.compile("[\u2018\u2019]")


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """One way to say a word: the model's phones, and the costs around it."""

    phones: tuple[int, ...]
    cost: float
    before_silence: float
    """Cost where a silence precedes it."""
    before_none: float
    """Cost where it follows another word at once, or begins the utterance without a silence."""
    after_silence: float
    after_none: float


@dataclass(frozen=True, slots=True)
class Ends:
    """Costs at the ends of an utterance, with a silence and without; `optional` is false where there are none."""

    first_silence: float
    first_none: float
    last_silence: float
    last_none: float
    optional: bool


class Lexicon:
    """The dictionary: which words there are, and how they are said with an acoustic model."""

    def __init__(self, path: Path, model: AcousticModel) -> None:
        self._model = model
        self._lines = _lines(path)
        unknown = model.number(model.meta.unknown)
        assert unknown is not None  # noqa: S101 - the model was checked
        self._unknown = [_pronunciation(model.meta, (unknown,), [1.0])]
        self.ends = _ends(model.meta)

    def __contains__(self, word: object) -> bool:
        """Whether the dictionary has the word (lower case)."""
        return word in self._lines

    @property
    def clitics(self) -> Collection[str]:
        """Entries that are parts of words: 'll, d'."""
        return [word for word in self._lines if word.startswith(CLITIC) or word.endswith(CLITIC)]

    def pronunciations(self, word: str | None) -> list[Pronunciation]:
        """How a word is said; as spoken noise where the dictionary does not have it in phones of the model, and where
        it is None.
        """
        return list(self._known(word) if word else ()) or self._unknown

    def _known(self, word: str) -> Iterator[Pronunciation]:
        seen = set()
        for line in self._lines.get(word, ()):
            values, names = _split(line)
            numbers = [self._model.number(name, index, len(names)) for index, name in enumerate(names)]
            phones = tuple(number for number in numbers if number is not None)
            if len(phones) == len(numbers) and phones and phones not in seen:
                seen.add(phones)
                yield _pronunciation(self._model.meta, phones, values)


def _lines(path: Path) -> dict[str, list[str]]:
    """Word -> the rests of its lines. Raises ModelError that names the line without a pronunciation."""
    found: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                parts = line.split(maxsplit=1)
                if not parts:
                    continue
                if len(parts) == 1 or not _split(parts[1])[1]:
                    msg = f"{path}, line {number}: {parts[0]!r} has no pronunciation"
                    raise ModelError(msg)
                word = CLITIC_MARKS.sub(CLITIC, unicodedata.normalize("NFKC", parts[0]).lower())
                if word not in SPECIAL:
                    found.setdefault(word, []).append(parts[1].rstrip())
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the dictionary {path} cannot be read ({error})"
        raise ModelError(msg) from error
    if not found:
        msg = f"the dictionary {path} is empty"
        raise ModelError(msg)
    return found


def _split(line: str) -> tuple[list[float], list[str]]:
    """Up to four probabilities, then phones."""
    parts = line.split()
    count = 0
    while count < min(4, len(parts)) and PROBABILITY.match(parts[count]):
        count += 1
    try:
        return [float(part) for part in parts[:count]], parts[count:]
    except ValueError:
        return [], parts


def _pronunciation(meta: Metadata, phones: tuple[int, ...], values: list[float]) -> Pronunciation:
    """Absent probabilities are the model's; corrections that are absent or 0 cost nothing."""
    given: list[float | None] = [*values, None, None, None, None]
    probability, after, with_silence, without = given[:4]
    after = after or meta.silence_probability
    return Pronunciation(
        phones,
        cost=abs(math.log(max(probability if probability is not None else 1.0, LEAST))),
        before_silence=-math.log(with_silence) if with_silence else 0.0,
        before_none=-math.log(without) if without else 0.0,
        after_silence=_cost(after) if after else 0.0,
        after_none=_cost(1 - after) if after else 0.0,
    )


def _ends(meta: Metadata) -> Ends:
    """As in kalpy, what is 0 or absent costs nothing, and corrections never make an end cheaper."""
    first = meta.initial_silence_probability
    silence, none = meta.final_silence_correction, meta.final_non_silence_correction
    return Ends(
        first_silence=_cost(first) if first else 0.0,
        first_none=_cost(1 - first) if first else 0.0,
        last_silence=max(0.0, _cost(silence)) if silence else 0.0,
        last_none=max(0.0, _cost(none)) if silence and none else 0.0,
        optional=bool(meta.silence_probability),
    )


def _cost(probability: float) -> float:
    """What cannot be costs infinitely much."""
    return -math.log(probability) if probability > 0 else math.inf
