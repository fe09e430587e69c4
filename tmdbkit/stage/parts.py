"""One part of a log: a Parquet file whose footer has its checksum, and names what it replaces."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from threading import Lock

import polars as pl

from tmdbkit.stage.storage import Root, said_in_one_line

LEVEL = 3  # zstd; level 9 saves a tenth more for four times the time
ROW_GROUP = 500  # rows that are read together: who wants some reads little more
MERGED = "-merged"
SUFFIX = ".json"  # of the manifests of layout 1, which named what the part beside them replaces
# What polars, or the Rust below it, says of a file that is damaged: a panic is no `Exception`.
DAMAGE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)

# The seal, as the footer has it: key, the header of a text of 71 letters, value. Key and value both
# say what they are: where a bit of one has flipped, the other still tells that there is a seal.
_KEY, _SAYS, _EMPTY = "tmdbkit.sha256", "sha256:", "0" * 64
_SEAL = f"{_KEY}\x18{chr(len(_SAYS + _EMPTY))}{_SAYS}".encode()
_REPLACES, _MERGED_AT, _OWN_PARTS = "tmdbkit.replaces", "tmdbkit.merged_at", "tmdbkit.own_parts"

_NAME = re.compile(r"(\d{8}T\d{12})-[0-9a-f]{8}(?:-merged)?")
_STAMP, LAST_YEAR = "%Y%m%dT%H%M%S%f", 9000  # from then on it is no name that a clock made


@dataclass(frozen=True)
class Merged:
    """What a merged part says of itself: all that ever stood in its place, and since when."""

    replaces: frozenset[str]
    at: datetime


def write_part(rows: pl.DataFrame, content: BytesIO, tags: Mapping[str, str]) -> None:
    """Write rows as a sealed Parquet file; no bit of it can change unnoticed."""
    rows.write_parquet(
        content,
        compression="zstd",
        compression_level=LEVEL,
        row_group_size=ROW_GROUP,
        metadata={
            **tags,
            **({_OWN_PARTS: "yes"} if "part" in rows.columns else {}),
            _KEY: _SAYS + _EMPTY,
        },
    )
    whole = content.getvalue()
    start = whole.rindex(_SEAL) + len(_SEAL)
    seal = sha256(whole).hexdigest()
    del whole  # or what is written next would copy it
    content.seek(start)
    content.write(seal.encode())


def fault(content: bytes) -> str:
    """Return what is wrong with a part's content, or "".

    One of an older tmdbkit has no seal; that it can be decoded is all that is known of it.
    """
    start = content.rfind(_SEAL) + len(_SEAL)
    if start < len(_SEAL):
        return _fault_without_seal(content)
    seen, end = memoryview(content), start + len(_EMPTY)
    found = sha256(seen[:start])
    found.update(_EMPTY.encode())
    found.update(seen[end:])
    same = found.hexdigest().encode() == content[start:end]
    return "" if same else "its checksum is that of other content"


def is_sealed(content: bytes) -> bool:
    """Tell whether a part carries a checksum."""
    return _SEAL in content


def _fault_without_seal(content: bytes) -> str:
    footer = content[-8 - int.from_bytes(content[-8:-4], "little") :]
    if _KEY.encode() in footer or _SAYS.encode() in footer:
        return "its checksum cannot be read"
    try:
        pl.read_parquet(BytesIO(content), glob=False)
    except DAMAGE as error:
        return said_in_one_line(error)
    return ""


def footer(source: str) -> dict[str, str]:
    """Return the facts in a part's footer; none where it is missing or damaged."""
    try:
        return pl.read_parquet_metadata(source)
    except DAMAGE:
        return {}


def tags_of_merged(merged: Merged) -> dict[str, str]:
    """Return what the footer of a merged part says."""
    names = sorted(merged.replaces)
    return {_REPLACES: json.dumps(names), _MERGED_AT: merged.at.isoformat()}


def merged_of(footer: Mapping[str, str]) -> Merged | None:
    """Return what a footer says of a merged part; None where it is of none, or makes no sense."""
    try:
        names = frozenset(map(str, json.loads(footer[_REPLACES])))
        return Merged(names, datetime.fromisoformat(footer[_MERGED_AT]))
    except (KeyError, ValueError, TypeError):
        return None


def has_own_parts(footer: Mapping[str, str]) -> bool:
    """Tell whether each row of a file says which part it came in."""
    return _OWN_PARTS in footer


def is_part_name(name: str) -> bool:
    """Tell whether it is a name that tmdbkit gives to parts."""
    return _NAME.fullmatch(name) is not None


def merged_name(last: str) -> str:
    """Return a name that takes the place of the last part that is merged."""
    return f"{last.partition('-')[0]}-{secrets.token_hex(4)}{MERGED}"


class Order:
    """The order in which parts of some logs were written: each name is above all there are.

    So it is the log's own, whatever the clocks of those who write say.
    """

    def __init__(self, *roots: Root) -> None:
        self._roots = roots
        self._last = ""
        self._lock = Lock()

    def next(self) -> str:
        """Return a name that sorts after all others, and that no other run makes."""
        with self._lock:
            names = {name for root in self._roots for name in root.names_after(self._last[:-9])}
            above = _above(names | {self._last})
            self._last = f"{max(_now(), above):{_STAMP}}-{secrets.token_hex(4)}"
            return self._last


def _above(names: set[str]) -> datetime:
    """Return the first instant after all that names tell; digits that are none tell nothing."""
    for name in sorted(names, reverse=True):
        with suppress(ValueError):
            at = datetime.strptime(name.partition("-")[0], _STAMP).replace(tzinfo=UTC)
            if at.year < LAST_YEAR:
                return at + timedelta(microseconds=1)
    return datetime.min.replace(tzinfo=UTC)


def _now() -> datetime:
    return datetime.now(UTC)


def read_manifest(root: Root, merged: str) -> frozenset[str]:
    """Return the parts that a merged one replaces; none where that cannot be read.

    Then nothing is hidden: what stands in a file twice is told apart, and what is hidden is not.
    """
    try:
        return _names_in(root.read(f"{merged}{SUFFIX}")) or frozenset()
    except FileNotFoundError:  # gone a moment ago
        return frozenset()


def is_manifest(content: bytes) -> bool:
    """Tell whether a file's content names parts."""
    return _names_in(content) is not None


def _names_in(content: bytes) -> frozenset[str] | None:
    try:
        return frozenset(map(str, json.loads(content)["replaces"]))
    except (ValueError, KeyError, TypeError):
        return None


def all_replaced(merged: str, manifests: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return what a part replaces, what was merged into those before included."""
    found: set[str] = set()
    left = [merged]
    while left:
        new = manifests.get(left.pop(), frozenset()) - found
        found |= new
        left += new
    return frozenset(found - {merged})
