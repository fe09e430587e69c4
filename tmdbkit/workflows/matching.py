"""From titles to the films that they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import polars as pl

from tmdbkit import progress as progresses
from tmdbkit.display import Drawn, counted_facts
from tmdbkit.exceptions import (
    NotFound,
    OfflineError,
    PassingFault,
    RequestRefused,
    UsageError,
    carrying,
)
from tmdbkit.files import write_text
from tmdbkit.matching.asked import Asked, asked_in, columns_of
from tmdbkit.matching.candidates import Match
from tmdbkit.matching.listed import named_in
from tmdbkit.matching.matched import (
    answers,
    carried_over,
    earlier_matches,
    is_matched,
    kept,
    own_columns,
    told_apart,
)
from tmdbkit.progress import Progress
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.asked import note
from tmdbkit.stage.stage import Stage
from tmdbkit.surrogates import decoded
from tmdbkit.tables import ASKED, READERS, Source, reading, scan, texts, title_of
from tmdbkit.tmdb.client import TMDBClient, ask_each
from tmdbkit.tmdb.session import TMDBSession
from tmdbkit.workflows.searching import find

WRITTEN_AFTER = 250  # rows, of which a kill loses no more
OF_THE_ROW = (NotFound, RequestRefused, PassingFault, OfflineError)
FAILED = pl.Schema({"title": pl.String(), "reason": pl.String()})


@dataclass(frozen=True, repr=False)
class Matches(Drawn):
    """What a list of titles came to.

    Attributes:
        frame: The list's columns, and behind them `matched.COLUMNS`.
        http_requests: How many were made.
        failures: `title, reason` of the rows that could not be asked for.
        asked: What each row asks for, as it was understood.
    """

    _heading = "Titles"

    frame: pl.DataFrame
    http_requests: int
    failures: pl.DataFrame = field(repr=False)
    asked: tuple[Asked, ...] = field(default=(), repr=False)

    def counts(self) -> dict[str, int]:
        """Return the counts by name; a film that two rows mean is claimed twice."""
        films, sure = self.frame["tmdb_id"], self.frame["sure"]
        has_film = films.is_not_null()
        return {
            "rows": self.frame.height,
            "sure": int((has_film & sure).sum()),
            "unsure": int((has_film & ~sure).sum()),
            "none": int(films.null_count()),
            "claimed_twice": films.drop_nulls().value_counts().filter(pl.col("count") > 1).height,
            "http_requests": self.http_requests,
        }

    def to_decide(self) -> pl.DataFrame:
        """Return the rows that a person has to look at."""
        return self.frame.filter(~pl.col("sure"))

    def _facts(self) -> list[tuple[str, str]]:
        named = {
            name.replace("http_", "").replace("_", " "): n for name, n in self.counts().items()
        }
        reasons = self.failures.group_by("reason").len().sort("len", descending=True)
        failed = [(f"failed: {count:,}", reason) for reason, count in reasons.head(5).rows()]
        return counted_facts(named) + failed


@checked
def match_titles(
    session: TMDBSession,
    source: Source,
    *,
    title: str | None = None,
    year: str | None = None,
    director: str | None = None,
    runtime: str | None = None,
    id: str | None = None,  # noqa: A002
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Matches:
    """Find the films that the rows of a list mean, and say of each whether that is sure.

    Columns are recognised by their names, as Letterboxd, Trakt, IMDb and spreadsheets write them. A
    list that was matched before may be given again: what is sure in it, and ids that a person typed
    into it, stay and cost no search.

    Args:
        session: Whom to ask.
        source: A frame of polars, or a file: a table, or text with a title on each line, perhaps
            with its year, as in `The Matrix (1999)`.
        title: The column of titles.
        year: The column of years, or of dates.
        director: The column of directors.
        runtime: The column of lengths.
        id: The column of TMDB's or IMDb's ids, for rows that have one.
        out: A CSV file to write as rows are matched; where it is there, it is gone on with.
        progress: What is told how far it is; default a widget, a line, or nothing.

    Raises:
        UsageError: It is no table, or has no column of titles; or `out` is no CSV file.
        StopError: Going on is pointless; what came until then is in `out`.
    """
    if out is not None and Path(out).suffix.lower() != ".csv":
        raise UsageError(f"{out} is no CSV file; name one such as matched.csv")
    given = _given(source)
    known = texts(given)
    own = own_columns(known)
    columns = {"title": title, "year": year, "director": director, "runtime": runtime, "id": id}
    asked = _asked(own, columns)
    if is_matched(known):
        rows = _Rows(asked, [*earlier_matches(known)])
    else:
        rows = _Rows(asked, carried_over(asked, _before(out, columns)))
    client = TMDBClient(session, progress=progress or progresses.default())
    before = session.requests
    typed = own if any(dtype.is_nested() for dtype in given.dtypes) else own_columns(given)

    def beside(columns: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([columns, answers(told_apart(rows.matches()))], how="horizontal")

    def result() -> Matches:
        return Matches(beside(typed), session.requests - before, rows.failures(), (*asked,))

    try:
        with carrying(lambda: result().counts()):
            for count, _ in enumerate(rows.ask(client), start=1):
                if out is not None and count % WRITTEN_AFTER == 0:
                    write_matched(beside(own), out)
    finally:
        if out is not None:
            write_matched(beside(own), out)
    return result()


class _Rows:
    """The rows of a list, and what each of them comes to so far.

    Args:
        asked: What each row asks for.
        earlier: What it came to before; None where it was not matched yet.
    """

    def __init__(self, asked: list[Asked], earlier: list[Match | None]) -> None:
        self._rows = [_todo(*pair) for pair in zip(asked, earlier, strict=True)]
        self._found: dict[Asked, Match] = {}
        self._failed: dict[Asked, str] = {}

    def ask(self, client: TMDBClient) -> Iterator[None]:
        """Find what is not known yet, several rows at a time, and yield for each that was."""
        todo = list(dict.fromkeys(asked for asked, _ in self._rows if asked))
        yield from ask_each(client, partial(self._find, client), todo, "matching title")

    def _find(self, client: TMDBClient, asked: Asked) -> None:
        try:
            self._found[asked] = find(client, asked)
        except OF_THE_ROW as error:
            self._failed[asked] = str(error)

    def matches(self) -> list[Match]:
        """Return what each row came to so far; an id that a person typed stays, whatever comes."""
        return [
            replace(known, sure=False)
            if known and found and found.best is None
            else found or known or Match(how="")
            for found, known in ((self._found.get(a) if a else None, k) for a, k in self._rows)
        ]

    def failures(self) -> pl.DataFrame:
        """Return `title, reason` of what could not be asked for."""
        rows = [(one.title or str(one.id), reason) for one, reason in self._failed.items()]
        return pl.DataFrame(rows, FAILED, orient="row")


def _todo(asked: Asked, earlier: Match | None) -> tuple[Asked | None, Match | None]:
    """Return what is to be asked for a row, if anything, and what is known of it before."""
    known = kept(earlier, asked)
    if known is None:
        return asked, None
    is_bare = known.best is not None and not known.best.title
    return (Asked(id=known.best.tmdb_id) if known.best and is_bare else None), known


def _given(source: Source) -> pl.DataFrame:
    """Return the rows of a table, or the lines of a text."""
    with reading(title_of(source)):
        if not isinstance(source, str | Path) or Path(source).suffix.lower() in READERS:
            return scan(source).collect()
        lines = decoded(Path(source).expanduser().read_bytes()).splitlines()
    titles = [line.strip() for line in lines if line.strip()]
    if not titles:
        raise UsageError(f"{source} has no titles in it")
    return pl.DataFrame({"title": titles})


def _asked(own: pl.DataFrame, columns: dict[str, str | None]) -> list[Asked]:
    """Return what the rows ask for; a column that a person names may have been renamed."""
    renamed = {name: f"{ASKED}{name}" for name in columns.values() if f"{ASKED}{name}" in own}
    named = {what: renamed.get(name, name) for what, name in columns.items()}
    return asked_in(own, columns_of(own, named), named.get("id"))


def _before(
    out: str | Path | None, columns: dict[str, str | None]
) -> Iterable[tuple[Asked, Match]]:
    """Return what rows came to in the file that is to be written, where it is there."""
    if out is None or not Path(out).expanduser().exists():
        return []
    before = texts(Path(out))
    if not is_matched(before):
        raise UsageError(f"{out} is there, and is no list that was matched; name another file")
    return zip(_asked(own_columns(before), columns), earlier_matches(before), strict=True)


@checked
def note_asked(stage: Stage, source: Source, *, id: str | None = None) -> int:  # noqa: A002
    """Keep with each staged movie what a list asked for, for rules to compare, and for `table()`.

    Args:
        stage: Where the movies are.
        source: The list, matched or with a column of ids; a frame or a file.
        id: Which column holds the ids, where it is not recognised.

    Returns:
        Of how many movies that was not known yet.
    """
    return note_listed(stage, named_in(texts(source), id))


def note_listed(stage: Stage, listed: pl.DataFrame) -> int:
    """Do what `note_asked` says, of frames of `LISTED`."""
    staged = stage.store.look_up(["tmdb_id", "imdb_id"])
    of_tmdb = listed.with_columns(pl.col("id").cast(pl.Int64, strict=False).alias("tmdb_id"))
    of_imdb = listed.join(staged, left_on="id", right_on="imdb_id")
    columns = ["tmdb_id", pl.col("title").alias("asked_title"), pl.col("year").alias("asked_year")]
    asked = pl.concat([of_tmdb.select(columns), of_imdb.select(columns)])
    told = asked.filter(pl.col("asked_title") != "").join(staged, on="tmdb_id", how="semi")
    return note(stage.store.root, told, stage.store.now())


def write_matched(frame: pl.DataFrame, out: str | Path) -> None:
    """Write a matched list as CSV, whole or not at all."""
    write_text(Path(out).expanduser(), frame.write_csv())
