"""Quantities of English texts: numbers with their sign, currency, percent, fraction, clock time or ordinal.

$2.5 million and "two and a half million dollars" are $2500000; 10:30 p.m. and "ten thirty pm" are 1 0 3 0 pm.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curation.text.english_numbers import CLOCK, FIGURES, NUMBER_WORDS, SCALES, SMALL, read_number, scaled

Tokens = tuple[str, ...]

SYMBOLS = frozenset("$£€¥₹¢")
CURRENCIES = {
    **dict.fromkeys(["dollar", "dollars", "bucks"], "$"),
    **dict.fromkeys(["pound", "pounds", "quid", "lb", "lbs"], "£"),  # what a text says does not tell which pounds
    **dict.fromkeys(["euro", "euros"], "€"),
    "yen": "¥",
    "yuan": "元",
    **dict.fromkeys(["rupee", "rupees"], "₹"),
    **dict.fromkeys(["cent", "cents", "penny"], "¢"),
    "pence": "p",
}
CURRENCY_MARKS = SYMBOLS | frozenset(CURRENCIES.values())
PARTS_OF = {"$": "¢", "€": "¢", "£": "p"}
"""The hundredths of a currency."""
CENTS_BEFORE = {""} | frozenset(
    """
    a an and apiece at but by each for from if in is it more on only or per plus please so than that the then to was
    """.split()  # noqa: SIM905 - one word per line would take a page
)
"""What may follow cents that are not called so, in "five dollars fifty each"; other words are what is counted."""
PERCENT = (("%",), ("percent",), ("per", "cent"), ("pct",))
HALF_DAYS = {"am": "am", "a.m.": "am", "pm": "pm", "p.m.": "pm"}
OCLOCK = (("o'clock",), ("o", "clock"), ("oclock",))
MONTHS = frozenset(
    """
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    """.split()  # noqa: SIM905 - one word per line would take a page
)
TIME_WORDS = frozenset({"at", "by", "until", "till", "from", "since", "before", "after"})
FRACTIONS = {
    "half": 2,
    "quarter": 4,
    **dict(zip("third fourth fifth sixth seventh eighth ninth tenth".split(), range(3, 11), strict=True)),  # noqa: SIM905
}
UNITS = {
    "°": "degrees",
    "km": "kilometers",
    "cm": "centimeters",
    "mm": "millimeters",
    "kg": "kilograms",
    "mg": "milligrams",
    "ml": "milliliters",
    "ft": "feet",
    "oz": "ounces",
    "mph": "miles per hour",
    "kph": "kilometers per hour",
    **dict.fromkeys(["hr", "hrs"], "hours"),
    **dict.fromkeys(["min", "mins"], "minutes"),
    **dict.fromkeys(["sec", "secs"], "seconds"),
    "khz": "kilohertz",
    "mhz": "megahertz",
    "ghz": "gigahertz",
    "kb": "kilobytes",
    "mb": "megabytes",
    "gb": "gigabytes",
    "tb": "terabytes",
}
"""Abbreviations behind a number."""
MEASURES = UNITS.keys() | frozenset(
    """
    meter meters metre metres kilometer kilometers kilometre kilometres centimeters millimeters mile miles inch inches
    foot feet yards acres gram grams kilo kilos kilogram kilograms pound ounces ton tons tonnes liter liters litre
    litres gallons second seconds minute minutes hour hours days weeks months years degrees points times volts watts
    """.split()  # noqa: SIM905 - one word per line would take a page
)
"""Behind these figures are a quantity and no time of day."""
SIGN_WORDS = {"\u00d7": "times", "*": "times", "÷": "divided by", "^": "to the power of"}
"""Between two numbers."""
BEGINNINGS = NUMBER_WORDS | SYMBOLS | {"-", "\u2212", "minus", "negative"}
SCALE_LETTERS = {"k": "thousand", "m": "million", "bn": "billion", "b": "billion"}
"""Behind an amount of money: $50K."""
SUFFIXES = frozenset({"st", "nd", "rd", "th", "s"})


@dataclass(frozen=True, slots=True)
class Atom:
    """A word, figures or a sign, in lower case."""

    text: str
    word: int
    glued: bool
    """Whether nothing stands between it and the one before."""


class Reader:
    """Numbers among the atoms of a text, with what belongs to them. Each method takes and gives an index of atoms."""

    def __init__(self, atoms: Sequence[Atom]) -> None:
        self.atoms = atoms
        self.texts = [atom.text for atom in atoms]
        for at in range(2, len(atoms)):
            if self.texts[at] in SCALE_LETTERS and self.texts[at - 2] in SYMBOLS and atoms[at].glued:
                self.texts[at] = SCALE_LETTERS[self.texts[at]]

    def number(self, at: int) -> tuple[Tokens, int] | None:
        """(tokens, index behind) of a number with its sign, currency, percent, clock time or ordinal."""
        if self.texts[at] not in BEGINNINGS and not FIGURES.match(self.texts[at]):
            return None
        sign, start = self._sign(at)
        symbol = self._text(start) if self._text(start) in SYMBOLS else ""
        start += bool(symbol)
        if symbol and not sign:
            sign, start = self._sign(start)
        if not symbol and not sign and (fraction := self._part_of_percent(at) or self._part(at)):
            return fraction
        if not symbol and (clock := self._clock(start)):
            return clock
        found = read_number(self.texts, start)
        if found is None:
            return None
        digits, end = found
        digits, end = self._suffixed(digits, end)
        digits, end = self._with_fraction(digits, end)
        named = self._currency(digits, end)
        if named and digits[-1].isdecimal():
            end, symbol = end + 1, symbol or named
        if symbol:
            digits, end = self._with_cents(symbol, digits.removesuffix(".00"), end)
        elif length := self._says(end, PERCENT):
            digits, end = digits + "%", end + length
        if self._text(at - 1) in MONTHS and digits[-2:] in SUFFIXES:
            digits = digits[:-2]  # May 5th is also written May 5
        return (tuple(digits) if digits.isdecimal() and not sign else (sign + digits,)), end

    def beside_number(self, at: int, behind: Tokens | None) -> Tokens | None:
        """What is written shorter beside a number: 5 km, No. 5, + 5; None where it is nothing of the kind.

        `behind`: the number that it stands behind, or None.
        """
        atom, following = self.atoms[at].text, self._text(at + 1)
        if behind and atom in UNITS:
            first, *others = UNITS[atom].split()
            singular = {"feet": "foot"}.get(first, first.removesuffix("s"))
            return (singular if behind == ("1",) else first, *others)
        if not FIGURES.fullmatch(following):
            return None
        if behind and atom in SIGN_WORDS:
            return tuple(SIGN_WORDS[atom].split())
        return {"+": ("plus",), "=": ("equals",), "#": ("number",), "no.": ("number",)}.get(atom)

    def _text(self, at: int) -> str:
        return self.texts[at] if 0 <= at < len(self.texts) else ""

    def _says(self, at: int, phrases: Sequence[Sequence[str]]) -> int:
        """The number of atoms of the phrase that stands there; 0 where none of them does."""
        return next((len(words) for words in phrases if self.texts[at : at + len(words)] == list(words)), 0)

    def _sign(self, at: int) -> tuple[str, int]:
        return ("-", at + 1) if self._text(at) in {"-", "\u2212", "minus", "negative"} else ("", at)

    def _currency(self, digits: str, end: int) -> str:
        """The mark of the currency that stands there; empty where none does."""
        text = self._text(end)
        if text == "p" and self.atoms[end].glued and len(digits) < 3:
            return "p"  # 50p, but not 720p
        return CURRENCIES.get(text, text if text in SYMBOLS else "")

    def _part(self, at: int) -> tuple[Tokens, int] | None:
        """A fraction, or half of, a third of."""
        start = at + (self._text(at) == "a")
        name = self._text(start)
        if self._text(start + 1) == "of" and name in FRACTIONS and (start > at or name == "half"):
            return (f"1/{FRACTIONS[name]}",), start + 1
        return self._fraction(at)

    def _fraction(self, at: int) -> tuple[Tokens, int] | None:
        """1/2 and one half, 2/3 and two thirds; no date (1/2/2026)."""
        if self._text(at + 3) == "/" or self._text(at - 1) == "/":
            return None
        if self._text(at + 1) == "/" and re.fullmatch(r"\d/\d\d?", "".join(self.texts[at : at + 3])):
            over, under = int(self.texts[at]), int(self.texts[at + 2])
            end = at + 3
        else:
            name = self._text(at + 1)
            over, end = SMALL.get(self._text(at), 10), at + 2
            under = FRACTIONS.get(name if over == 1 else "half" if name == "halves" else name.removesuffix("s"), 0)
            under = under if over == 1 or name.endswith("s") else 0
        return ((f"{over}/{under}",), end) if 0 < over < under and over < 10 and under in FRACTIONS.values() else None

    def _part_of_percent(self, at: int) -> tuple[Tokens, int] | None:
        """Half a percent, three quarters of one percent, 1/4%: 0.5%, 0.75%, 0.25%."""
        bare = self._text(at) in {"half", "quarter"}
        start = at + (self._text(at) == "a" and self._text(at + 1) in {"half", "quarter"})
        named = FRACTIONS.get(self._text(start), 0) if bare or start > at else 0
        found = ((f"1/{named}",), start + 1) if named else self._fraction(at)
        if found is None:
            return None
        (fraction,), end = found
        end += self._text(end) == "of"
        end += self._text(end) in {"a", "one", "1"}
        length = self._says(end, PERCENT)
        over, under = map(int, fraction.split("/"))
        return ((f"{over / under:.3f}".rstrip("0") + "%",), end + length) if length and under != 3 else None

    def _with_fraction(self, digits: str, end: int) -> tuple[str, int]:
        """2 1/2 is 2.5, 2 1/2 million 2500000."""
        over, slash, under = (self._text(end + ahead) for ahead in range(3))
        parts = {"1/2": ".5", "1/4": ".25", "3/4": ".75"}
        if slash != "/" or not digits.isdecimal() or over + slash + under not in parts:
            return digits, end
        return scaled(self.texts, digits + parts[over + slash + under], end + 3)

    def _clock(self, at: int) -> tuple[Tokens, int] | None:
        """10:30, 10.30, 10 o'clock, 10 pm: digits of hours and minutes; no minutes before am and pm on the hour."""
        text = self._text(at)
        if CLOCK.fullmatch(text) or self._is_time(at):
            digits, end = text.replace(":", "").replace(".", "").removeprefix("0"), at + 1
            hours, minutes = digits[:-2] or "0", digits[-2:]
        else:
            found = read_number(self.texts, at)
            if found is None or not found[0].isdecimal() or len(found[0]) > 4:
                return None
            hours, end = found
            minutes = ""
            if length := self._says(end, OCLOCK):
                end, minutes = end + length, "00"
            elif not self._half_day(end)[0]:
                return None
        half_day, end = self._half_day(end)
        if half_day and minutes == "00":
            minutes = ""
        return (*hours, *minutes, *([half_day] if half_day else [])), end

    def _is_time(self, at: int) -> bool:
        """Whether figures with a point, which could be a quantity, are a time by their form and neighbours."""
        text = self._text(at)
        if not re.fullmatch(r"\d{1,2}\.[0-5]\d", text) or not 1 <= float(text) < 24.6:
            return False
        following = self._text(at + 1)
        if following in SYMBOLS | CURRENCIES.keys() | SCALES.keys() | MEASURES or self._says(at + 1, PERCENT):
            return False
        told = self._half_day(at + 1)[0] or self._says(at + 1, OCLOCK) or self._text(at - 1) in TIME_WORDS
        return bool(told) or text.endswith("0")  # nobody says a zero at the end of a quantity

    def _half_day(self, at: int) -> tuple[str, int]:
        """(am, pm or nothing, index behind)."""
        if self._text(at) in HALF_DAYS:
            return HALF_DAYS[self._text(at)], at + 1
        if self._text(at) in {"a", "p"} and self._text(at + 1) == "m":
            return self._text(at) + "m", at + 2
        return "", at

    def _suffixed(self, digits: str, end: int) -> tuple[str, int]:
        """5 th, 1980 s: letters right behind figures."""
        if digits.isdecimal() and self._text(end) in SUFFIXES and self.atoms[end].glued:
            return digits + self.texts[end], end + 1
        return digits, end

    def _with_cents(self, symbol: str, digits: str, end: int) -> tuple[str, int]:
        """Five dollars and fifty cents, and five dollars fifty, are $5.50; $0.50 are 50 cents."""
        part = PARTS_OF.get(symbol, "")
        if symbol in "$£" and re.fullmatch(r"0\.\d\d", digits):
            return f"{part}{int(digits[2:])}", end
        and_ = self._text(end) == "and"
        found = read_number(self.texts, end + and_)
        if not part or not digits.isdecimal() or not found or not re.fullmatch(r"\d\d?", found[0]):
            return symbol + digits, end
        cents, behind = found
        if self._currency(cents, behind) == part:
            return f"{symbol}{digits}.{cents:0>2}", behind + 1
        said = self._text(end - 1) in CURRENCIES and len(cents) == 2 and not and_
        if said and self._text(behind) in CENTS_BEFORE and not self._says(behind, PERCENT):
            return f"{symbol}{digits}.{cents}", behind
        return symbol + digits, end
