"""What public functions take: arguments are checked by their annotations, before anything else."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache, partial, wraps
from numbers import Integral
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

from tmdbkit.display import plain
from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.settings.secret import Secret

T = TypeVar("T", bound=Callable[..., Any])

# Of numbers by their names: the lowest that can be meant.
LOWEST = {
    **dict.fromkeys(("limit", "threads", "workers", "page", "pages", "pool", "size"), 1),
    "retries": 0,
}
INSIDE = {  # what a person may take for an argument, and stands in one
    name: f"; it is of a scope: scope=tmdbkit.convex.merge.Scope.of({name}=['ratings'])"
    for name in ("only", "create_only", "clear")
}
SPECIAL = ("__init__", "__getitem__")  # what a class has with two underscores, and people call


@dataclass(frozen=True)
class Kind:
    """What an annotation means.

    Attributes:
        name: What is wanted, for a person.
        example: One, as it is written.
        fits: Tells whether a value is of it.
        made: Makes of a value that fits what the function works with.
        of_keys: Whether a person may have given a key, which is not repeated.
    """

    name: str
    example: str
    fits: Callable[[Any], bool]
    made: Callable[[Any], Any] = lambda value: value
    of_keys: bool = False


def _is(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types) and not isinstance(value, bool)


def _has(*names: str) -> Callable[[Any], bool]:
    """Tell objects by what they can do, as their users do: a class of one's own works as well."""
    return lambda value: not isinstance(value, type) and all(hasattr(value, n) for n in names)


def _either(*tests: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: any(fits(value) for fits in tests)


def _is_several(value: Any) -> bool:
    """Tell whether there are several in it; a text is one, and a frame has columns."""
    return _is(Iterable)(value) and not _is(str, bytes)(value) and not hasattr(value, "columns")


def _is_place(value: Any) -> bool:
    """Tell whether it names a file or a folder: "" would be the working folder."""
    return _is(Path)(value) or (_is(str)(value) and bool(value.strip()))


_stage, _target = _has("store", "ids"), _has("preflight", "documents")
_frame, _plan = _has("lazy", "collect_schema"), _has("changes", "counts")
_place = Kind("a path", "'data/stage'", _is_place)
_key = Kind(
    "a key", "'…'", _is(str, Secret), lambda v: Secret(v) if isinstance(v, str) else v, of_keys=True
)
_session = Kind("a TMDBSession", "tmdbkit.TMDBSession()", _has("service", "get"), of_keys=True)
_settings = Kind("a Settings", "tmdbkit.Settings.from_env()", _has("tmdb_token"), of_keys=True)

KINDS = {
    "Stage": Kind("a Stage", "tmdbkit.Stage('data/stage')", _stage),
    "Target": Kind("a target", "tmdbkit.ConvexSnapshot('rehearsal')", _target),
    "Stage | pl.DataFrame | pl.LazyFrame | Target": Kind(
        "a Stage, a frame or a target", "tmdbkit.sample()", _either(_stage, _frame, _target)
    ),
    "pl.DataFrame": Kind("a frame of polars", "pl.DataFrame({'tmdb_id': [603]})", _has("height")),
    "Source": Kind("a file or a frame of polars", "'watched.csv'", _either(_is_place, _frame)),
    "TMDBSession": _session,
    "Settings": _settings,
    "Plan": Kind("a plan", "tmdbkit.plan_push(stage, target)", _plan),
    "Plan | str | Path": Kind("a plan or its file", "'plan.json'", _either(_plan, _is_place)),
    "Scope": Kind("a Scope", "Scope.of(only=['ratings'])", _has("touches")),
    "Contract": Kind("a Contract", "Contract.load('contract.json')", _has("knows")),
    "Progress": Kind("a progress reporter", "tmdbkit.progress.Silent()", _has("begin", "end")),
    "Executor": Kind("an executor", "ProcessPoolExecutor()", _has("submit")),
    "Gate": Kind("a Gate", "tmdbkit.fetch.pool.Gate()", _has("wait", "hold")),
    "Rule": Kind("a Rule", "tmdbkit.quality.RULES[0]", _has("finds")),
    "IMDbTitles": Kind("IMDb's data set", "IMDbTitles()", _has("look_up")),
    "Assessment": Kind("an assessment", "assess(stage)", _has("reread")),
    "str | Provider": Kind("a provider", "'imdb'", _either(_is(str), _has("collect", "cost"))),
    "str | ImageForm": Kind("a form of images", "'path'", _either(_is(str), _has("render"))),
    "str | Secret": _key,
    "Secret": _key,
    "int | str": Kind(
        "a movie",
        "603, 'tt0133093' or 'The Matrix'",
        _either(_is(Integral), lambda value: _is(str)(value) and value.strip()),
    ),
    "Document": Kind("a document", "{'tmdb_id': 603}", _is(Mapping)),
    "Iterable[int]": Kind("a list of TMDB ids", "[603, 550]", _is_several),
    "Path": Kind(_place.name, _place.example, _is_place, Path),
    "str | Path": _place,
    "Path | str": _place,
    "bool": Kind("a yes or no", "True", lambda value: isinstance(value, bool)),
    "int": Kind("a whole number", "5", _is(Integral), operator.index),
    "float": Kind("a number", "38.0", _is(int, float)),
    "str": Kind("a text", "'…'", _is(str)),
    "date": Kind("a day", "date(2026, 1, 31)", _is(date)),
    "datetime": Kind(
        "an instant with its zone",
        "datetime(2026, 1, 31, tzinfo=UTC)",
        lambda value: _is(datetime)(value) and value.tzinfo is not None,
    ),
    "timedelta": Kind(
        "an age",
        "timedelta(days=30)",
        lambda value: _is(timedelta)(value) and value >= timedelta(0),
    ),
    **dict.fromkeys(("Callable", "Confirm"), Kind("a function", "print", callable)),
    "Mapping": Kind("a dict", "{'page': 2}", _is(Mapping)),
}


def checked(public: T) -> T:
    """Let a function, or all that is public of a class, refuse in one line what is no argument.

    Each argument is looked at by its annotation, which stands in `KINDS` or is let through. One
    value is taken where several are meant. The line is a `UsageError`: what was given, what is
    wanted, an example.
    """
    if isinstance(public, type):
        _check_methods(public)
        return public
    called = public.__qualname__.removesuffix(".__init__").replace(".__getitem__", "[...]")
    signature = cache(lambda: inspect.signature(public))  # of whatever is called, once

    @wraps(public)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature().bind(*args, **kwargs)
        except TypeError as error:
            word, there = str(error).rpartition(" ")[2].strip("'"), signature().parameters
            near = "" if word in there else INSIDE.get(word) or did_you_mean(word, there)
            raise UsageError(f"{called}: {error}{near}") from None
        for name, value in bound.arguments.items():
            parameter = signature().parameters[name]
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                bound.arguments[name] = _taken(called, name, parameter.annotation, value)
        return public(*bound.args, **bound.kwargs)

    return call  # type: ignore[return-value]


def _check_methods(kind: type) -> None:
    public = {n: m for n, m in vars(kind).items() if not n.startswith("_") or n in SPECIAL}
    for name, method in public.items():
        if isinstance(method, FunctionType):
            setattr(kind, name, checked(method))
        elif isinstance(method, classmethod):
            setattr(kind, name, classmethod(checked(method.__func__)))


def _taken(called: str, name: str, annotation: Any, value: Any) -> Any:
    """Return an argument as the function takes it.

    Raises:
        UsageError: It does not fit its annotation, or is below the lowest that can be meant.
    """
    base = str(annotation).removesuffix(" | None")
    if value is None and base != annotation:
        return None
    kind = kind_of(base)
    if kind is None:
        return value
    if not kind.fits(value):
        wanted = f"{kind.name} is wanted, such as {kind.example}"
        raise UsageError(f"{called}: {name} is {_shown(value, kind)}; {wanted}")
    made = kind.made(value)
    if name in LOWEST and isinstance(made, int) and made < LOWEST[name]:
        raise UsageError(f"{called}: {name} is {made}; it must be {LOWEST[name]} or more")
    return made


@cache
def kind_of(annotation: str) -> Kind | None:
    """Return what an annotation means, None aside; None where nobody gives that by hand."""
    outer, _, inner = annotation.partition("[")
    if outer == "Literal":
        return Kind(f"one of {inner[:-1]}", inner.partition(",")[0], _is(str))
    known = KINDS.get(annotation) or KINDS.get(outer)
    if outer not in ("Iterable", "Sequence", "Collection", "tuple"):
        return known
    one = kind_of(inner[:-1].removesuffix(", ..."))
    if one is None:
        return known
    several = known or Kind(f"{one.name}, or several,", one.example, partial(_are, one))
    together = tuple if outer == "tuple" else lambda value: value
    return replace(
        several,
        fits=_either(one.fits, several.fits),
        made=lambda value: together([one.made(value)] if one.fits(value) else value),
    )


def _are(one: Kind, value: Any) -> bool:
    """Tell whether several are all of a kind; they are looked at where that uses none up."""
    is_kept = isinstance(value, Collection)
    return _is_several(value) and (not is_kept or all(map(one.fits, value)))


def _shown(value: Any, kind: Kind) -> str:
    """Return what was given as a line tells it; of what may be large, or a key, the type alone."""
    if value is None or isinstance(value, bool):
        return repr(value)
    type_name = type(value).__name__
    a_type = f"{'an' if type_name[0] in 'aeiouAEIOU' else 'a'} {type_name}"
    is_plain = isinstance(value, str | int | float | list | tuple | set | dict | Path)
    return f"{plain(repr(value), 60)}, {a_type}" if is_plain and not kind.of_keys else a_type
