"""The merge, once: what a push would create, change, leave and keep; pure.

Rules of ownership (design, section 7): what the app owns is set on creation only; ratings merge
system by system; what is missing here replaces nothing there; an image keeps the form it has.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tmdbkit.schema import CREATED_ONLY, IMAGES, OPTIONAL, RATINGS, STAMPS, ZERO_IS_UNKNOWN
from tmdbkit.tmdb.images import ImageForm, image_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tmdbkit.convex.contract import Contract
    from tmdbkit.convex.target import Document

Kind = Literal["create", "update", "unchanged", "withheld"]


@dataclass(frozen=True)
class Change:
    """What a push would do to one movie.

    Attributes:
        tmdb_id: Which movie.
        title: Its title, for people.
        kind: `create`, `update`, `unchanged` or `withheld`.
        set: The new values; of a creation, the whole document.
        expected: The values that they replace.
        absent: The fields that they add.
        kept: Fields with a value there and none here.
        reason: Why it is withheld.
    """

    tmdb_id: int
    title: str
    kind: Kind
    set: Document = field(default_factory=dict)
    expected: Document = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    reason: str = ""

    def arguments(self) -> Document:
        """Return it as the mutation takes it."""
        if self.kind == "create":
            return {"tmdb_id": self.tmdb_id, "create": self.set}
        return {
            "tmdb_id": self.tmdb_id,
            "expected": self.expected,
            "absent": list(self.absent),
            "set": self.set,
            "unset": [],
        }


def plan_changes(
    rows: Iterable[Document],
    there: Iterable[Document],
    contract: Contract,
    *,
    images: ImageForm,
    taken: Mapping[str, int],
    now: str,
) -> list[Change]:
    """Compare rows with the documents that the target has for them.

    Args:
        rows: Rows of the stage, as documents without the app's own fields.
        there: All documents of the target with the rows' ids.
        contract: What the target's tables accept.
        images: The form of a new document's images.
        taken: Who has which slug there.
        now: The time that new and changed documents carry, ISO.
    """
    found: dict[int, list[Document]] = defaultdict(list)
    for document in there:
        found[int(document["tmdb_id"])].append(document)
    slugs = dict(taken)
    return [
        _change(row, found[row["tmdb_id"]], contract, images=images, slugs=slugs, now=now)
        for row in rows
    ]


def slug_candidates(row: Mapping[str, Any]) -> list[str]:
    """Return the slugs that a movie may get, the nicest first: plain, with year, with id."""
    plain, year = row["slug"], row["release_date"][:4]
    dated = [f"{plain}-{year}"] if year else []
    return [plain, *dated, f"{plain}-{row['tmdb_id']}"]


def image_form(documents: Iterable[Mapping[str, Any]], default: ImageForm) -> ImageForm:
    """Return the form in which a target holds its images, or the default where it holds none."""
    held = (document.get(name) for document in documents for name in sorted(IMAGES))
    return default.like(next((value for value in held if value), None))


def content_hash(document: Mapping[str, Any]) -> str:
    """Return a short hash of a document, the same for any order of its keys."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _change(
    row: Document,
    there: Sequence[Document],
    contract: Contract,
    *,
    images: ImageForm,
    slugs: dict[str, int],
    now: str,
) -> Change:
    tmdb_id, title = row["tmdb_id"], row["title"]
    if len(there) > 1:
        reason = f"the target has {len(there)} documents with this tmdb_id; delete all but one"
        return Change(tmdb_id, title, "withheld", reason=reason)
    known = {name: value for name, value in row.items() if contract.knows("movies", name)}
    if not there:
        return _creation(known, row, contract, images=images, slugs=slugs, now=now)
    return _update(known, there[0], contract, images=images, now=now)


def _creation(
    known: Document,
    row: Document,
    contract: Contract,
    *,
    images: ImageForm,
    slugs: dict[str, int],
    now: str,
) -> Change:
    tmdb_id, title = row["tmdb_id"], row["title"]
    free = (slug for slug in slug_candidates(row) if slugs.get(slug, tmdb_id) == tmdb_id)
    slug = next(free, row["slug"])
    stamps = {"slug": slug, "created_at": now, "updated_at": now}
    created = {
        name: images.render(name, value) if name in IMAGES and value else value
        for name, value in {**known, **stamps}.items()
        if not (value is None and name in OPTIONAL) and contract.knows("movies", name)
    }
    if faults := contract.faults(created):
        return Change(tmdb_id, title, "withheld", reason="; ".join(faults[:3]))
    slugs[slug] = tmdb_id
    return Change(tmdb_id, title, "create", set=created)


def _update(
    known: Document, there: Document, contract: Contract, *, images: ImageForm, now: str
) -> Change:
    merged, kept = _merge(known, there, images)
    tmdb_id, title = known["tmdb_id"], known["title"]
    if not merged:
        return Change(tmdb_id, title, "unchanged", kept=tuple(kept))
    if faults := contract.faults(merged, partial=True):
        return Change(tmdb_id, title, "withheld", reason="; ".join(faults[:3]))
    stamps = {"updated_at": now, "tmdb_data_imported_at": known.get("tmdb_data_imported_at")}
    stamped = {name: value for name, value in stamps.items() if contract.knows("movies", name)}
    return Change(
        tmdb_id,
        title,
        "update",
        set={**merged, **stamped},
        expected={name: there[name] for name in merged if name in there},
        absent=tuple(name for name in merged if name not in there),
        kept=tuple(kept),
    )


def _merge(known: Document, there: Document, images: ImageForm) -> tuple[Document, list[str]]:
    """Return the fields that get a new value, and the names of those that keep theirs."""
    merged, kept = {}, []
    for name in known.keys() - CREATED_ONLY - STAMPS:
        value, old = known[name], there.get(name)
        if is_missing(name, value):
            if not is_missing(name, old):
                kept.append(name)
            continue
        new = merge(name, value, old)
        if name in IMAGES:
            new = images.like(old).render(name, new)
        if not is_same(name, new, old):
            merged[name] = new
    return {name: merged[name] for name in known if name in merged}, sorted(kept)


def is_missing(name: str, value: Any) -> bool:
    """Tell whether a value says that nobody knows; it then replaces nothing."""
    return value in (None, "", []) or (name in ZERO_IS_UNKNOWN and value == 0)


def merge(name: str, ours: Any, theirs: Any) -> Any:
    """Return what a field becomes: ratings merge by system, a collection's pictures by part."""
    if name in RATINGS and isinstance(theirs, dict):
        return {**theirs, **{key: value for key, value in ours.items() if value is not None}}
    if name == "belong_to_collection" and theirs and theirs.get("id") == ours["id"]:
        return {**theirs, **{key: value for key, value in ours.items() if value}}
    return ours


def is_same(name: str, ours: Any, theirs: Any) -> bool:
    """Tell whether two values of a field mean the same; a path and an address of one image do."""
    if name in IMAGES and isinstance(theirs, str):
        return image_path(ours) == image_path(theirs)
    return bool(ours == theirs)
