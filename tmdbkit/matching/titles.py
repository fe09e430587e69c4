"""How alike two titles are, however they are written; pure."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import takewhile

ARTICLES = frozenset(
    (
        *("the", "a", "an", "le", "la", "les", "l", "un", "une", "der", "die", "das", "ein"),
        *("eine", "el", "los", "las", "il", "lo", "gli", "i", "o", "os", "as", "de", "het"),
    )
)
JOINING = frozenset(("and", "und", "et"))  # what "&" and "+" stand for
LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"}
)
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii")
SPELLED = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen"),
)
WRITTEN = {
    **{name: str(number) for number, name in enumerate(SPELLED, start=1)},
    **{name: str(number) for number, name in enumerate(ROMAN, start=1)},
    "vol": "volume",
    "pt": "part",
    "vs": "versus",
    "dr": "doctor",
    "mr": "mister",
}
NUMBERED = frozenset(("part", "chapter", "episode", "volume"))  # after which "I" is a number

WHOLE, BARE, FIRST_PART, LAST_PART = 1.0, 0.98, 0.86, 0.82  # a title, without article, a part
BEGINS = 0.7  # the one goes on where the other ends
NEAR = 0.93  # of the share of letters that two titles have in common
LEAST = 0.75  # of it, for titles that are not just two titles
OTHER_NUMBER = 0.6  # "Toy Story 2" is not "Toy Story 3", however alike

_APART = re.compile(r"\s*[:(\[\u2013\u2014|]\s*|\s+[-/~]\s+")
_APOSTROPHES = re.compile("['`\u2018\u2019\u02bc]")
_INVERTED = re.compile(r"^([^,]+), (\w+)$")


def upright(title: str) -> str:
    """Return `The Matrix` of `Matrix, The`."""
    inverted = _INVERTED.match(title.strip())
    if inverted and _plain(inverted[2]) in ARTICLES:
        return f"{inverted[2]} {inverted[1]}"
    return title.strip()


@lru_cache(maxsize=50_000)
def words(title: str) -> tuple[str, ...]:
    """Return a title's words without accents, case and signs, numbers as digits.

    One without a letter or digit is a word as it is.
    """
    letters = _APOSTROPHES.sub("", _plain(upright(title)))
    found = [word for word in re.findall(r"[^\W_]+", letters) if word not in JOINING]
    written: list[str] = []
    for word in found:
        is_first = all(before in ARTICLES for before in written)
        is_numeral = word not in ROMAN or not is_first
        if word == "i":
            is_numeral = bool(written) and written[-1] in NUMBERED
        written.append(WRITTEN.get(word, word) if is_numeral else word)
    return tuple(_without_part(written)) or (title.strip().casefold(),)


def _without_part(found: list[str]) -> list[str]:
    """Return `godfather 2` of `godfather part 2`."""
    numbers = [word.isdigit() for word in (*found[1:], "")]
    pairs = zip(found, numbers, strict=False)
    return [word for word, before_number in pairs if not (word in NUMBERED and before_number)]


def _plain(text: str) -> str:
    """Return a text without accents and case."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in letters if not unicodedata.combining(c)).translate(LETTERS)


def bare(title: str) -> tuple[str, ...]:
    """Return a title's words without the article before it."""
    found = words(title)
    return found[1:] if len(found) > 1 and found[0] in ARTICLES else found


def last_part(title: str) -> tuple[str, ...]:
    """Return the words of what stands after the last colon or dash, where that is a title."""
    last = bare(_APART.split(title.rstrip(" )]"))[-1])
    return last if len(last) > 1 else bare(title)


def likeness(asked: str, title: str) -> float:
    """Return from 0 to 1 how alike two titles are; 1 where they only are written otherwise."""
    ours, theirs = _forms(asked), _forms(title)
    shared = [
        ours[form] * theirs[form]
        for form in ours.keys() & theirs.keys()
        if max(ours[form], theirs[form]) >= BARE
    ]
    return max(max(shared, default=0.0), _begins(asked, title), _near(asked, title))


@lru_cache(maxsize=50_000)
def _forms(title: str) -> dict[str, float]:
    """Return what a title may be called by, and how well that names it."""
    forms: dict[str, float] = {}
    for apart in _APART.finditer(title):
        before, after = title[: apart.start()], title[apart.end() :]
        if before.strip() and after.strip(" )]"):
            forms[_joined(after)] = LAST_PART
            forms[_joined(re.sub(r"\s+or$", "", before, flags=re.IGNORECASE))] = FIRST_PART
    forms["".join(bare(title))] = BARE
    forms["".join(words(title))] = WHOLE
    return forms


def _joined(title: str) -> str:
    return "".join(bare(title))


def _begins(asked: str, title: str) -> float:
    ours, theirs = bare(asked), bare(title)
    common = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False))))
    is_beginning = common == min(len(ours), len(theirs)) and len("".join(ours[:common])) > 3
    return BEGINS if is_beginning else 0.0


def _near(asked: str, title: str) -> float:
    matcher = SequenceMatcher(None, _joined(asked), _joined(title), autojunk=False)
    if matcher.real_quick_ratio() < LEAST or matcher.quick_ratio() < LEAST:
        return 0.0
    ratio = matcher.ratio()
    same_numbers = _numbers(asked) == _numbers(title)
    return NEAR * ratio * (1.0 if same_numbers else OTHER_NUMBER) if ratio >= LEAST else 0.0


def _numbers(title: str) -> list[str]:
    return sorted(word for word in words(title) if word.isdigit())
