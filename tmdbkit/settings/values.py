"""Values of settings, read from texts as people write them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from tmdbkit.exceptions import SettingsError, did_you_mean
from tmdbkit.surrogates import whole

# ISO 3166-1, and what TMDB has besides: of countries that are no more, and Kosovo.
_BY_FIRST_LETTER = (
    "ADEFGILMNOQRSTUWXZ BABDEFGHIJLMNOQRSTUVWYZ CACDFGHIKLMNORSUVWXYZ DEJKMOZ ECEGHRST "
    "FIJKMOR GABDEFGHILMNPQRSTUWY HKMNRTU IDELMNOQRST JEMOP KEGHIMNPRWYZ LABCIKRSTUVY "
    "MACDEFGHKLMNOPQRSTUVWXYZ NACEFGILOPRUZ OM PAEFGHKLMNRSTWY QA REOSUW "
    "SABCDEGHIJKLMNORSTUVXYZ TCDFGHJKLMNOPRTVWZ UAGMSYZ VACEGINU WFS XCGIK YETU ZAMRW "
)
REGIONS = frozenset(group[0] + second for group in _BY_FIRST_LETTER.split() for second in group[1:])
MEANT_REGIONS = {"UK": "GB", "EN": "US", "EL": "GR", "JA": "JP", "KO": "KR", "ZH": "CN"}


def as_text(_variable: str, text: str) -> str:
    """Return it with whole characters: what is no UTF-8 in the environment comes as halves."""
    return whole(text)


def region(variable: str, text: str) -> str:
    """Read a country, by its two letters in any case."""
    country = as_text(variable, text).upper()
    check_region(country)
    return country


def address(_variable: str, text: str) -> str:
    """Read an address of a service."""
    return text.rstrip("/")


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SECTION = re.compile(r"[a-z_]+(/[a-z_]+)?")
MOST_SECTIONS = 15  # of the 20 that TMDB appends to an answer, five may be asked for anyway
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def names(_variable: str, text: str) -> tuple[str, ...]:
    """Read names with commas between."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def languages(_variable: str, text: str) -> tuple[str, ...]:
    """Read languages, the first of which is asked for."""
    return tuple(dict.fromkeys(names(_variable, whole(text))))


def sections(variable: str, text: str) -> tuple[str, ...]:
    """Read names of TMDB's sections."""
    found = tuple(dict.fromkeys(names(variable, text)))
    for name in found:
        if not _SECTION.fullmatch(name):
            raise SettingsError(
                f"{variable} has {name!r}; TMDB's sections are like watch/providers"
            )
    if len(found) > MOST_SECTIONS:
        raise SettingsError(
            f"{variable} has {len(found)} sections; TMDB takes {MOST_SECTIONS} more"
        )
    return found


def flag(variable: str, text: str) -> bool:
    """Read yes or no."""
    check_choice(variable, text.lower(), _TRUE + _FALSE)
    return text.lower() in _TRUE


def number(variable: str, text: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{variable} is {text!r}; it must be a number") from None


def whole_number(variable: str, text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{variable} is {text!r}; it must be a whole number") from None


def path(_variable: str, text: str) -> Path:
    """Read a path; `~` is the home folder."""
    return Path(text).expanduser()


def place(variable: str, text: str) -> Path | str:
    """Return an address as it is: a `Path` would swallow one of its slashes."""
    return text if "://" in text else path(variable, text)


def check_url(variable: str, url: str) -> None:
    """Make sure that an address is one over HTTP."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in url):
        # The text itself is not repeated: what is pasted into the wrong variable is often a key.
        raise SettingsError(
            f"{variable} is not an address; it must be one such as https://example.org"
        )


def is_language(text: str) -> bool:
    """Tell whether it is one as TMDB writes them, `de` or `de-DE`."""
    return _LANGUAGE.fullmatch(text) is not None


def check_languages(languages: tuple[str, ...]) -> None:
    """Make sure that there is one, and that each is written as TMDB does."""
    if not languages:
        raise SettingsError("TMDBKIT_LANGUAGE names no language; write one such as de-DE")
    for language in languages:
        if not is_language(language):
            meant = re.sub("[_; ]+", lambda sign: "-" if sign[0] == "_" else ",", language)
            fits = all(map(is_language, meant.split(",")))
            raise SettingsError(
                f"TMDBKIT_LANGUAGE has {language!r}, which is no language; write one such as de-DE"
                + f"; did you mean {meant}?" * fits
            )


def check_region(region: str) -> None:
    """Make sure that there is such a country; one may be meant by its language or three letters."""
    if region.upper() in REGIONS:
        return
    last = re.split("[-_]", region.upper())[-1]
    meant = MEANT_REGIONS.get(last, last[:2])
    raise SettingsError(
        f"TMDBKIT_REGION is {region!r}; it must be the two letters of a country, such as US"
        + f"; did you mean {meant}?" * (meant in REGIONS)
    )


def check_choice(variable: str, value: str, choices: tuple[str, ...]) -> None:
    """Make sure that a value is one of some."""
    if value not in choices:
        meant = did_you_mean(value, choices)
        raise SettingsError(
            f"{variable} is {value!r}; it must be one of {', '.join(choices)}{meant}"
        )
