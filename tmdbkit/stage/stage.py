"""The stage: a folder of append-only logs between TMDB and Convex."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.display import Drawn
from tmdbkit.exceptions import NoSuchMovie
from tmdbkit.progress import counted
from tmdbkit.ratings.model import RATINGS
from tmdbkit.schema import ROW
from tmdbkit.stage import history, pushes, understood
from tmdbkit.stage.archive import Archive
from tmdbkit.stage.card import MovieCard, flat
from tmdbkit.stage.damage import reading
from tmdbkit.stage.decisions import WORDS, overrides, verdicts
from tmdbkit.stage.judged import judged_table
from tmdbkit.stage.log import among
from tmdbkit.stage.movies import is_settled
from tmdbkit.stage.overlay import SAME_RATING, Overlay
from tmdbkit.stage.status import Ages, Status, ages, standing
from tmdbkit.stage.tables import DROPPED, FAILURES, MISSING, PAYLOADS, STAGED
from tmdbkit.transform import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

READ_AT_ONCE = 500  # payloads, some 20 MB
MISSING_FOR = timedelta(days=30)  # then a 404 is asked again
REFUSED = (400, 422, 500)  # a 500 of the failures that do not pass is TMDB's "the ID is invalid"


class Stage(Drawn, Archive):
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
    """

    _heading = "Stage"

    def movies(self) -> pl.DataFrame:
        """Return the rows as documents will have them, by `tmdb_id`."""
        with reading(self.root):
            return self.scan().sort("tmdb_id").collect()

    def scan(self) -> pl.LazyFrame:
        """Return the same rows lazily and in no order."""
        return self._overlay().over(self._holdings.rows()).select(ROW.names())

    def ids(self) -> set[int]:
        """Return the ids that are staged."""
        with reading(self.root):
            return self._holdings.ids()

    def fetched_before(self, instant: datetime, *, now: datetime | None = None) -> set[int]:
        """Return the staged ids whose payload is older than that, or of a clock that was wrong.

        Of one that was fetched later than now nobody knows how old it is.
        """
        with reading(self.root):
            known = pl.col("fetched_at").is_between(instant, now or self.now())
            return set(self._holdings.newest().filter(~known).collect()["tmdb_id"])

    def as_of(self) -> pl.DataFrame:
        """Return `tmdb_id, as_of`: until when the payload of a staged movie is known to be TMDB's.

        That is when it was fetched, or when TMDB's changes were last gone through without it.
        """
        with reading(self.root):
            return self._holdings.as_of().select("tmdb_id", "as_of")

    def history(self, tmdb_id: int) -> pl.DataFrame:
        """Return a movie at each time it was fetched: dates, titles, status, points and votes.

        Raises:
            NoSuchMovie: It is not staged.
        """
        with reading(self.root):
            versions = self._holdings.versions([tmdb_id])
            if versions.is_empty():
                raise NoSuchMovie(f"{tmdb_id} is not staged in {self.root}")
            return history.history(self._holdings.rows_of(versions))

    def drift(self, since: date) -> pl.DataFrame:
        """Return what TMDB changed since a day or an instant, in `history.DRIFT`, old and new."""
        at = since if isinstance(since, datetime) else datetime.combine(since, time(), UTC)
        with reading(self.root):
            versions = self._holdings.versions()
            pairs = history.pairs(versions, at)
            return history.drift(self._holdings.rows_of(history.of_pairs(versions, pairs)), pairs)

    def missing(self) -> pl.DataFrame:
        """Return `tmdb_id, asked_at` of the ids that TMDB does not have, by its latest answer."""
        with reading(self.root):
            answers = self._holdings.payloads.scan()
            return (
                answers.select("tmdb_id", "fetched_at", "http_status", "part")
                .sort("part", maintain_order=True)
                .unique("tmdb_id", keep="last")
                .filter(pl.col("http_status") == MISSING)
                .select("tmdb_id", pl.col("fetched_at").alias("asked_at"))
                .sort("tmdb_id")
                .collect()
            )

    def lately_missing(self, now: datetime) -> set[int]:
        """Return the missing ids that are not worth asking for again yet."""
        lately = pl.col("asked_at").is_between(now - MISSING_FOR, now, closed="right")
        return set(self.missing().filter(lately)["tmdb_id"])

    def failures(self) -> pl.DataFrame:
        """Return the ids that could not be staged and still are not: why, how often, when."""
        with reading(self.root):
            failures = self._holdings.failed().sort("part", maintain_order=True)
            latest = failures.unique("tmdb_id", keep="last").collect().lazy()
            settled = latest.join(self._holdings.settled(), on="tmdb_id").filter(is_settled())
            return (
                latest.join(settled, on="tmdb_id", how="anti")
                .select(FAILURES.names())
                .sort("tmdb_id")
                .collect()
            )

    def refused(self) -> pl.DataFrame:
        """Return the failures that TMDB answers with the same whenever it is asked.

        Others that are not passing are not of the id: a wrong address, a proxy's page, no network.
        """
        return self.lasting().filter(pl.col("http_status").is_in(REFUSED))

    def lasting(self) -> pl.DataFrame:
        """Return the failures that lie in the id: those of `refused`, and answers that are none."""
        statuses = (*REFUSED, STAGED)
        return self.failures().filter(~pl.col("passing") & pl.col("http_status").is_in(statuses))

    def payloads(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return `tmdb_id, payload, fetched_at` of the staged movies, or of some of them."""
        with reading(self.root):
            found = self._holdings.newest(tmdb_ids).collect()
            return self._holdings.texts(found).sort("tmdb_id").collect()

    def files(self) -> list[str]:
        """Return the Parquet files of the rows, the oldest first, for DuckDB and its like.

        A movie that was fetched again has a row of each time, and one that was dropped still has
        its rows: of those in `ids()` the one of the last `part` counts.
        """
        with reading(self.root):
            return self._holdings.files()

    def batches(
        self, tmdb_ids: Iterable[int] | None = None, *, size: int
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield rows and payloads of up to `size` movies at a time, in the order of the files.

        Memory does not grow with the stage.
        """
        with reading(self.root):
            found = self._holdings.newest(tmdb_ids).sort("file", "tmdb_id").collect()
            overlay = self._overlay()
        for some in found.iter_slices(size):
            with reading(self.root):
                rows = overlay.over(self._holdings.rows_of(some)).select(ROW.names()).collect()
                texts = self._holdings.texts(some).collect()
            yield rows, texts

    def rated_only(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return `tmdb_id, title` and the vote fields of movies that are rated, and not staged.

        They can be pushed where the scope is nothing but ratings.
        """
        with reading(self.root):
            found = self._overlay().beside(self.ids())
        return found if tmdb_ids is None else found.filter(pl.col("tmdb_id").is_in(set(tmdb_ids)))

    def ratings(self) -> pl.DataFrame:
        """Return the newest rating of each movie, system and provider, in `RATINGS` and `chosen`.

        Of a system that several providers rate, the one whose rating counts is `chosen`: the first
        of `TMDBKIT_PROVIDERS` that has points. TMDB's own come from the payloads.
        """
        with reading(self.root):
            return self._overlay().ratings(self._holdings.rows())

    def decisions(self) -> pl.DataFrame:
        """Return the log of decisions: everything that people decided or set, the newest last."""
        with reading(self.root):
            rows = self._decisions.scan().sort("part", maintain_order=True).collect()
        return understood.decisions(rows).unique("decision", maintain_order=True)

    def asked(self, provider: str) -> pl.DataFrame:
        """Return `tmdb_id, asked_at` of the movies that a provider was asked for, latest only."""
        with reading(self.root):
            of_provider = self._ratings.scan().filter(pl.col("provider") == provider)
            latest = of_provider.sort("part", maintain_order=True).unique("tmdb_id", keep="last")
            return latest.select("tmdb_id", asked_at="fetched_at").sort("tmdb_id").collect()

    def imports(self) -> pl.DataFrame:
        """Return the import log: one row for each document of each push, the newest last."""
        with reading(self.root):
            return pushes.read(understood.imports(self._imports.scan()).drop("part"))

    def unsettled(self) -> pl.DataFrame:
        """Return the import log of the movies with a change of which it is not known if it went."""
        with reading(self.root):
            return pushes.unsettled(understood.imports(self._imports.scan()).drop("part"))

    def pushes(self) -> pl.DataFrame:
        """Return one row for each push, the newest first: when, which plan, where to, outcomes."""
        return pushes.by_push(self.imports())

    def status(self) -> Status:
        """Return how many are staged, missing, failed, rated, decided, pushed; and the targets."""
        staged = self.ids()
        with reading(self.root):
            pushed, targets = standing(understood.imports(self._imports.scan()))
            rated = staged.intersection(self._overlay().collected["tmdb_id"])
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

    def ages(self, now: datetime | None = None) -> Ages:
        """Return how old the payloads are, and how many TMDB's terms want fetched again by now."""
        with reading(self.root):
            return ages(self._holdings.newest().collect(), now or self.now())

    def people(self) -> pl.DataFrame:
        """Return `crew_id, crew_name, crew_type, movies` of everybody who is credited.

        Example:
            >>> people = tmdbkit.sample().people()
            >>> people.filter(crew_type="Director").head(1).rows()
            [(525, 'Christopher Nolan', 'Director', 2)]
        """
        return names.people(self._texts_at_a_time())

    def genres(self) -> pl.DataFrame:
        """Return `id, name, movies` of the genres, the most frequent first."""
        return names.named(self._texts_at_a_time(), "genres")

    def keywords(self) -> pl.DataFrame:
        """Return `id, name, movies` of the keywords, the most frequent first."""
        return names.named(self._texts_at_a_time(), "keywords")

    def studios(self) -> pl.DataFrame:
        """Return `id, name, movies` of the production studios, the most frequent first."""
        return names.named(self._texts_at_a_time(), "studios")

    def collections(self) -> pl.DataFrame:
        """Return `id, name, movies` of the collections, the most frequent first."""
        return names.named(self._texts_at_a_time(), "collections")

    def table(self, *, raw: bool = False) -> pl.DataFrame:
        """Return one flat row a movie, for reading: names instead of ids, year, points, votes.

        `consensus`, `certainty` and `spread` are those of `ratings.aggregate`, `findings` the names
        of the rules that the movie or one of its ratings breaks, `decision` what a person said.

        Args:
            raw: Show the ratings that a push withholds as well, which are null otherwise.
        """
        movies, ratings = self.for_rules()
        return judged_table(movies, ratings, self.decisions(), now=self.now(), raw=raw)

    def scan_table(self) -> pl.LazyFrame:
        """Return the flat table lazily, without what it takes all movies to know, in no order."""
        return flat(self._overlay().over(self._holdings.rows()))

    def for_rules(self, tmdb_ids: Iterable[int] | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return what the rules look at: the flat table of movies, and the ratings that count."""
        with reading(self.root):
            if tmdb_ids is None:
                rows, overlay = self._holdings.rows(), self._overlay()
            else:
                wanted = list(tmdb_ids)
                found = self._holdings.newest(wanted).collect()
                rows, overlay = self._holdings.rows_of(found), self._overlay(wanted)
            read = rows.collect().lazy()  # the overlay looks at them more than once
            movies = flat(overlay.over(read)).sort("tmdb_id").collect()
            ratings = overlay.ratings(read).filter("chosen")
        return movies, ratings.join(movies, on="tmdb_id", how="semi").select(RATINGS.names())

    def find(self, text: str) -> pl.DataFrame:
        """Return the rows of `table` whose title or people have `text` in them, in any case.

        Example:
            >>> tmdbkit.sample().find("kubrick")["title"].to_list()
            ['2001: A Space Odyssey', 'The Shining']
        """
        rows = self.table()
        names = pl.concat_list(pl.concat_list("title", "original_title"), "directors", "cast")
        looked_in = rows.select(names.list.join("\n")).to_series()
        return rows.filter([text.casefold() in names.casefold() for names in looked_in])

    def __getitem__(self, tmdb_id: int) -> MovieCard:
        """Return one movie's card.

        Raises:
            NoSuchMovie: It is not staged.
        """
        with reading(self.root):
            found = self._holdings.newest([tmdb_id]).collect()
            rows = self._overlay().over(self._holdings.rows_of(found)).drop("part").collect()
        if rows.is_empty():
            raise NoSuchMovie(f"{tmdb_id} is not staged in {self.root}")
        row = flat(rows).row(0, named=True)
        return MovieCard(row, self.poster(tmdb_id), online=not self.offline)

    def poster(self, tmdb_id: int) -> Path | None:
        """Return the movie's picture where the stage brings its own, as the sample does.

        One that only points at a file elsewhere is none: whoever made the stage may not read that.
        """
        if self.root.folder is None:
            return None
        path = self.root.folder / "posters" / f"{tmdb_id}.png"
        is_own = path.resolve().is_relative_to(self.root.folder.resolve())
        return path if path.is_file() and is_own else None

    def __len__(self) -> int:
        with reading(self.root):
            return int(self._holdings.newest().select(pl.len()).collect().item())

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self.ids()))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, tmdb_id: object) -> bool:
        return tmdb_id in self.ids()

    def _facts(self) -> list[tuple[str, str]]:
        count = len(self)
        found = [("staged", counted(count, "movie")), ("folder", self.name)]
        if self.marker.is_changing:
            todo = f"tmdbkit refresh --language {self.language} fetches the rest"
            found.append(("language", f"not all in {self.language} yet; {todo}"))
        if count == 0:
            found.append(("empty", f"looked in {self.root.full}; tmdbkit stage 603 fills it"))
        return found

    def drop(self, tmdb_ids: Iterable[int], *, now: datetime | None = None) -> int:
        """Take movies out, and return how many; they can be staged again."""
        going = sorted(self.ids() & set(tmdb_ids))
        if going:
            at = now or self.now()
            self.marker.begin()
            self._holdings.payloads.append(
                pl.DataFrame(
                    [(tmdb_id, "", at, DROPPED) for tmdb_id in going], PAYLOADS, orient="row"
                )
            )
        return len(going)

    # Inside.

    def _texts_at_a_time(self) -> Iterator[pl.DataFrame]:
        return (payloads for _, payloads in self.batches(size=READ_AT_ONCE))

    def _overlay(self, tmdb_ids: Sequence[int] | None = None) -> Overlay:
        """Return what is laid over the rows, of all movies or of some, read from the logs once."""
        rated = self._ratings.scan().filter(pl.col("system").ne_missing(""))
        if tmdb_ids is not None:
            rated = rated.filter(among(tmdb_ids))
        newest = rated.sort("part", maintain_order=True).unique(SAME_RATING, keep="last")
        collected = understood.ratings(newest.select(RATINGS.names()).collect())
        return Overlay(collected, self.providers, overrides(self.decisions()))
