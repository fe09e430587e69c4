"""The local stage: a folder of append-only logs between TMDB and Convex."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import transform
from tmdbkit.decisions import WORDS, overrides, verdicts
from tmdbkit.exceptions import StageError
from tmdbkit.holdings import Holdings
from tmdbkit.log import Log, reading, write_text
from tmdbkit.logs import DECISIONS, DROPPED, FAILURES, IMPORTS, MISSING, OUTCOMES, PAYLOADS, STAGED
from tmdbkit.overlay import SAME_RATING, Overlay
from tmdbkit.quality import find
from tmdbkit.ratings.aggregate import consensus
from tmdbkit.ratings.model import RATINGS
from tmdbkit.schema import ROW
from tmdbkit.settings import Settings
from tmdbkit.views import MovieCard, draw_facts, flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LAYOUT = 1
AGREED = ["consensus", "certainty", "spread"]
MISSING_FOR = timedelta(days=30)  # then a 404 is asked again


class Stage:
    """A folder of movies on their way to Convex.

    Args:
        folder: Where it is; default as the settings say.
        settings: What shapes rows, and the default folder; default `Settings.from_env()`.
        name: What its drawing calls it, instead of the folder.
        now: The time of day, by which rules judge what is stale or still to come.

    Raises:
        StageError: The folder is a file, or of a newer tmdbkit.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        settings: Settings | None = None,
        name: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        settings = settings or Settings.from_env()
        self.folder = Path(folder).expanduser() if folder is not None else settings.stage
        self.name = name or str(self.folder)
        self.offline = settings.offline
        self.now = now
        self.options = transform.Options.of(settings)
        self.providers = settings.providers
        self._holdings = Holdings(self.folder, self.options)
        self._failures = Log(self.folder / "failures", FAILURES)
        self._ratings = Log(self.folder / "ratings", RATINGS)
        self._decisions = Log(self.folder / "decisions", DECISIONS)
        self._imports = Log(self.folder / "imports", IMPORTS)
        self._logs = (self._failures, self._ratings, self._decisions, self._imports)
        _check_layout(self.folder)

    # Reading.

    def movies(self) -> pl.DataFrame:
        """Return the rows as documents will have them, by `tmdb_id`."""
        with reading(self.folder):
            return self.scan().sort("tmdb_id").collect()

    def scan(self) -> pl.LazyFrame:
        """Return the same rows lazily and in no order."""
        return self._overlay().over(self._holdings.rows()).select(ROW.names())

    def ids(self) -> set[int]:
        """Return the ids that are staged."""
        with reading(self.folder):
            return set(self._holdings.newest().collect()["tmdb_id"])

    def fetched_before(self, instant: datetime) -> set[int]:
        """Return the staged ids whose payload is older than that."""
        with reading(self.folder):
            old = self._holdings.newest().filter(pl.col("fetched_at") < instant)
            return set(old.collect()["tmdb_id"])

    def missing(self) -> pl.DataFrame:
        """Return `tmdb_id, asked_at` of the ids that TMDB does not have, by its latest answer."""
        with reading(self.folder):
            latest = self._holdings.payloads.scan().select("tmdb_id", "fetched_at", "http_status")
            return (
                latest.sort("fetched_at")
                .unique("tmdb_id", keep="last")
                .filter(pl.col("http_status") == MISSING)
                .select("tmdb_id", pl.col("fetched_at").alias("asked_at"))
                .sort("tmdb_id")
                .collect()
            )

    def lately_missing(self, now: datetime) -> set[int]:
        """Return the missing ids that are not worth asking for again yet."""
        missing = self.missing()
        return set(missing.filter(pl.col("asked_at") > now - MISSING_FOR)["tmdb_id"])

    def failures(self) -> pl.DataFrame:
        """Return the ids that could not be staged and still are not: why, how often, when."""
        with reading(self.folder):
            parts = self._holdings.parts()
            settled = pl.concat(
                [
                    self._holdings.movies.scan(parts).select("tmdb_id", "fetched_at"),
                    self._holdings.payloads.scan(parts)
                    .filter(pl.col("http_status") != STAGED)
                    .select("tmdb_id", "fetched_at"),
                ]
            )
            latest = settled.group_by("tmdb_id").agg(pl.col("fetched_at").max())
            return (
                self._failures.scan()
                .drop("part")
                .sort("failed_at")
                .unique("tmdb_id", keep="last")
                .join(latest, on="tmdb_id", how="left")
                .filter(
                    pl.col("fetched_at").is_null() | (pl.col("fetched_at") < pl.col("failed_at"))
                )
                .select(FAILURES.names())
                .sort("tmdb_id")
                .collect()
            )

    def payloads(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return `tmdb_id, payload, fetched_at` of the staged movies, or of some of them."""
        with reading(self.folder):
            found = self._holdings.newest(tmdb_ids).collect()
            return self._holdings.texts(found).sort("tmdb_id").collect()

    def batches(
        self, tmdb_ids: Iterable[int] | None = None, *, size: int
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield rows and payloads of up to `size` movies at a time, in the order of the parts.

        Memory does not grow with the stage.
        """
        with reading(self.folder):
            found = self._holdings.newest(tmdb_ids).sort("part", "tmdb_id").collect()
            overlay = self._overlay()
        for some in found.iter_slices(size):
            with reading(self.folder):
                rows = overlay.over(self._holdings.rows_of(some)).select(ROW.names()).collect()
                texts = self._holdings.texts(some).collect()
            yield rows, texts

    def rated_only(self, tmdb_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return `tmdb_id, title` and the vote fields of movies that are rated, and not staged.

        They can be pushed where the scope is nothing but ratings.
        """
        with reading(self.folder):
            found = self._overlay().beside(self.ids())
        return found if tmdb_ids is None else found.filter(pl.col("tmdb_id").is_in(set(tmdb_ids)))

    def ratings(self) -> pl.DataFrame:
        """Return the newest rating of each movie, system and provider, in `RATINGS` and `chosen`.

        Of a system that several providers rate, the one whose rating counts is `chosen`: the first
        of `TMDBKIT_PROVIDERS` that has points. TMDB's own come from the payloads.
        """
        with reading(self.folder):
            return self._overlay().ratings(self._holdings.rows())

    def decisions(self) -> pl.DataFrame:
        """Return the log of decisions: everything that people decided or set, the newest last."""
        with reading(self.folder):
            rows = self._decisions.scan().drop("part").unique("decision")
            return rows.sort("at", "decision").collect()

    def asked(self, provider: str) -> pl.DataFrame:
        """Return `tmdb_id, asked_at` of the movies that a provider was asked for, latest only."""
        with reading(self.folder):
            of_provider = self._ratings.scan().filter(pl.col("provider") == provider)
            latest = of_provider.group_by("tmdb_id").agg(asked_at=pl.col("fetched_at").max())
            return latest.sort("tmdb_id").collect()

    def imports(self) -> pl.DataFrame:
        """Return the import log: one row for each document of each push, the newest last."""
        with reading(self.folder):
            rows = self._imports.scan().drop("part").unique().sort("pushed_at", "tmdb_id")
            return rows.collect()

    def pushes(self) -> pl.DataFrame:
        """Return one row for each push, the newest first: when, which plan, where to, outcomes."""
        of_outcome = {
            name: (pl.col("outcome") == outcome).sum().cast(pl.Int64)
            for name, outcome in OUTCOMES.items()
        }
        grouped = self.imports().lazy().group_by("push", "plan", "target")
        rows = grouped.agg(
            pl.col("pushed_at").min().alias("began_at"),
            pl.len().cast(pl.Int64).alias("movies"),
            **of_outcome,
        )
        return rows.sort("began_at", "push", descending=True).collect()

    def status(self) -> dict[str, int]:
        """Return how many movies are staged, missing, failed, rated, decided upon and pushed."""
        staged = self.ids()
        wrote = pl.col("outcome").is_in(["created", "updated", "unchanged"])
        pushed = self.imports().filter(wrote)["tmdb_id"].n_unique()
        with reading(self.folder):
            rated = staged.intersection(self._overlay().collected["tmdb_id"])
        said = verdicts(self.decisions()).filter(pl.col("tmdb_id").is_in(staged))
        decided = {word: int((said["kind"] == kind).sum()) for kind, word in WORDS.items()}
        return {
            "staged": len(staged),
            "missing": self.missing().height,
            "failed": self.failures().height,
            "rated": len(rated),
            **decided,
            "undecided": len(staged) - sum(decided.values()),
            "pushed": pushed,
        }

    def table(self) -> pl.DataFrame:
        """Return one flat row a movie, for reading: names instead of ids, year, points, votes.

        `consensus`, `certainty` and `spread` are those of `ratings.aggregate`, `findings` the names
        of the rules that the movie or one of its ratings breaks, `decision` what a person said.
        """
        movies, ratings = self.for_rules()
        found = find(movies, ratings, now=self.now()).group_by("tmdb_id", maintain_order=True)
        names = found.agg(findings=pl.col("rule").unique(maintain_order=True))
        said = verdicts(self.decisions()).select("tmdb_id", decision="kind")
        agreed = consensus(ratings).select("tmdb_id", pl.col(AGREED).round(2))
        return (
            movies.join(agreed, on="tmdb_id", how="left", maintain_order="left")
            .join(names, on="tmdb_id", how="left", maintain_order="left")
            .join(said, on="tmdb_id", how="left", maintain_order="left")
            .with_columns(pl.col("findings").fill_null(pl.lit([], pl.List(pl.String))))
        )

    def for_rules(self, tmdb_ids: Iterable[int] | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return what the rules look at: the flat table of movies, and the ratings that count."""
        with reading(self.folder):
            rows, overlay = self._holdings.rows(), self._overlay()
            if tmdb_ids is not None:
                rows = self._holdings.rows_of(self._holdings.newest(tmdb_ids).collect())
            movies = flat(overlay.over(rows).sort("tmdb_id").collect())
            ratings = overlay.ratings(rows).filter("chosen")
        return movies, ratings.join(movies, on="tmdb_id", how="semi").select(RATINGS.names())

    def find(self, text: str) -> pl.DataFrame:
        """Return the rows of `table` whose title or people have `text` in them, in any case."""
        rows = self.table()
        names = pl.concat_list(pl.concat_list("title", "original_title"), "directors", "cast")
        looked_in = rows.select(names.list.join("\n")).to_series()
        return rows.filter([text.casefold() in names.casefold() for names in looked_in])

    def __getitem__(self, tmdb_id: int) -> MovieCard:
        """Return one movie's card.

        Raises:
            KeyError: It is not staged.
        """
        with reading(self.folder):
            found = self._holdings.newest([tmdb_id]).collect()
            rows = self._overlay().over(self._holdings.rows_of(found)).drop("part").collect()
        if rows.is_empty():
            raise KeyError(f"{tmdb_id} is not staged in {self.folder}")
        row = flat(rows).row(0, named=True)
        return MovieCard(row, self.poster(tmdb_id), online=not self.offline)

    def poster(self, tmdb_id: int) -> Path | None:
        """Return the movie's picture where the stage brings its own, as the sample does."""
        path = self.folder / "posters" / f"{tmdb_id}.png"
        return path if path.is_file() else None

    def __len__(self) -> int:
        with reading(self.folder):
            return int(self._holdings.newest().select(pl.len()).collect().item())

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self.ids()))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, tmdb_id: object) -> bool:
        return tmdb_id in self.ids()

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return draw_facts("Stage", self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        count = len(self)
        found = [("staged", f"{count:,} movies"), ("folder", self.name)]
        if count == 0:
            found.append(
                ("empty", f"looked in {self.folder.resolve()}; tmdbkit stage 603 fills it")
            )
        return found

    # Writing.

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Append answers of TMDB, make their rows, and return the malformed ones.

        Args:
            rows: Frames of `tmdb_id, payload, fetched_at, http_status`.
        """
        return self.derive(self.append(rows), rows)

    def append(self, rows: pl.DataFrame) -> str:
        """Append answers of TMDB, and return the part's name: from now on they are safe."""
        self._begin()
        return self._holdings.payloads.append(rows)

    def derive(self, part: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Make the rows of a part that was appended, and return the malformed answers."""
        malformed = self._holdings.derive(part, rows)
        if not malformed.is_empty():
            times = rows.select("tmdb_id", pl.col("fetched_at").alias("failed_at"))
            failed = malformed.join(times, on="tmdb_id").with_columns(
                passing=pl.lit(value=False), attempts=pl.lit(1), http_status=pl.lit(STAGED)
            )
            self.add_failures(failed)
        return malformed

    def derive_all(self) -> int:
        """Make the rows of parts whose transform is not today's, and return how many there were.

        Reading does the same by itself; this is for whoever wants to choose the moment.
        """
        return self._holdings.derive_stale()

    def add_failures(self, rows: pl.DataFrame) -> None:
        """Append ids that could not be staged, in the columns of `failures()`."""
        if not rows.is_empty():
            self._begin()
            self._failures.append(rows.select(pl.col(n).cast(t) for n, t in FAILURES.items()))

    def add_ratings(self, rows: pl.DataFrame) -> None:
        """Append ratings, in `RATINGS`; one of the system "" says that there was none."""
        if not rows.is_empty():
            self._begin()
            self._ratings.append(rows)

    def add_decisions(self, rows: pl.DataFrame) -> None:
        """Append decisions, in `DECISIONS`: they are on the disk when this returns."""
        if not rows.is_empty():
            self._begin()
            self._decisions.append(rows)

    def add_imports(self, rows: pl.DataFrame) -> None:
        """Append outcomes of a push, in the columns of `imports()`."""
        if not rows.is_empty():
            self._begin()
            self._imports.append(rows)

    def drop(self, tmdb_ids: Iterable[int], *, now: datetime | None = None) -> int:
        """Take movies out, and return how many; they can be staged again."""
        going = sorted(self.ids() & set(tmdb_ids))
        if going:
            at = now or self.now()
            self._holdings.payloads.append(
                pl.DataFrame(
                    [(tmdb_id, "", at, DROPPED) for tmdb_id in going], PAYLOADS, orient="row"
                )
            )
        return len(going)

    def compact(self, *, now: datetime | None = None) -> int:
        """Merge small files, and return how many were replaced; nobody who reads is disturbed."""
        at = now or self.now()
        return self._holdings.compact(at) + sum(log.compact(at) for log in self._logs)

    def compact_if_piled_up(self) -> None:
        """Merge small files where there are many."""
        if any(log.is_piled_up() for log in (self._holdings.payloads, *self._logs)):
            self.compact()

    # Inside.

    def _begin(self) -> None:
        """Make the folder, with its layout's version, where there is none."""
        marker = self.folder / "stage.json"
        if not marker.exists():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_text(marker, json.dumps({"layout": LAYOUT}) + "\n")
            except OSError as error:
                raise StageError(f"{self.folder} cannot be made: {error.strerror}") from error

    def _overlay(self) -> Overlay:
        """Return what is laid over the rows, read from the logs once."""
        rated = self._ratings.scan().filter(pl.col("system") != "")
        newest = rated.sort("fetched_at", "part").unique(SAME_RATING, keep="last")
        collected = newest.select(RATINGS.names()).collect()
        return Overlay(collected, self.providers, overrides(self.decisions()))


def _check_layout(folder: Path) -> None:
    """Refuse a folder that cannot be a stage of ours, before anything is done with it."""
    if re.match(r"[a-z0-9]+:/", str(folder)):
        raise StageError(f"{folder} is an address; a stage is a folder on this machine")
    if folder.exists() and not folder.is_dir():
        raise StageError(f"{folder} is a file; a stage is a folder: name another with --stage")
    marker = folder / "stage.json"
    if not marker.exists():
        return
    try:
        layout = int(json.loads(marker.read_text(encoding="utf-8"))["layout"])
    except (ValueError, KeyError, TypeError, OSError):
        raise StageError(f"{marker} cannot be read; is {folder} a stage?") from None
    if layout > LAYOUT:
        raise StageError(
            f"{folder} is of a newer tmdbkit (layout {layout}, this one knows {LAYOUT}); "
            "upgrade with: pip install --upgrade tmdbkit"
        )
