"""Tables of a person's own: any file of rows as texts, and which of its columns hold ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from tmdbkit.exceptions import UsageError
from tmdbkit.surrogates import decoded, loads

Source = str | Path | pl.DataFrame | pl.LazyFrame
Named = tuple[str, str]  # a column, and whose ids it holds

SITES = {"tmdb": r"themoviedb\.org/movie/", "imdb": r"imdb\.com/(?:[a-z-]+/)?title/"}
_ADDRESS = r"(?i)^(?:https?://)?(?:[a-z]+\.)?"
_NUMBER, _DIGITS = "0*([1-9][0-9]{0,14})", "([0-9]{7,10})"
_PATTERNS = {
    "tmdb": (rf"^{_NUMBER}(?:\.0+)?$", rf"{_ADDRESS}{SITES['tmdb']}{_NUMBER}"),
    "imdb": (rf"(?i)^(?:tt)?{_DIGITS}$", rf"{_ADDRESS}{SITES['imdb']}tt{_DIGITS}"),
}
IMDB_WORD = r"(?i)^(?:tt[0-9]{7,10}$|(?:https?://)?(?:[a-z]+\.)?imdb\.com/)"
ID_NAMES = {
    "tmdb": ("tmdbid", "tmdb", "themoviedbid", "tmdbmovieid", "moviedbid"),
    "imdb": ("imdbid", "imdb", "const", "tconst", "imdbconst", "imdburl", "imdblink"),
    "": ("id", "url", "link", "uri"),
}
PLAIN = "value"  # the column of a list that has no objects in it
ASKED = "asked_"  # before the name of a list's column, where what is found has one of that name
OF_OTHERS = re.compile(r"(?:^|\.)(?:show|season|episode|person|list)\.")  # in Trakt's exports
SEPARATORS = ",;\t|"
LIST_OF_LETTERBOXD = b"Letterboxd list export"  # begins with lines about the list


def scan(source: Source) -> pl.LazyFrame:
    """Return the rows of a file, or of a frame; what has no types of its own is all text.

    Raises:
        UsageError: It is no table, or not there.
    """
    if isinstance(source, pl.DataFrame | pl.LazyFrame):
        return source.lazy()
    if not isinstance(source, str | Path):
        raise UsageError(f"{type(source).__name__} is no table; give a path or a frame of polars")
    path = Path(source).expanduser()
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        *most, last = READERS
        raise UsageError(f"{source} is no table; its name must end in {', '.join(most)} or {last}")
    if not path.is_file():
        raise UsageError(f"there is no file {source}")
    return reader(path)


def texts(source: Source, title: str = "") -> pl.DataFrame:
    """Return all columns as text, null where they are blank; `movie.year` of what lies in others.

    Raises:
        UsageError: It cannot be read; the line calls it by its title.
    """
    with reading(title or title_of(source)):
        rows = scan(source).collect()
    if any(dtype.is_nested() for dtype in rows.dtypes):
        rows = _of_records(rows.to_dicts())
    return rows.select(pl.all().cast(pl.String).str.strip_chars().replace("", None))


def title_of(source: Source) -> str:
    """Return what messages call it."""
    return "the frame" if isinstance(source, pl.DataFrame | pl.LazyFrame) else str(source)


@contextmanager
def reading(title: str, done: str = "read") -> Iterator[None]:
    """Turn what polars or Python say of a file, `read` or `written`, into one clear line."""
    try:
        yield
    except UsageError:
        raise
    except UnicodeDecodeError:
        raise UsageError(f"{title} cannot be read: it is not text in UTF-8") from None
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        first = (said.splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{title} cannot be {done}: {first}") from None


def file_to_write(path: str | Path) -> Path:
    """Return a file that may be written, as far as its place tells.

    Raises:
        UsageError: It is a folder, or in none.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        raise UsageError(f"{path} is a folder; name a file")
    if not file.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {file.parent}")
    return file


def key_of(column: str) -> str:
    """Return a column's name by which it is known: `Title Type` and `movie.title_type` are one."""
    name = column.rpartition(".")[2].lower().removeprefix(ASKED)
    return re.sub(r"[^a-z]", "", name)


def first_named(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the column that has the first of some names."""
    known: dict[str, str] = {}
    for column in columns:
        if not OF_OTHERS.search(column):
            known.setdefault(key_of(column), column)
    return next((known[name] for name in names if name in known), None)


def id_columns(
    table: pl.DataFrame, name: str | None = None, *, numbers: bool = True
) -> list[Named]:
    """Return the columns of ids and whose they are: the one that is named, or those recognised.

    Args:
        table: Texts, as `texts` returns them.
        name: The column, where a person says it.
        numbers: Whether a column `id` of numbers is one, which may be of the table's own.

    Raises:
        UsageError: There is no such column.
    """
    if name is not None:
        if name not in table.columns:
            raise UsageError(f"there is no column {name!r}; there are {', '.join(table.columns)}")
        own = ["imdb"] if _is_of_imdb(name) else _whose(table[name]) or ["tmdb"]
        return [(name, of) for of in own]
    found = []
    for of in ("tmdb", "imdb"):
        column = first_named(table.columns, ID_NAMES[of])
        if column and not _has_points(table, column) and _is_of(table, column, of):
            found.append((column, of))
    for column in table.columns if not found else ():
        is_named = key_of(column) in ID_NAMES[""] or table.columns == [PLAIN]
        is_meant = is_named and numbers and not _counts_rows(table[column])
        if is_meant or _marks_ids(table[column]):
            found += [(column, of) for of in _whose(table[column])]
    return found


def _is_of(table: pl.DataFrame, column: str, of: str) -> bool:
    """Tell whether most of a column are ids, or one is, and its name can mean nothing else."""
    has_one = not table.select(ids(column, of).is_null().all()).item()
    return of in _whose(table[column]) or (has_one and key_of(column) != of)


def _has_points(table: pl.DataFrame, column: str) -> bool:
    """Tell whether a column called `tmdb` has ratings in whole numbers: up to 10, or repeated.

    One that stands alone, with nothing that it could rate, or has an id beyond doubt has none.
    """
    numbers = table[column].cast(pl.Float64, strict=False)
    numbers = numbers.filter(numbers.is_finite())
    highest = 10 if numbers.is_unique().all() else 100
    may_rate = key_of(column) in SITES and table.width > 1 and not _marks_ids(table[column])
    return may_rate and bool((numbers <= highest).all()) and len(numbers) > 0


def ids_in(table: pl.DataFrame, columns: Iterable[Named]) -> pl.Series:
    """Return an id for each row as a text, null where it has none: the first column's comes first.

    One of IMDb's begins with tt.
    """
    found = [pl.format("tt{}", ids(c, of)) if of == "imdb" else ids(c, of) for c, of in columns]
    none = pl.repeat(None, table.height, dtype=pl.String)
    return table.select(pl.coalesce([*found, none]).alias("id")).to_series()


def ids(column: str, of: str) -> pl.Expr:
    """Return the digits of the ids in a column of text, null where it holds none."""
    return pl.coalesce(pl.col(column).str.extract(pattern) for pattern in _PATTERNS[of])


def id_in(word: str) -> int | str | None:
    """Return the TMDB id, a number, or the IMDb id, a text, that a word is; None where it is none.

    A number is one of TMDB's.
    """
    of = "imdb" if re.search(IMDB_WORD, word) else "tmdb"
    found = next((match[1] for p in _PATTERNS[of] if (match := re.search(p, word))), None)
    if found is None:
        return None
    return f"tt{found}" if of == "imdb" else int(found)


def _is_of_imdb(column: str) -> bool:
    return key_of(column).startswith("imdb") or key_of(column) in ID_NAMES["imdb"]


def _whose(values: pl.Series) -> list[str]:
    """Return whose ids are in a column most of whose values are ids."""
    given = values.drop_nulls()
    patterns = {"tmdb": _PATTERNS["tmdb"], "imdb": (IMDB_WORD,)}
    found = {of: sum(given.str.contains(p).sum() for p in each) for of, each in patterns.items()}
    return (
        [of for of, count in found.items() if count]
        if 2 * sum(found.values()) > given.len()
        else []
    )


def _counts_rows(values: pl.Series) -> bool:
    return any(values.to_list() == [str(first + n) for n in range(len(values))] for first in (0, 1))


def _marks_ids(values: pl.Series) -> bool:
    """Tell whether an id among them is unlike any other number: tt…, or a page's address."""
    return bool(values.str.contains(f"{IMDB_WORD}|{_PATTERNS['tmdb'][1]}").any())


def decoded_text(content: bytes) -> str:
    """Return the text of a file in UTF-8, or in the UTF-16 that Excel calls Unicode."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return decoded(content)


def scan_csv(path: Path, separators: str = SEPARATORS) -> pl.LazyFrame:
    """Read all of it as text, so that a value that is no number is still there to be shown."""
    content = path.read_bytes()
    if not content.isascii():
        with suppress(UnicodeDecodeError):  # polars says itself what is no UTF-8
            content = decoded_text(content).encode()
    return scan_csv_text(content, separators)


def scan_csv_text(content: bytes, separators: str = SEPARATORS) -> pl.LazyFrame:
    """Read CSV in UTF-8, all of it as text; which of the separators it has is seen."""
    if content.startswith(LIST_OF_LETTERBOXD):
        content = b"".join(content.partition(b"Position,")[1:])
    separator = separator_of(content, separators)
    return pl.scan_csv(content, infer_schema=False, separator=separator)


def separator_of(content: bytes, separators: str = SEPARATORS) -> str:
    """Return which of some separators stands between the names of the columns."""
    head = re.sub(rb'"[^"]*"', b"", content.partition(b"\n")[0]).decode(errors="replace")
    return max(separators, key=head.count)


def _scan_json(path: Path) -> pl.LazyFrame:
    return _of_records(_records(loads(decoded_text(path.read_bytes())))).lazy()


def _scan_json_lines(path: Path) -> pl.LazyFrame:
    text = decoded_text(path.read_bytes())
    lines = re.split(r"[\r\n]+", text)  # what else ends a line may stand in texts
    return _of_records([loads(line) for line in lines if line.strip()]).lazy()


def _records(found: Any) -> list[Any]:
    """Return the rows of JSON: a list; an object with one list in it, or of objects by key."""
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        objects = [value for value in found.values() if isinstance(value, dict)]
        found = lists[0] if len(lists) == 1 else objects or [found]
    if isinstance(found, list) and found:
        return found
    raise ValueError("there is no list of rows in it")


def _of_records(records: list[Any]) -> pl.DataFrame:
    """Return rows of texts; what is no object is a value of the column `PLAIN`."""
    rows = [dict(_flat(row if isinstance(row, dict) else {PLAIN: row})) for row in records]
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame(rows, dict.fromkeys(names, pl.String))


def _flat(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, str | None]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            parts = (part.get("name") if isinstance(part, dict) else part for part in value)
            yield f"{before}{name}", ", ".join(str(part) for part in parts if part is not None)
        else:
            yield f"{before}{name}", None if value is None else str(value)


READERS: dict[str, Callable[[Path], pl.LazyFrame]] = {
    ".csv": scan_csv,
    ".tsv": partial(scan_csv, separators="\t"),
    ".json": _scan_json,
    ".jsonl": _scan_json_lines,
    ".ndjson": _scan_json_lines,
    ".parquet": partial(pl.scan_parquet, glob=False),
}
