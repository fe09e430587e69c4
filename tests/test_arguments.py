"""Whatever a public function is given: it works, or it is one line that says what is wanted.

The calls are generated: each argument of each public name, by its annotation, with values of other
kinds. None of them gets as far as to do anything.
"""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from numbers import Integral
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tmdbkit
from tmdbkit import workflows
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.plan import Plan
from tmdbkit.demo import sample_session
from tmdbkit.exceptions import NoSuchMovie, UsageError
from tmdbkit.progress import Silent
from tmdbkit.review import ReviewQueue
from tmdbkit.settings import Secret, Settings
from tmdbkit.settings.arguments import KINDS, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.once

CLASSES = {
    "Settings": Settings,
    "TMDBSession": tmdbkit.TMDBSession,
    "TMDBClient": tmdbkit.TMDBClient,
    "Stage": tmdbkit.Stage,
    "ConvexDeployment": tmdbkit.ConvexDeployment,
    "ConvexSnapshot": tmdbkit.ConvexSnapshot,
    "ReviewQueue": ReviewQueue,
    "Plan": Plan,
}
VERBS = {name: getattr(workflows, name) for name in workflows.__all__ if name.islower()}
VERBS["sample"] = tmdbkit.sample

# What nobody gives by hand: what tmdbkit's own parts hand to each other, and values of any kind.
OF_OUR_OWN = {
    "Any",
    "Pair",
    "Receive[T]",
    "TargetName",
    "dict[str, pl.DataFrame]",
    "tuple[Change, ...]",
}
# Five values that are of no use as whatever has such an annotation.
NOTHING_OF_THE_KIND = ("text", 5, True, [1], object())
WRONG: dict[str, tuple[Any, ...]] = {
    "str": (5, True, ["a"], b"a", object()),
    "bool": ("yes", 1, 0.0, [True], object()),
    "int": ("5", 5.0, True, [5], object()),
    "float": ("5", True, [5.0], 5j, object()),
    "int | str": (5.0, True, [603], "", slice(3)),
    "date": ("2026-01-31", 5, True, [1], timedelta(1)),
    "datetime": ("2026-01-31", 5, date(2026, 1, 31), datetime(2026, 1, 31), object()),
    "timedelta": ("30d", 30, True, timedelta(-1), object()),
    "str | Path": ("", "  ", 5, True, ["a"]),
    "Path | str": ("", "  ", 5, True, ["a"]),
    "Path": ("", "  ", 5, True, ["a"]),
    "Source": ("", 5, True, [1], object()),
    "Plan | str | Path": ("", 5, True, [1], object()),
    "str | Secret": (5, True, ["a"], b"a", object()),
    "Secret": (5, True, ["a"], b"a", object()),
    "str | ImageForm": (5, True, ["a"], b"a", object()),
    "Mapping": ("text", 5, True, [1], object()),
    "Literal": (5, True, ["genres"], b"genres", object()),
    "Iterable[int]": ("603", 5.0, True, b"603", pl.DataFrame({"tmdb_id": [603]})),
    "Sequence[int]": ("603", 5.0, True, ["603"], object()),
    "Iterable[int | str]": (5.0, True, b"603", pl.DataFrame({"tmdb_id": [603]}), object()),
    "Iterable[str | Provider]": (5, True, [5], b"imdb", object()),
    "Sequence[Document]": ("text", 5, True, [1], object()),
    "str of several": (5, True, [5], b"a", object()),
}
OF_SEVERAL = ("Collection[str]", "Sequence[str]", "Iterable[str]", "tuple[str, ...]")


def wrong(annotation: str) -> tuple[Any, ...]:
    """Five values of other kinds; where None means nothing, that is one more."""
    base = annotation.removesuffix(" | None")
    key = "str of several" if base in OF_SEVERAL else base
    values = WRONG.get(key) or WRONG.get(base.partition("[")[0]) or NOTHING_OF_THE_KIND
    return values if base != annotation else (*values, None)


def functions() -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """The owner, the name and the function of all that is public."""
    yield from (("", name, verb) for name, verb in VERBS.items())
    for owner, kind in CLASSES.items():
        for name, method in inspect.getmembers(kind, inspect.isroutine):
            if name in ("__init__", "__getitem__") or not name.startswith("_"):
                yield owner, name, method


def arguments() -> Iterator[tuple[str, str, inspect.Parameter]]:
    for owner, name, function in functions():
        for parameter in inspect.signature(function).parameters.values():
            is_named = parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            if is_named and parameter.name not in ("self", "cls"):
                yield owner, name, parameter


ARGUMENTS = list(arguments())
CHECKED = [
    one for one in ARGUMENTS if str(one[2].annotation).removesuffix(" | None") not in OF_OUR_OWN
]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """An object of each kind, and a value for each argument that cannot be left out."""
    home = tmp_path_factory.mktemp("held")
    with ExitStack() as stack:
        session = stack.enter_context(sample_session(home / "cache"))
        stage, target = tmdbkit.sample(home / "stage"), tmdbkit.ConvexSnapshot(home / "snapshot")
        deployment = tmdbkit.ConvexDeployment("https://a-b-1.convex.cloud", "dev:a-b-1|k")
        stack.callback(deployment.close)
        yield {
            "Settings": Settings(),
            "TMDBSession": session,
            "TMDBClient": tmdbkit.TMDBClient(session),
            "Stage": stage,
            "ConvexDeployment": deployment,
            "ConvexSnapshot": target,
            "ReviewQueue": ReviewQueue(stage, by="Ann"),
            "Plan": tmdbkit.plan_push(stage, target, [603], progress=Silent()),
            "given": {
                "session": session,
                "stage": stage,
                "target": target,
                "source": stage,
                "ids": [603],
                "path": "/movie",
                "params": {},
                "body": {},
                "text": "{}",
                "method": "GET",
                "receive": print,
                "name": "a",
                "to": home,
                "field": "imdb",
                "tmdb_id": 603,
                "tmdb_ids": [603],
                "movie": 603,
                "movies": [603],
                "query": "a",
                "imdb_id": "tt1",
                "list_id": 1,
                "collection_id": 1,
                "start_date": "a",
                "end_date": "b",
                "since": date(2026, 1, 1),
                "of": "genres",
                "frame": pl.DataFrame(),
                "size": 1,
                "writing": False,
                "table": "movies",
                "cursor": None,
                "slugs": ["a"],
                "changes": [],
                "people": [],
                "genres": [],
                "known": print,
                "own": {},
                "value": 1,
                "note": "",
                "seen": None,
                "language": "de",
                "parts": [],
                "title": target.title,
                "environ": {},
                "kind": "approve",
                "rule": "scale_mix_up",
                "system": "imdb",
                "n": 1,
            },
        }


def call(held: dict[str, Any], owner: str, name: str, /, **given: Any) -> Any:
    """Call it with these arguments, and with those besides that it cannot do without."""
    if name == "__init__":
        function = CLASSES[owner]
    else:
        function = getattr(held[owner], name) if owner else VERBS[name]
    needed = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    fits = {"target": "a"} if owner == "Plan" else {}
    fits |= {"source": "a.csv"} if name in ("match_titles", "note_asked") else {}
    return function(**{**{n: fits.get(n, held["given"].get(n)) for n in needed}, **given})


@pytest.mark.parametrize(
    ("owner", "name", "parameter"),
    CHECKED,
    ids=[f"{owner}.{name}.{p.name}" for owner, name, p in CHECKED],
)
def test_an_argument_of_another_kind_is_one_line_that_says_what_is_wanted(
    held: dict[str, Any], owner: str, name: str, parameter: inspect.Parameter
) -> None:
    for value in wrong(str(parameter.annotation)):
        with pytest.raises(UsageError) as caught:
            call(held, owner, name, **{parameter.name: value})
        told = str(caught.value)
        assert "\n" not in told
        assert f": {parameter.name} is " in told
        assert "wanted" in told
        assert len(told) < 260


def test_of_these_calls_there_are_more_than_a_thousand() -> None:
    assert sum(len(wrong(str(p.annotation))) for _, _, p in CHECKED) > 1_000


def test_every_annotation_is_known_or_of_our_own() -> None:
    used = {str(p.annotation).removesuffix(" | None") for _, _, p in ARGUMENTS}
    assert {a for a in used if kind_of(a) is None} <= OF_OUR_OWN


def test_every_kind_is_that_of_an_argument() -> None:
    used = {str(p.annotation).removesuffix(" | None") for _, _, p in ARGUMENTS}
    inner = {a.partition("[")[2].removesuffix("]").removesuffix(", ...") for a in used}
    assert set(KINDS) <= used | inner | {a.partition("[")[0] for a in used}


# What was given, what is wanted, an example.


@pytest.fixture
def stage(tmp_path: Path) -> tmdbkit.Stage:
    return tmdbkit.sample(tmp_path / "stage")


@pytest.fixture
def target(tmp_path: Path) -> tmdbkit.ConvexSnapshot:
    return tmdbkit.ConvexSnapshot(tmp_path / "rehearsal")


def test_a_line_has_what_was_given_what_is_wanted_and_an_example(
    stage: tmdbkit.Stage, target: tmdbkit.ConvexSnapshot
) -> None:
    push: Any = tmdbkit.push
    with pytest.raises(UsageError) as caught:
        push("data/stage", target)
    assert str(caught.value) == (
        "push: stage is 'data/stage', a str; a Stage is wanted, such as tmdbkit.Stage('data/stage')"
    )
    with pytest.raises(UsageError, match=r"^push: stage is a ConvexSnapshot; a Stage is wanted"):
        push(target, stage)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limt": 5}, "push: got an unexpected keyword argument 'limt'; did you mean limit?"),
        ({"only": 5}, "push: got an unexpected keyword argument 'only'; it is of a scope: "),
        ({"limit": -1}, "push: limit is -1; it must be 1 or more"),
        ({"limit": 0}, "push: limit is 0; it must be 1 or more"),
    ],
)
def test_a_slip_in_a_name_and_a_number_too_low_are_one_line(
    stage: tmdbkit.Stage, target: tmdbkit.ConvexSnapshot, given: dict[str, int], said: str
) -> None:
    push: Any = tmdbkit.push
    with pytest.raises(UsageError, match=f"^{said[:-1]}"):
        push(stage, target, **given)


def test_what_is_left_out_is_named() -> None:
    push: Any = tmdbkit.push
    with pytest.raises(UsageError, match=r"^push: missing a required argument: 'stage'$"):
        push()


@pytest.mark.parametrize("place", ["", " "])
@pytest.mark.parametrize("opened", [tmdbkit.Stage, tmdbkit.ConvexSnapshot, tmdbkit.sample])
def test_an_empty_text_is_no_folder(opened: Callable[[str], object], place: str) -> None:
    with pytest.raises(UsageError, match=r"a path is wanted, such as 'data/stage'"):
        opened(place)


@pytest.mark.parametrize(
    ("opened", "given"),
    [
        (tmdbkit.ConvexDeployment, ["https://a-b-1.convex.cloud", ["dev:a-b-1|s3cret"]]),
        (tmdbkit.ConvexDeployment, ["dev:a-b-1|s3cret", "https://a-b-1.convex.cloud"]),
        (tmdbkit.TMDBSession, ["s3cret"]),
        (tmdbkit.TMDBClient, ["s3cret"]),
    ],
)
def test_a_key_in_the_wrong_place_is_not_repeated(opened: Any, given: list[Any]) -> None:
    with pytest.raises(UsageError) as caught:
        opened(*given)
    assert "s3cret" not in str(caught.value)


def test_what_is_large_is_not_drawn_into_the_line(target: tmdbkit.ConvexSnapshot) -> None:
    push: Any = tmdbkit.push
    with pytest.raises(UsageError) as caught:
        push(pl.DataFrame({"a": range(1_000)}), target)
    assert len(str(caught.value)) < 120


# What works.


def test_one_id_is_taken_where_several_are_meant(
    stage: tmdbkit.Stage, target: tmdbkit.ConvexSnapshot
) -> None:
    one: Any = 603
    assert tmdbkit.plan_push(stage, target, one, progress=Silent()).ids() == {603}
    assert stage.payloads(one)["tmdb_id"].to_list() == [603]
    assert stage.drop(one) == 1


class Whole:
    """A whole number as numpy has them, which is no `int`."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number

    __int__ = __index__


Integral.register(Whole)


def test_whole_numbers_of_another_type_such_as_numpy_s_are_numbers(
    stage: tmdbkit.Stage, target: tmdbkit.ConvexSnapshot
) -> None:
    ids: Any = [Whole(603), Whole(550)]
    assert stage[ids[0]].title == "The Matrix"
    plan = tmdbkit.plan_push(stage, target, ids, limit=ids[1], progress=Silent())
    assert plan.ids() == {603, 550}


def test_one_name_is_taken_where_several_are_meant(stage: tmdbkit.Stage) -> None:
    provider: Any = "imbd"
    with pytest.raises(UsageError, match=r"^no provider 'imbd'"):
        tmdbkit.collect_ratings(stage, provider, progress=Silent())
    assert "poster_missing" not in {
        r.name for r in tmdbkit.check(stage, skip="poster_missing").rules
    }


def test_a_plan_may_be_the_path_of_a_saved_one(
    stage: tmdbkit.Stage, target: tmdbkit.ConvexSnapshot, tmp_path: Path
) -> None:
    path: Any = str(tmp_path / "plan.json")
    tmdbkit.plan_push(stage, target, [603], progress=Silent()).save(path)
    assert tmdbkit.push(stage, target, plan=path, progress=Silent()).created == 1


def test_settings_take_keys_and_languages_as_texts() -> None:
    given: dict[str, Any] = {
        "tmdb_token": "a.b",
        "languages": ["de-DE", "en-US"],
        "append": "images",
    }
    settings = Settings(**given)
    assert settings.tmdb_token == Secret("a.b")
    assert (settings.languages, settings.append) == (("de-DE", "en-US"), ("images",))
    assert "a.b" not in repr(settings)


# A movie by whatever names it.


@pytest.mark.parametrize(
    "named",
    [
        *(603, "603", " 603 ", "tt0133093", "The Matrix", "the matrix"),
        *("https://www.themoviedb.org/movie/603-the-matrix", "imdb.com/title/tt0133093/"),
    ],
)
def test_a_movie_is_named_by_its_id_its_imdb_id_its_address_or_its_title(
    stage: tmdbkit.Stage, named: int | str
) -> None:
    assert stage[named].row["tmdb_id"] == 603
    assert stage.ratings(named)["tmdb_id"].unique().to_list() == [603]
    assert stage.history(named).height == 1


def test_a_title_that_a_person_set_names_it_and_the_one_before_does_not(
    stage: tmdbkit.Stage,
) -> None:
    ReviewQueue(stage, by="Ann").correct("title", "Neo", 603)
    assert stage["neo"].row["tmdb_id"] == 603


def test_a_movie_that_is_not_staged_says_what_may_be_meant(stage: tmdbkit.Stage) -> None:
    with pytest.raises(NoSuchMovie, match=r"'shin' is not staged in .*; did you mean The Shining"):
        stage["shin"]
    with pytest.raises(NoSuchMovie, match=r"'The Matrx ' .*; did you mean The Matrix \(1999, 603"):
        stage["The Matrx "]
    with pytest.raises(NoSuchMovie, match=r"^'tt9999999' is not staged in [^;]*$"):
        stage["tt9999999"]


def test_a_contract_is_loaded_of_a_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Contract.load(tmp_path / "none.json")


def test_now_is_an_instant_of_a_zone(stage: tmdbkit.Stage) -> None:
    assert tmdbkit.check(stage, now=datetime(2026, 1, 31, tzinfo=UTC)).movies == 96


def test_help_on_a_verb_begins_with_its_sentence_and_not_with_pages_of_defaults() -> None:
    for verb in VERBS.values():
        assert len(str(inspect.signature(verb))) < 600
        assert str(verb.__doc__).splitlines()[0].endswith(".")
