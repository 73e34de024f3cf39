# ruff: noqa: RUF001 - Chinese figures
"""Numbers as ASR systems write them: all spellings of one value, in English and in Chinese.

Written apart from the readers of `curation.text`, which are tested against it.
"""

from collections.abc import Callable, Sequence

_NAMES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety
""".split()  # noqa: SIM905 - one word per line would take a page
BELOW_20, TENS = _NAMES[:20], _NAMES[20:]
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
NUMERALS = "零一二三四五六七八九"
MONTHS = ("January", "March", "June", "October")


def words(value: int, link: str = "-", and_: str = " ") -> str:
    """`value` (0 to 999,999,999) in words; `link` between tens and ones, `and_` behind hundreds."""
    for scale, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if value >= scale:
            rest = value % scale
            joint = and_ if rest < 100 else " "
            tail = joint + words(rest, link, and_) if rest else ""
            return f"{words(value // scale, link, and_)} {name}{tail}"
    if value < 20:
        return BELOW_20[value]
    return TENS[value // 10 - 2] + (link + BELOW_20[value % 10] if value % 10 else "")


def ordinal_words(value: int) -> str:
    """First, twenty-first, one hundred and fifth."""
    text = words(value, "-", " and ")
    last = text.replace("-", " ").split()[-1]
    end = ORDINALS.get(last) or (last.removesuffix("y") + "ieth" if last.endswith("y") else last + "th")
    return text.removesuffix(last) + end


def suffixed(value: int) -> str:
    """1st, 12th, 23rd."""
    last = 0 if 10 < value % 100 < 20 else value % 10
    return f"{value}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def cardinal(value: int) -> list[str]:
    """A count."""
    spelled = [words(value), words(value, " "), words(value, "-", " and "), words(value).capitalize() + ","]
    hundred = [
        text.replace("one ", "a ", 1) for text in spelled[:3] if text.startswith(("one hundred", "one thousand"))
    ]
    return [str(value), f"{value:,}", *spelled, *hundred]


def year(value: int) -> list[str]:
    """1100 to 2099, but for the first years of a century read otherwise."""
    century, rest = divmod(value, 100)
    if rest == 0:
        spoken = [words(value)] if century == 20 else [f"{words(century)} hundred"]
    elif rest < 10:
        spoken = [f"{words(century)} oh {words(rest)}"]
    else:
        spoken = [f"{words(century)} {words(rest)}", f"{words(century)} {words(rest, ' ')}"]
    return [str(value), *spoken, *([words(value), words(value, "-", " and ")] if century == 20 else [])]


def decade(value: int) -> list[str]:
    """1920s to 1990s, given as their first year."""
    return [f"{value}s", f"{words(value // 100)} {words(value % 100).removesuffix('y')}ies"]


def percent(value: int) -> list[str]:
    """Whole percent."""
    return [
        f"{value}%",
        f"{value} percent",
        f"{value} %",
        *(f"{text} percent" for text in cardinal(value)[2:5]),
        f"{words(value)} per cent",
    ]


def dollars(value: int) -> list[str]:
    """Whole dollars, from two."""
    return [f"${value:,}", f"${value}", f"{value:,} dollars", *(f"{text} dollars" for text in cardinal(value)[2:5])]


def cents(value: int) -> list[str]:
    """Dollars and cents, given in cents; both from two."""
    whole, part = divmod(value, 100)
    return [
        f"${whole}.{part:02d}",
        f"{whole} dollars and {part} cents",
        f"{words(whole)} dollars and {words(part)} cents",
        f"{words(whole, ' ')} dollars {words(part, ' ')} cents",
    ]


def millions(value: int) -> list[str]:
    """Tenths of a million pounds."""
    whole, tenth = divmod(value, 10)
    return [
        f"£{whole}.{tenth} million",
        f"{whole}.{tenth} million pounds",
        f"£{value * 100_000:,}",
        f"{words(whole)} point {words(tenth)} million pounds",
        *([f"{words(whole)} and a half million pounds"] if tenth == 5 else []),
    ]


def ordinal(value: int) -> list[str]:
    """A rank."""
    return [suffixed(value), ordinal_words(value), ordinal_words(value).replace("-", " ")]


def day(value: int) -> list[str]:
    """A day of the month."""
    month = MONTHS[value % len(MONTHS)]
    return [f"{month} {value}", f"{month} {suffixed(value)}", f"{month} {ordinal_words(value)}"]


def decimal(value: int) -> list[str]:
    """Hundredths without a zero at the end."""
    text = f"{value / 100:.2f}"
    named = " ".join(BELOW_20[int(digit)] for digit in text.partition(".")[2])
    return [
        text,
        f"{words(value // 100)} point {named}",
        f"{words(value // 100, ' ')} point {named.replace('zero', 'oh')}",
    ]


def clock(value: int) -> list[str]:
    """Minutes of half a day from one o'clock: with and without am and pm in turn."""
    hour, minute = 1 + value // 60 % 12, value % 60
    spoken = f"{words(hour)} {'oh ' if minute < 10 else ''}{words(minute)}"
    if value % 2:
        full = [f"{hour} o'clock", f"{hour}:00", f"{words(hour)} o'clock"]
        return [f"{hour}:{minute:02d}", spoken, spoken.replace("-", " ")] if minute else full
    halves = ["p.m.", "pm", "P.M.", "PM"]
    hours = [f"{hour}", f"{hour}:00", words(hour)]
    times = [f"{hour}:{minute:02d}", f"{hour}.{minute:02d}", spoken] if minute else hours
    return [f"{time} {half}" for time in times for half in halves]


def span(value: int) -> list[str]:
    """From a number below 100 to a higher one."""
    low, high = divmod(value, 1000)
    spoken = [f"{words(low)} to {words(high)}", f"{words(low, ' ')} to {words(high, '-', ' and ')}"]
    return [f"{low}-{high}", f"{low}\u2013{high}", f"{low} to {high}", *spoken]


def dollar_span(value: int) -> list[str]:
    """The same in dollars."""
    low, high = divmod(value, 1000)
    written = [f"${low}-{high}", f"${low}-${high}", f"${low} to ${high}", f"{low} to {high} dollars"]
    return [*written, f"{words(low)} to {words(high)} dollars"]


def percent_span(value: int) -> list[str]:
    """The same in percent."""
    low, high = divmod(value, 1000)
    written = [f"{low}-{high}%", f"{low}%-{high}%", f"{low}% to {high}%", f"{low} to {high} percent"]
    return [*written, f"{words(low)} to {words(high)} percent"]


def years(value: int) -> list[str]:
    """A time of 20 years, given by its first."""
    first, last = year(value), year(value + 20)
    return [f"{value}-{value + 20}", f"{value}\u2013{value + 20}", *(f"{a} to {b}" for a in first for b in last)]


def part_of_percent(value: int) -> list[str]:
    """Quarters of a percent, one to three."""
    name = {1: "a quarter", 2: "half", 3: "three quarters"}[value]
    decimals = {1: "0.25", 2: "0.5", 3: "0.75"}[value]
    link = " " if value == 2 else " of "
    return [f"{decimals}%", f"{decimals} percent", f"{name}{link}a percent", f"{name} of one per cent"]


def roman(value: int) -> str:
    """1 to 39."""
    ones = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"][value % 10]
    return "X" * (value // 10) + ones


def chapter(value: int) -> list[str]:
    """2 to 39."""
    return [
        f"Chapter {roman(value)}",
        f"chapter {words(value)}",
        f"chapter {value}",
        f"chapter {roman(value).lower()},",
    ]


def ruler(value: int) -> list[str]:
    """2 to 39."""
    return [f"Louis {roman(value)}", f"Louis the {ordinal_words(value)}", f"louis the {suffixed(value)}"]


def digits(value: int) -> list[str]:
    """Single digits in a row."""
    named = [BELOW_20[int(digit)] for digit in str(value)]
    return [str(value), " ".join(str(value)), ", ".join(str(value)), " ".join(named), "-".join(named)]


SPANS = [1000 * low + high for low in range(2, 100) for high in range(low + 1, 200)]
ENGLISH: dict[str, tuple[Callable[[int], list[str]], Sequence[int]]] = {
    "cardinal": (cardinal, range(999_999_999)),
    "small": (cardinal, range(200)),
    "year": (year, range(1100, 2099)),
    "decade": (decade, range(1920, 2000, 10)),
    "percent": (percent, range(1, 200)),
    "dollars": (dollars, range(2, 999_999)),
    "cents": (cents, [100 * whole + part for whole in range(2, 150) for part in range(2, 100)]),
    "millions": (millions, [value for value in range(11, 990) if value % 10]),
    "ordinal": (ordinal, range(1, 9999)),
    "day": (day, range(1, 32)),
    "decimal": (decimal, [value for value in range(1, 9999) if value % 10 and value % 100]),
    "clock": (clock, range(720)),
    "digits": (digits, range(10, 99_999_999)),
    "span": (span, SPANS),
    "span of dollars": (dollar_span, SPANS),
    "span of percent": (percent_span, SPANS),
    "years": (years, range(1100, 2079)),
    "part of a percent": (part_of_percent, range(1, 4)),
    "chapter": (chapter, range(2, 40)),
    "ruler": (ruler, range(2, 40)),
}
"""Kind -> its spellings, and the values that have them."""


def numerals(value: int) -> str:
    """`value` (0 to 99,999,999) in Chinese numerals."""
    if value >= 10_000:
        rest = value % 10_000
        return numerals(value // 10_000) + "万" + (("零" if rest < 1000 else "") + _below_myriad(rest) if rest else "")
    return (
        (_below_myriad(value) if value else "零").removeprefix("一")
        if 10 <= value < 20
        else _below_myriad(value) or "零"
    )


def _below_myriad(value: int) -> str:
    text = ""
    for scale, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // scale % 10
        if digit:
            text += NUMERALS[digit] + name
        elif text and not text.endswith("零") and value % scale:
            text += "零"
    return text


def _forms(text: str) -> list[str]:
    """Full-width figures, and the other variants of numerals."""
    wide = text.translate({ord(digit): chr(ord(digit) + 0xFEE0) for digit in "0123456789%:"})
    return list(dict.fromkeys([text, wide, text.replace("零", "〇"), text.replace("万", "萬").replace("点", "點")]))


def _all_forms(texts: Sequence[str]) -> list[str]:
    return [form for text in texts for form in _forms(text)]


def chinese_count(value: int) -> list[str]:
    spelled = numerals(value)
    ended = [spelled.replace("二千", "两千").replace("二百", "两百")]
    return _all_forms([str(value), spelled, *ended])


def chinese_year(value: int) -> list[str]:
    return [form + "年" for form in _all_forms([str(value), "".join(NUMERALS[int(digit)] for digit in str(value))])]


def chinese_percent(value: int) -> list[str]:
    return _all_forms([f"{value}%", f"百分之{numerals(value)}", f"百分之{value}"])


def chinese_myriads(value: int) -> list[str]:
    """Tenths of 10,000."""
    return _all_forms([f"{value // 10}.{value % 10}万", str(value * 1000), numerals(value * 1000)])


def chinese_decimal(value: int) -> list[str]:
    """Tenths."""
    return _all_forms([f"{value / 10:.1f}", f"{numerals(value // 10)}点{NUMERALS[value % 10]}"])


def chinese_clock(value: int) -> list[str]:
    """Minutes of a day from one o'clock."""
    hour, minute = 1 + value // 60, value % 60
    spelled = f"{numerals(hour)}点{'零' if minute < 10 else ''}{numerals(minute)}分"
    half = [f"{numerals(hour)}点半", f"{hour}点半"] if minute == 30 else []
    return _all_forms([f"{hour}:{minute:02d}", spelled, f"{hour}点{minute}分", *half])


CHINESE: dict[str, tuple[Callable[[int], list[str]], Sequence[int]]] = {
    "count": (chinese_count, range(10, 99_999_999)),
    "small": (chinese_count, range(1000)),
    "year": (chinese_year, range(1000, 2100)),
    "percent": (chinese_percent, range(100)),
    "myriads": (chinese_myriads, [value for value in range(11, 999) if value % 10]),
    "decimal": (chinese_decimal, [value for value in range(999) if value % 10]),
    "clock": (chinese_clock, [value for value in range(23 * 60) if value % 60]),
}
