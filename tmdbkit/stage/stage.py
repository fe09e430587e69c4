"""The stage: a folder of append-only logs between TMDB and Convex."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Literal

import polars as pl

from tmdbkit.display import Drawn
from tmdbkit.exceptions import NoSuchMovie, SettingsWarning, UsageError
from tmdbkit.progress import counted
from tmdbkit.schema import ROW, checked_ids
from tmdbkit.settings import Settings
from tmdbkit.settings.arguments import checked
from tmdbkit.stage import history, pushes
from tmdbkit.stage.card import MovieCard, flat
from tmdbkit.stage.decisions import WORDS, verdicts
from tmdbkit.stage.doctor import Health, examine
from tmdbkit.stage.foreign import reading
from tmdbkit.stage.named import COLUMNS, meant_by, no_such
from tmdbkit.stage.own_fields import rows_of
from tmdbkit.stage.pushes import Status, standing
from tmdbkit.stage.store import StageStore
from tmdbkit.stage.tables import DROPPED, PAYLOADS
from tmdbkit.transform import names


@checked
class Stage(Drawn):
    """A folder of movies on their way to Convex, here or in an object store.

    Args:
        place: The folder's path, or an address `s3://…`, `gs://…`, `az://…`; default as the
            settings say.
        settings: What shapes rows when read, and the default folder; default `Settings.from_env()`.
        name: What its drawing calls it, instead of the folder.
        now: The time of day, by which rules judge what is stale or still to come; default the
            clock's, or the instant at which a sample stands still.

    Raises:
        StageError: The folder is a file, or of a newer tmdbkit.

    Attributes:
        store: What tmdbkit itself writes it and reads it with.
    """

    _heading = "Stage"

    def __init__(
        self,
        place: str | Path | None = None,
        *,
        settings: Settings | None = None,
        name: str | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.store = StageStore(place, settings=settings, name=name, now=now)
        self._root = self.store.root
        self._movies = self.store.movies
        self._is_told = False

    def movies(self) -> pl.DataFrame:
        """Return the rows as documents will have them, by `tmdb_id`."""
        with reading(self._root):
            rows = self._rows().sort("tmdb_id").collect()
        return self._unless_empty(self.store.with_own(rows))

    def scan(self) -> pl.LazyFrame:
        """Return the same rows lazily and in no order; own fields are read at once."""
        if not self.store.own.read().fields:
            return self._rows()
        own = self.store.with_own(pl.DataFrame({"tmdb_id": sorted(self.ids())}))
        return self._rows().join(own.lazy(), on="tmdb_id", how="left")

    def _rows(self) -> pl.LazyFrame:
        with reading(self._root):  # ratings are chosen at once
            return self.store.overlay().over(self._movies.rows()).select(ROW.names())

    def ids(self) -> set[int]:
        """Return the ids that are staged."""
        with reading(self._root):
            return self._movies.ids()

    def history(self, movie: int | str) -> pl.DataFrame:
        """Return a movie at each time it was fetched: dates, titles, status, points and votes.

        Args:
            movie: Its TMDB id, its IMDb id, or its title.

        Raises:
            NoSuchMovie: It is not staged.
            UsageError: It is the name of several.
        """
        with reading(self._root):
            tmdb_id = self.id_of(movie)
            versions = self._movies.versions([tmdb_id])
            if versions.is_empty():
                raise no_such(movie, self._titled, self._root)
            return history.history(self._movies.rows_of(versions))

    def drift(self, since: date) -> pl.DataFrame:
        """Return what TMDB changed since a day or an instant, in `history.DRIFT`, old and new.

        Both are UTC, where they do not say otherwise.
        """
        at = since if isinstance(since, datetime) else datetime.combine(since, time())
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        with reading(self._root):
            versions = self._movies.versions()
            pairs = history.pairs(versions, at)
            return history.drift(self._movies.rows_of(history.of_pairs(versions, pairs)), pairs)

    def missing(self) -> pl.DataFrame:
        """Return `tmdb_id, asked_at` of the ids that TMDB does not have, by its latest answer."""
        return self._movies.missing()

    def failures(self) -> pl.DataFrame:
        """Return the ids that could not be staged and still are not: why, how often, when."""
        return self._movies.failed()

    def payloads(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return `tmdb_id, payload, fetched_at` of the staged movies, or of some of them."""
        wanted = None if tmdb_ids is None else checked_ids(tmdb_ids)
        with reading(self._root):
            found = self._movies.newest(wanted).collect()
            return self._movies.texts(found).sort("tmdb_id").collect()

    def files(self) -> list[str]:
        """Return the Parquet files of the rows, the oldest first, for DuckDB and its like.

        A movie that was fetched again has a row of each time, and one that was dropped still has
        its rows: of those in `ids()` the one of the last `part` counts.
        """
        with reading(self._root):
            return self._movies.files()

    def ratings(self, movie: int | str | None = None) -> pl.DataFrame:
        """Return the newest rating of each movie, system and provider, in `RATINGS` and `chosen`.

        Of a system that several providers rate, the one whose rating counts is `chosen`: the first
        of `TMDBKIT_PROVIDERS` that has points. TMDB's own come from the payloads.

        Args:
            movie: Only those of one, by its TMDB id, its IMDb id, or its title.
        """
        with reading(self._root):
            if movie is None:
                return self.store.overlay().ratings(self._movies.rows())
            one = [self.id_of(movie)]
            rows = self._movies.rows_of(self._movies.newest(one).collect())
            return self.store.overlay(one).ratings(rows)

    def decisions(self) -> pl.DataFrame:
        """Return the log of decisions: everything that people decided or set, the newest last."""
        return self.store.decided()

    def imports(self) -> pl.DataFrame:
        """Return the import log: one row for each document of each push, the newest last."""
        with reading(self._root):
            return pushes.read(self.store.imported().drop("part"))

    def pushes(self) -> pl.DataFrame:
        """Return one row for each push, the newest first: when, which plan, where to, outcomes."""
        return pushes.by_push(self.imports())

    def status(self) -> Status:
        """Return how many are staged, missing, failed, rated, decided, pushed; and the targets."""
        staged = self.ids()
        with reading(self._root):
            pushed, targets = standing(self.store.imported())
            rated = staged.intersection(self.store.overlay().collected["tmdb_id"])
        said = verdicts(self.decisions()).filter(pl.col("tmdb_id").is_in(staged))
        decided = {word: int((said["kind"] == kind).sum()) for kind, word in WORDS.items()}
        return Status(
            staged=len(staged),
            missing=self.missing().height,
            failed=self.failures().height,
            rated=len(rated),
            **decided,
            undecided=len(staged) - sum(decided.values()),
            pushed=pushed,
            targets=targets,
        )

    def people(self, text: str = "") -> pl.DataFrame:
        """Return `crew_id, crew_name, crew_type, movies` of everybody who is credited.

        Args:
            text: Only those whose name has it in it, in any case.

        Example:
            >>> tmdbkit.sample().people("nolan").filter(crew_type="Director").rows()
            [(525, 'Christopher Nolan', 'Director', 2)]
        """
        found = self._unless_empty(names.people(self.store.texts()))
        return found.filter(_has(text, found["crew_name"]))

    def credits(self) -> pl.DataFrame:
        """Return `tmdb_id, person_id, name, department, job, character, order`, a row a part.

        Example:
            >>> credits = tmdbkit.sample().credits()
            >>> credits.filter(pl.col("character") == "Neo")["name"].to_list()
            ['Keanu Reeves']
        """
        return self._unless_empty(names.credited(self.store.texts()))

    def names(self, of: Literal["genres", "keywords", "studios", "collections"]) -> pl.DataFrame:
        """Return `id, name, movies` of the genres, keywords …, the most frequent first.

        Raises:
            UsageError: Of anything else.
        """
        return self._unless_empty(names.named(self.store.texts(), of))

    def table(self, *, raw: bool = False) -> pl.DataFrame:
        """Return one flat row a movie, for reading: names instead of ids, year, points, votes.

        `consensus`, `certainty` and `spread` are those of `ratings.aggregate`, `findings` the names
        of the rules that the movie or one of its ratings breaks, `decision` what a person said.

        Args:
            raw: Show the ratings that a push withholds as well, which are null otherwise.
        """
        from tmdbkit.stage.judged import flat_table  # which says why it is not at the top

        movies, ratings = self.store.for_rules()
        found = flat_table(movies, ratings, self.decisions(), now=self.store.now(), raw=raw)
        return self._unless_empty(self.store.with_own(found))

    def find(self, text: str) -> pl.DataFrame:
        """Return the rows of `table` whose title or people have `text` in them, in any case.

        Example:
            >>> tmdbkit.sample().find("kubrick")["title"].to_list()
            ['2001: A Space Odyssey', 'The Shining']
        """
        return having(text, self.table())

    def __getitem__(self, movie: int | str) -> MovieCard:
        """Return the card of one movie, by its TMDB id, its IMDb id, or its title in any case.

        Raises:
            NoSuchMovie: It is not staged.
            UsageError: It is the name of several, or the id of one and the title of another.

        Example:
            >>> stage = tmdbkit.sample()
            >>> stage["fight club"].heading(), stage["tt0137523"].ratings["imdb"]
            ('Fight Club (1999)', 8.8)
        """
        with reading(self._root):
            tmdb_id = self.id_of(movie)
            found = self._movies.newest([tmdb_id]).collect()
            overlay = self.store.overlay([tmdb_id])
            rows = overlay.over(self._movies.rows_of(found)).drop("part").collect()
        if rows.is_empty():
            raise no_such(movie, self._titled, self._root)
        row = flat(rows).row(0, named=True)
        if "translated" in rows.columns:
            row["translated"] = rows["translated"].item()
        row["own"] = self.store.own_of(tmdb_id)
        return MovieCard(
            row,
            self.store.poster(tmdb_id),
            online=not self.store.settings.offline,
            judge=lambda: self._findings_of(tmdb_id),
        )

    def _findings_of(self, tmdb_id: int) -> pl.DataFrame:
        from tmdbkit.stage.judged import findings_of  # as above

        return findings_of(self.store, tmdb_id)

    def id_of(self, movie: int | str) -> int:
        """Return the id of a movie by whatever names it: ids, an address, its title in any case.

        A number is an id, staged or not.

        Raises:
            NoSuchMovie: It names none that is staged.
            UsageError: It names several.
        """
        if not isinstance(movie, str):
            return checked_ids([movie])[0]
        return meant_by(movie, self._titled, self._root)

    def _titled(self, like: pl.Expr) -> pl.LazyFrame:
        """Return the movies, in `COLUMNS`, that are like something; no others are read whole."""
        sets_one = pl.col("field").is_in(COLUMNS) & pl.col("tmdb_id").is_not_null()
        said = self.store.decisions.scan().filter(sets_one).select("tmdb_id").unique().collect()
        corrected = said["tmdb_id"].to_list()
        found = self._movies.newest(self._movies.ever_like(like, corrected)).collect()
        rows = self._movies.rows_of(found).select(COLUMNS)
        if corrected:
            rows = self.store.overlay(corrected).with_fields(rows)
        return rows.filter(like)

    def _unless_empty(self, found: pl.DataFrame) -> pl.DataFrame:
        """Return what was found; where nothing ever was, say once where it was looked for."""
        if found.is_empty() and not self._is_told and not self._movies.payloads.all_parts():
            self._is_told = True
            told = f"nothing is staged; looked in {self._root.full}, which tmdbkit stage 603 fills"
            warnings.warn(told, SettingsWarning, stacklevel=4)
        return found

    def __len__(self) -> int:
        with reading(self._root):
            return int(self._movies.newest().select(pl.len()).collect().item())

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self.ids()))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, movie: object) -> bool:
        """Tell whether a movie is staged, by whatever names it; a name of several is one."""
        if not isinstance(movie, str):
            return movie in self.ids()
        try:
            meant_by(movie, self._titled, self._root)
        except UsageError as error:
            return not isinstance(error, NoSuchMovie)
        return True

    def _facts(self) -> list[tuple[str, str]]:
        count = len(self)
        found = [("staged", counted(count, "movie")), ("folder", self.store.name)]
        if self.store.marker.is_changing:
            todo = f"tmdbkit refresh --language {self.store.marker.language} fetches the rest"
            found.append(("language", f"not all in {self.store.marker.language} yet; {todo}"))
        if count == 0:
            found.append(("empty", f"looked in {self._root.full}; tmdbkit stage 603 fills it"))
        return found

    def set_field(self, name: str, frame: pl.DataFrame) -> int:
        """Set a field of your own, computed in Python, of some movies; return how many.

        It goes with every push from this stage where the app's schema knows it. `fields.toml` in
        the stage's folder names it; a value of null takes away what was set before.

        Args:
            name: The field's name in the documents.
            frame: Has `tmdb_id`, and the values in a column of that name.

        Raises:
            UsageError: The frame is another one, or the field has another type.

        Example:
            >>> stage = tmdbkit.sample()
            >>> rewatched = pl.DataFrame({"tmdb_id": [603, 550], "rewatched": [True, False]})
            >>> stage.set_field("rewatched", rewatched)
            2
        """
        rows = rows_of(frame, name)
        self.store.own.define(name, frame[name].dtype)
        self.store.add_fields(rows.with_columns(set_at=pl.lit(self.store.now())))
        return rows.height

    def drop(self, movies: Iterable[int | str], *, now: datetime | None = None) -> int:
        """Take movies out, by id or title, and return how many; they can be staged again."""
        going = sorted(self.ids() & {self.id_of(movie) for movie in movies})
        if going:
            at = now or self.store.now()
            self.store.marker.begin()
            self._movies.payloads.append(
                pl.DataFrame(
                    [(tmdb_id, "", at, DROPPED) for tmdb_id in going], PAYLOADS, orient="row"
                )
            )
        return len(going)

    def compact(self, *, now: datetime | None = None) -> int:
        """Merge small files, and return how many were replaced; nobody who reads is disturbed.

        Raises:
            DamageError: A damaged file was left as it is; all others are merged.
        """
        return self.store.compact(now or self.store.now())

    def doctor(self) -> Health:
        """Look at every file, whole, and return what is wrong; nothing is changed or asked for."""
        return examine(self._root, self.store.now())


def having(text: str, table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the flat table that have a text in titles or people, in any case."""
    texts = pl.concat_list(pl.concat_list("title", "original_title"), "directors", "cast")
    return table.filter(_has(text, table.select(texts.list.join("\n")).to_series()))


def _has(text: str, values: pl.Series) -> list[bool]:
    """Tell which values have a text in them, in any case."""
    wanted = text.casefold()
    return [wanted in value.casefold() for value in values]
