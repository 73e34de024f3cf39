"""Where no comma belongs, by the closed classes of a language: inside a phrase, whatever the pause. Pure text.

A speaker who looks for a word pauses after `the`, `of` or `I would`; a writer puts no mark there. The lists hold words
that are rarely anything else: articles, possessives, prepositions, auxiliaries, subject pronouns, conjunctions. A
language without lists has no phrases: there the pause decides.
"""

from dataclasses import dataclass
from typing import Self

from curation.text.chinese_numbers import DIGITS, MYRIADS, TENS
from curation.text.english_numbers import SCALES, SMALL


@dataclass(frozen=True, slots=True)
class Closed:
    """The closed classes of one language, lower case."""

    binds: frozenset[str]
    """Belong to the next word: articles, possessives, prepositions that do not end a clause, conjunctions."""
    leans: frozenset[str]
    """Belong to the next word unless it opens a clause: auxiliaries, and prepositions that can be particles."""
    subjects: frozenset[str]
    """Pronouns that are no subject in front of every word: they belong to an auxiliary."""
    follows: frozenset[str]
    """Belong to the word before."""
    opens: frozenset[str]
    """Conjunctions and relative pronouns that open a clause."""
    pronouns: frozenset[str]
    """Subjects that open a clause without a conjunction, and belong to the next word. They are never objects."""

    @classmethod
    def of(cls, **lists: str) -> Self:
        """From words separated by spaces."""
        names = ("binds", "leans", "subjects", "follows", "opens", "pronouns")
        return cls(*(frozenset(lists.get(name, "").split()) for name in names))


CHINESE_UNITS = TENS | MYRIADS
NONE = Closed.of()
LANGUAGES = {
    "en": Closed.of(
        binds="a an the my your our their its every whose of into onto toward towards among between beneath during "
        "upon than and or nor but because although whereas unless whether if mr mrs ms dr",
        leans="is are was were am be been being have has had do does did will would shall should can could may might "
        "must isn't aren't wasn't weren't haven't hasn't hadn't don't doesn't didn't won't wouldn't shouldn't can't "
        "couldn't to in on by for with from at about over under through against around without within behind very his "
        "i'm you're he's she's it's we're they're i've you've we've they've i'll you'll he'll she'll it'll we'll "
        "they'll i'd you'd he'd she'd we'd they'd there's",
        subjects="it you there who which that this what",
        follows="of than percent km kg mph a.m p.m",
        opens="and but or nor so yet because if when whenever while although though unless until since whereas where "
        "who which whom whose as before after then",
        pronouns="i he she we they",
    ),
    "de": Closed.of(
        binds="ein eine einen einem einer eines meine meinen meinem meiner dein deine seinen seinem seiner im am zum "
        "zur vom beim ins ans von für gegen ohne und oder aber dass weil wenn ob",
        leans="der die das den dem des ist sind war waren bin hat haben hatte hatten wird werden wurde wurden kann "
        "können muss müssen soll sollen will wollen in an auf zu vor mit aus bei nach durch um sehr ich er wir",
        opens="und oder aber denn sondern dass weil wenn ob obwohl während als bevor nachdem damit wo wie",
    ),
    "fr": Closed.of(
        binds="le la les un une des du au aux mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet "
        "cette ces de à en dans par pour sur sous chez vers entre je tu il on ils elles me te se ne et ou mais que "
        "si parce puisque quand",
        leans="est sont était étaient suis es a ont avait avaient ai as sera serait peut peuvent doit très",
        follows="pas",
        opens="et ou mais car donc que qui où dont quand si puisque lorsque parce comme",
        pronouns="je tu il on ils elles",
    ),
    "es": Closed.of(
        binds="el los las un una unos unas mi mis tu tus su sus nuestro nuestra de del al a en con por para sin sobre "
        "entre desde hasta me te se nos y e o u pero que si porque cuando",
        leans="es son era eran está están ha han había habían puede pueden debe deben muy no",
        opens="y e o u pero que si porque cuando donde aunque mientras como",
    ),
    "zh": Closed.of(
        binds="把 被 从 從 向 跟 很 最 更 每 个 個 这 這",
        follows="的 了 吗 嗎 呢 吧 们 們 着 著 过 過 得 地",
        opens="但 而 所 因 如 虽 雖 那 就 却 卻 并 並 或",
    ),
}
"""Language (ISO 639-1) -> its closed classes."""


def closed(language: str) -> Closed:
    """The closed classes of a language, without regard to its region; none where there are no lists."""
    return LANGUAGES.get(language.partition("-")[0].lower(), NONE)


def inside_phrase(before: str, after: str, language: str) -> bool:
    """Whether a mark between two words would stand inside a phrase: `the | man`, `of | it`, `I | would`."""
    lists, left, right = closed(language), _key(before), _key(after)
    if _inside_number(left, right, language.partition("-")[0].lower()):
        return True
    if left in lists.binds or left in lists.pronouns or right in lists.follows:
        return True
    if left in lists.subjects:
        return right in lists.leans
    return left in lists.leans and right not in lists.opens


def _inside_number(left: str, right: str, language: str) -> bool:
    """Whether two words are of one number: two | hundred, sixty | five, five | point | two, 三 | 百."""
    if language in {"zh", "yue", "ja"}:
        return right in CHINESE_UNITS and left in DIGITS | CHINESE_UNITS
    ones = SMALL.get(right, 10) < 10 and SMALL.get(left, 0) >= 20
    point = (left in SMALL and right == "point") or (left == "point" and right in SMALL)
    return language == "en" and (
        ones or point or (right in SCALES and (left in SMALL or left in SCALES or left[:1].isdecimal()))
    )


def opens_clause(word: str, language: str) -> bool:
    """Whether a word opens a clause: a conjunction or a relative pronoun."""
    return _key(word) in closed(language).opens


def is_subject(word: str, language: str) -> bool:
    """Whether a word, or the one it is contracted with (he'll), can only be a subject."""
    return _key(word).split("'")[0] in closed(language).pronouns


def _key(word: str) -> str:
    return word.lower().replace("\u2019", "'")
