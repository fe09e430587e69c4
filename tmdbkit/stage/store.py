"""The logs of a stage, and what tmdbkit itself writes to them and reads from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from tmdbkit import transform
from tmdbkit.exceptions import DamageError, StopError
from tmdbkit.executors import workers_of
from tmdbkit.files import sweep
from tmdbkit.ratings.model import RATINGS
from tmdbkit.schema import ROW
from tmdbkit.settings import Settings
from tmdbkit.stage import asked, kept, pushes, validation
from tmdbkit.stage.card import flat
from tmdbkit.stage.decisions import overrides
from tmdbkit.stage.derived import TODAY
from tmdbkit.stage.foreign import reading
from tmdbkit.stage.log import Log, is_any_of
from tmdbkit.stage.marker import Marker
from tmdbkit.stage.movies import READ_AT_ONCE, MovieLog
from tmdbkit.stage.overlay import SAME_RATING, Overlay
from tmdbkit.stage.own_fields import OwnFields
from tmdbkit.stage.parts import Order
from tmdbkit.stage.pushes import Ages, ages
from tmdbkit.stage.storage import Entry, root_of
from tmdbkit.stage.tables import DECISIONS, IMPORTS
from tmdbkit.surrogates import loads

ASSESSED = "assessed"  # where a reviewer's view is kept
IS_TOLD = pl.any_horizontal(pl.col("points", "votes").is_not_null())
SAME_ANSWER = ("tmdb_id", "fetched_at", "http_status")


class StageStore:
    """What stands behind a `Stage`, which takes the same: its logs, its marker and its settings."""

    def __init__(
        self,
        place: str | Path | None = None,
        *,
        settings: Settings | None = None,
        name: str | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.settings = settings or Settings.from_env()
        self.root = root_of(self.settings.stage if place is None else place)
        self.name = name or str(self.root)
        self.options = transform.Options.of(self.settings)
        # A failure is settled by what came after it: these two logs have one order.
        order = Order(self.root.under("payloads"), self.root.under("failures"))
        self.movies = MovieLog(self.root, self.options, order)
        self.ratings = self._log("ratings", RATINGS, "fetched_at")
        self.decisions = self._log("decisions", DECISIONS, "at")
        self.imports = self._log("imports", IMPORTS, "pushed_at")
        self.own = OwnFields(self.root)
        self.listed = asked.log_of(self.root)
        self.exports = kept.Exports(self.root)
        self.marker = Marker(self.root)
        self.now = now or self.marker.clock()
        self._decided: tuple[dict[str, Entry], pl.DataFrame] | None = None

    def _log(self, name: str, columns: pl.Schema, age: str) -> Log:
        return Log(self.root.under(name), columns, age=pl.col(age), mixed=True)

    # Writing.

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Append answers of TMDB, in `PAYLOADS`, make their rows, and return the malformed ones."""
        return self.derive(self.append(rows), rows)

    def derive(self, part: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Make the rows of a part that was appended, and return the malformed answers."""
        return self.movies.derived.derive(part, rows)

    def append(
        self, rows: pl.DataFrame, part: str | None = None, language: str | None = None
    ) -> str:
        """Append answers of TMDB, and return the part's name: from now on they are safe.

        Args:
            rows: As for `add`; of those of one movie, time and status the last counts.
            part: A part to replace. Where it was merged by now, the rows come in one of their own.
            language: In which they were asked for, which the stage has from now on.

        Raises:
            StageError: The stage is in another language.
        """
        self.marker.begin(language)
        if part is not None and part in self.movies.payloads.listing().replaced():
            part = None
        each = rows.unique(SAME_ANSWER, keep="last", maintain_order=True)
        return self.movies.payloads.append(each, name=part)

    def add_checks(self, tmdb_ids: Iterable[int], at: datetime) -> None:
        """Note that TMDB's changes were gone through for these movies; newer payloads need none."""
        older = self.movies.as_of().filter(pl.col("as_of") < at, is_any_of(list(tmdb_ids)))
        checks = older.select("tmdb_id", "fetched_at", checked_at=pl.lit(at))
        self._append(self.movies.checks, checks)

    def add_failures(self, rows: pl.DataFrame) -> None:
        """Append ids that could not be staged, in the columns of `Stage.failures`."""
        self._append(self.movies.derived.failures, rows)

    def add_ratings(self, rows: pl.DataFrame) -> None:
        """Append ratings, in `RATINGS`; one of the system "" says that there was none."""
        self._append(self.ratings, rows)

    def add_decisions(self, rows: pl.DataFrame) -> str:
        """Append decisions, in `DECISIONS`, and return their part: they are on the disk by then."""
        part = self._append(self.decisions, rows)
        if self.decisions.is_piled_up():  # each click is a part of its own
            with suppress(StopError):  # the decision itself is on the disk
                self.decisions.compact(self.now())
        return part

    def add_imports(self, rows: pl.DataFrame) -> None:
        """Append intents or outcomes of a push, in some or all of the columns of `imports()`."""
        self._append(self.imports, pl.concat([IMPORTS.to_frame(), rows], how="diagonal_relaxed"))

    def add_fields(self, rows: pl.DataFrame) -> None:
        """Append values of a user's own fields, in `FIELDS`."""
        self._append(self.own.log, rows)

    def _append(self, log: Log, rows: pl.DataFrame) -> str:
        if rows.is_empty():
            return ""
        self.marker.begin()
        columns = (pl.col(name).cast(kind) for name, kind in log.columns.items())
        return log.append(rows.select(columns))

    # Reading.

    def batches(
        self, tmdb_ids: Iterable[int] | None = None, *, size: int
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield rows and payloads of up to `size` movies at a time, in the order of the files.

        Memory does not grow with the stage.
        """
        with reading(self.root):
            found = self.movies.newest(tmdb_ids).sort("file", "tmdb_id").collect()
            overlay, own = self.overlay(), self.own.read()
        for some in found.iter_slices(size):
            with reading(self.root):
                rows = overlay.over(self.movies.rows_of(some)).select(ROW.names()).collect()
                texts = self.movies.texts(some).collect()
            yield own.beside(rows, texts), texts

    def texts(self, tmdb_ids: Iterable[int] | None = None) -> Iterator[pl.DataFrame]:
        """Yield payloads of some movies at a time, in the order of the files."""
        with reading(self.root):
            found = self.movies.newest(tmdb_ids).sort("file", "tmdb_id").collect()
        for some in found.iter_slices(READ_AT_ONCE):
            with reading(self.root):
                yield self.movies.texts(some).collect()

    def with_own(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows of staged movies with a column for each of the user's own fields.

        One that is named like a column that is there already, such as `year`, is `year_own`.
        """
        with reading(self.root):
            own = self.own.read()
        if not own.fields:
            return rows
        ids = rows["tmdb_id"]
        values = [own.beside(some.select("tmdb_id"), some) for some in self.texts(ids)]
        empty = pl.DataFrame(schema={"tmdb_id": pl.Int64(), **own.types})
        found = pl.concat([empty, *values])
        return rows.join(found, on="tmdb_id", how="left", suffix="_own", maintain_order="left")

    def own_of(self, tmdb_id: int) -> dict[str, Any]:
        """Return the user's own fields of one movie."""
        row = self.with_own(pl.DataFrame({"tmdb_id": [tmdb_id]})).row(0, named=True)
        return {name: value for name, value in row.items() if name != "tmdb_id"}

    def scan_table(self) -> pl.LazyFrame:
        """Return the flat table lazily, without what it takes all movies to know, in no order."""
        return asked.beside(flat(self.overlay().over(self.movies.rows())), self.listed)

    def look_up(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some columns of the flat table, `tmdb_id` among them, in its order."""
        with reading(self.root):
            return self.scan_table().select(names).sort("tmdb_id").collect()

    def for_rules(
        self, tmdb_ids: Iterable[int] | None = None, columns: Collection[str] | None = None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return what the rules look at: the flat table of movies, and the ratings that count.

        Args:
            tmdb_ids: Only these movies.
            columns: Only these of the flat table's, `tmdb_id` among them.
        """
        wanted = None if tmdb_ids is None else list(tmdb_ids)
        with reading(self.root):
            return self._for_rules(self.overlay(wanted), wanted, columns)

    def for_errors(
        self, columns: Collection[str]
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Return the same of all movies; and the ratings that count of those not staged."""
        with reading(self.root):
            overlay = self.overlay()
            movies, ratings = self._for_rules(overlay, None, columns)
            return movies, ratings, overlay.chosen_beside(movies["tmdb_id"]).filter(IS_TOLD)

    def _for_rules(
        self, overlay: Overlay, wanted: list[int] | None, columns: Collection[str] | None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        rows = self.movies.rows_of(self.movies.newest(wanted).collect())
        chosen = overlay.chosen(rows)
        table = asked.beside(flat(overlay.rated(rows, chosen)), self.listed)
        if columns is not None:
            table = table.select(n for n in table.collect_schema().names() if n in columns)
        movies = table.sort("tmdb_id").collect()
        movies = movies.join(self.movies.gone(wanted), on="tmdb_id", how="left")
        return movies, chosen.filter(IS_TOLD)

    def rated_only(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return `tmdb_id, title` and the vote fields of movies that are rated, and not staged.

        They can be pushed where the scope is nothing but ratings.
        """
        with reading(self.root):
            staged = pl.Series("tmdb_id", list(self.movies.ids()), pl.Int64)
            found = self.overlay().beside(staged)
        return found if tmdb_ids is None else found.filter(pl.col("tmdb_id").is_in(set(tmdb_ids)))

    def overlay(self, tmdb_ids: Sequence[int] | None = None) -> Overlay:
        """Return what is laid over the rows, of all movies or of some, read from the logs once."""
        rated = self.ratings.scan().filter(pl.col("system").ne_missing(""))
        if tmdb_ids is not None:
            rated = rated.filter(is_any_of(tmdb_ids))
        with reading(self.root):
            in_order = rated.collect().sort("part", maintain_order=True)
        newest = in_order.unique(SAME_RATING, keep="last")
        collected = validation.ratings(newest.select(RATINGS.names()))
        said = self.decided() if tmdb_ids is None else self.decided_on(tmdb_ids)
        return Overlay(collected, self.settings.providers, overrides(said))

    def decided(self) -> pl.DataFrame:
        """Return the log of decisions, in `DECISIONS`, the newest last; read where it has grown."""
        with reading(self.root):
            listing = self.decisions.listing()
        files = {part: listing.files[part] for part in listing.counting()}
        known = self._decided
        if known is not None and known[0] == files:
            return known[1].clone()  # for callers may change theirs in place
        with reading(self.root):
            rows = self.decisions.scan(list(files)).collect()
        found = _understood(rows).drop("part")
        # What is passed over is said whenever it is read.
        self._decided = (files, found.clone()) if found.height == rows.height else None
        return found

    def decided_in(self, parts: list[str]) -> pl.DataFrame:
        """Return some parts of the log of decisions, with the `part` that each came in."""
        with reading(self.root):
            return _understood(self.decisions.scan(parts).collect())

    def decided_on(self, tmdb_ids: Sequence[int]) -> pl.DataFrame:
        """Return the decisions on some movies, and undos of or by these; no others are read."""
        if not tmdb_ids:
            return DECISIONS.to_frame()
        with reading(self.root):
            rows = self.decisions.scan()
            of_these = is_any_of(tmdb_ids)
            named = rows.filter(of_these).select("decision", "undoes").collect()
            undone = pl.col("decision").is_in(named["undoes"].implode())
            of_these |= undone | pl.col("undoes").is_in(named["decision"].implode())
            found = rows.filter(of_these).collect()
            if found["decision"].has_nulls():  # then its place among all is its name
                found = validation.named(rows).filter(of_these).collect()
            return _understood(found).drop("part")

    def imported(self) -> pl.LazyFrame:
        """Return the rows of the import log, with the `part` that each came in."""
        return validation.imports(self.imports.scan())

    def unsettled(self) -> pl.DataFrame:
        """Return the import log of the movies with a change of which it is not known if it went."""
        with reading(self.root):
            return pushes.unsettled(self.imported().drop("part"))

    def asked(self, provider: str) -> pl.DataFrame:
        """Return `tmdb_id, asked_at` of the movies that a provider was asked for, latest only."""
        with reading(self.root):
            of_provider = self.ratings.scan().filter(pl.col("provider") == provider)
            latest = of_provider.sort("part", maintain_order=True).unique("tmdb_id", keep="last")
            return latest.select("tmdb_id", asked_at="fetched_at").sort("tmdb_id").collect()

    def earlier(self, tmdb_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
        """Return what TMDB gave for some movies before its last answer, and what was sent of it."""
        with reading(self.root):
            versions = self.movies.versions(tmdb_ids)
            newest = self.movies.newest(tmdb_ids).collect()
            older = versions.join(newest, on=["tmdb_id", "fetched_at"], how="anti")
            rows = self.movies.rows_of(older).select(ROW.names()).collect().to_dicts()
            log = self.imported().filter(is_any_of(tmdb_ids), pl.col("after").is_not_null())
            sent = log.select("tmdb_id", "after").collect().rows()
        found: dict[int, list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault(row["tmdb_id"], []).append(row)
        for tmdb_id, after in sent:
            with suppress(ValueError):  # of another hand
                found.setdefault(tmdb_id, []).append(dict(loads(after)))
        return found

    def ages(self, now: datetime) -> Ages:
        """Return how old the payloads are, and how many TMDB's terms want fetched again by now."""
        with reading(self.root):
            return ages(self.movies.newest().collect(), now)

    def poster(self, tmdb_id: int) -> Path | None:
        """Return the movie's picture where the stage brings its own, as the sample does.

        One that only points at a file elsewhere is none: whoever made the stage may not read that.
        """
        if self.root.folder is None:
            return None
        path = self.root.folder / "posters" / f"{tmdb_id}.png"
        is_own = path.resolve().is_relative_to(self.root.folder.resolve())
        return path if path.is_file() and is_own else None

    def version(self) -> str:
        """Return a text that is another one once rows or ratings are; decisions do not count."""
        logs = (self.movies.payloads, self.ratings, self.listed)
        parts = (part for log in logs for part in log.parts())
        return " ".join([TODAY, str(self.options), *self.settings.providers, *parts])

    # Upkeep.

    def derive_all(self, *, executor: Executor | None = None, workers: int | None = None) -> int:
        """Write the rows of parts whose transform is not today's, and return how many there were.

        Reading does the same by itself; this is for whoever wants to choose the moment.
        """
        if executor is None:
            return self.movies.derive_stale()
        return self.movies.derive_stale(executor, workers or workers_of(executor))

    def compact(self, now: datetime) -> int:
        """Merge small files, and return how many were replaced.

        Raises:
            DamageError: A damaged file was left as it is; all others are merged.
        """
        replaced = self._compact(now)
        damaged = [log.source(part) for log in self._logs() for part in log.damaged]
        if damaged:
            raise DamageError(
                f"{', '.join(damaged)}: damaged, and left as it is; all else is merged. "
                "tmdbkit doctor says what is lost"
            )
        return replaced

    def compact_if_piled_up(self) -> None:
        """Merge small files where there are many; a disk that is too full for it is no matter."""
        if any(log.is_piled_up() for log in self._logs()):
            with suppress(StopError):  # nothing is lost, and the next run tries again
                self._compact(self.now())

    def _compact(self, now: datetime) -> int:
        if not any(log.all_parts() for log in self._logs()):
            return 0
        self.marker.begin()  # what is merged now, an older tmdbkit would take for a rest
        if self.root.folder is not None:  # the logs sweep their own
            for name in ("", ASSESSED, kept.EXPORTS):
                sweep(self.root.folder / name)
        return self.movies.compact(now) + sum(log.compact(now) for log in self._others())

    def _others(self) -> tuple[Log, ...]:
        failures = self.movies.derived.failures
        return (failures, self.ratings, self.decisions, self.imports, self.own.log, self.listed)

    def _logs(self) -> tuple[Log, ...]:
        return (self.movies.payloads, self.movies.checks, *self._others())


def _understood(rows: pl.DataFrame) -> pl.DataFrame:
    in_order = rows.sort("part", maintain_order=True)
    return validation.decisions(in_order).unique("decision", maintain_order=True)
