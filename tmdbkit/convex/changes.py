"""What a push would do to each movie: create, update, leave alone or withhold; pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tmdbkit.convex.contract import Contract
from tmdbkit.convex.merge import ALL, Scope, merge
from tmdbkit.convex.target import Document, by_movie
from tmdbkit.convex.validators import exceeded
from tmdbkit.images import ImageForm, image_path
from tmdbkit.progress import counted
from tmdbkit.schema import IMAGES, MOVIE, OPTIONAL, RATINGS, STAMPS

Earlier = Callable[[Collection[int]], Mapping[int, Sequence[Document]]]

Kind = Literal[
    "create", "update", "unchanged", "withheld", "delete", "failed", "not_staged", "unknown"
]

REPEATED = "the target has {} documents with this tmdb_id; delete all but one in the dashboard"


@dataclass(frozen=True)
class Change:
    """What a push would do to one movie.

    Attributes:
        tmdb_id: Which movie.
        title: Its title, for people.
        kind: `create`, `update`, `unchanged`, `withheld`, `delete` on the way back, `failed`
            where the target could not be asked, `not_staged`, or `unknown` where nobody can
            tell what an earlier push did to it.
        set: The new values; of a creation, the whole document.
        unset: The fields that are taken away.
        before: The old values of both, where there were any.
        kept: Fields with a value there and none here.
        erased: Fields whose value there is given up.
        taken_back: Kept fields whose value there TMDB gave once, and has no longer.
        reason: Why it is withheld, failed, not staged or unknown.
        withheld: Ratings that are not sent though the rest is: the system, and why.
    """

    tmdb_id: int
    title: str
    kind: Kind
    set: Document = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    before: Document = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()
    reason: str = ""
    withheld: tuple[str, ...] = ()
    taken_back: tuple[str, ...] = ()

    @property
    def goes(self) -> bool:
        """Whether there is anything to send."""
        return self.kind in ("create", "update", "delete")

    @property
    def expected(self) -> Document:
        """The old values that must still be there; a stamp that moved is nobody's edit."""
        return {name: value for name, value in self.before.items() if name not in STAMPS}

    @property
    def absent(self) -> tuple[str, ...]:
        """The fields that must still be missing."""
        return tuple(name for name in self.set if name not in self.before | dict.fromkeys(STAMPS))

    def arguments(self) -> Document:
        """Return it as the mutation takes it."""
        if self.kind == "create":
            return {"tmdb_id": self.tmdb_id, "create": self.set}
        if self.kind == "delete":
            return {"tmdb_id": self.tmdb_id, "expected": self.before, "delete": True}
        return {
            "tmdb_id": self.tmdb_id,
            "expected": self.expected,
            "absent": list(self.absent),
            "set": self.set,
            "unset": list(self.unset),
        }


@dataclass(frozen=True)
class Withheld:
    """What is not to be sent, and why: whole movies, by id; of others ratings, by id and system."""

    movies: Mapping[int, str] = field(default_factory=dict)
    ratings: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    def of(self, tmdb_id: int) -> tuple[str, ...]:
        """Return a line for each rating of a movie that is not sent."""
        return tuple(f"{system}: {why}" for system, why in self.ratings.get(tmdb_id, {}).items())

    def cleared(self, row: Document) -> Document:
        """Return a row in which nothing is known of the ratings that are not sent."""
        unknown = dict.fromkeys(self.ratings.get(row["tmdb_id"], ()))
        return {**row, **{name: {**row[name], **unknown} for name in RATINGS if name in row}}


NOTHING = Withheld()


def plan_changes(
    rows: Iterable[Document],
    there: Iterable[Document],
    contract: Contract,
    *,
    images: ImageForm,
    taken: Mapping[str, int],
    now: str,
    scope: Scope = ALL,
    withheld: Withheld = NOTHING,
) -> list[Change]:
    """Compare rows, as documents without the app's own fields, with what the target has for them.

    `taken` says who has which slug there; `images` is the form of a new document's, and `now` the
    time, ISO, that new and changed documents carry.
    """
    found = by_movie(there)
    making = _Making(contract, images, dict(taken), now, scope)
    return [_judged(row, found[row["tmdb_id"]], making, withheld) for row in rows]


@dataclass(frozen=True)
class _Making:
    """What all changes of a plan are made with; `slugs` grows with the documents that get one."""

    contract: Contract
    images: ImageForm
    slugs: dict[str, int]
    now: str
    scope: Scope


def slug_candidates(row: Mapping[str, Any]) -> list[str]:
    """Return the slugs that a movie may get, the nicest first: plain, with year, with id."""
    plain, year = row["slug"], row["release_date"][:4]
    dated = [f"{plain}-{year}"] if year else []
    return [plain, *dated, f"{plain}-{row['tmdb_id']}"]


def image_form(documents: Iterable[Mapping[str, Any]], default: ImageForm) -> ImageForm:
    """Return the form in which a target holds its images, or the default where it holds none."""
    held = (document.get(name) for document in documents for name in sorted(IMAGES))
    return default.like(next((value for value in held if value), None))


def converted(change: Change) -> list[str]:
    """Return the image fields of an update that get another form of the image that they hold."""
    return [
        name
        for name in sorted(IMAGES & change.set.keys() & change.before.keys())
        if image_path(change.set[name]) == image_path(str(change.before[name]))
    ]


def content_hash(document: Mapping[str, Any]) -> str:
    """Return a short hash of a document, the same for any order of its keys."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _judged(
    row: Document, there: Sequence[Document], making: _Making, withheld: Withheld
) -> Change:
    """Leave out what is withheld, and plan the rest."""
    tmdb_id = row["tmdb_id"]
    if tmdb_id in withheld.movies:
        return Change(tmdb_id, row["title"], "withheld", reason=withheld.movies[tmdb_id])
    if tmdb_id not in withheld.ratings:
        return _change(row, there, making)
    change = _change(withheld.cleared(row), there, making)
    return replace(change, withheld=withheld.of(tmdb_id))


def _change(row: Document, there: Sequence[Document], making: _Making) -> Change:
    tmdb_id, title = row["tmdb_id"], row["title"]
    if len(there) > 1:
        reason = REPEATED.format(len(there))
        return Change(tmdb_id, title, "withheld", reason=reason)
    contract = making.contract
    known = {name: value for name, value in row.items() if contract.knows("movies", name)}
    if there:
        return _update(known, there[0], making)
    if making.scope.only is not None:
        reason = "the target does not have it, and --only creates nothing"
        return Change(tmdb_id, title, "withheld", reason=reason)
    return _creation(known, row, making)


def _creation(known: Document, row: Document, making: _Making) -> Change:
    tmdb_id, title = row["tmdb_id"], row["title"]
    slugs, contract = making.slugs, making.contract
    free = (slug for slug in slug_candidates(row) if slugs.get(slug, tmdb_id) == tmdb_id)
    slug = next(free, row["slug"])
    stamps = {"slug": slug, "created_at": making.now, "updated_at": making.now}
    created = {
        name: making.images.render(name, value) if name in IMAGES and value else value
        for name, value in {**known, **stamps}.items()
        if contract.knows("movies", name)
        and not (value is None and (name in OPTIONAL or name not in MOVIE))
    }
    if faults := contract.faults(created) or exceeded(created):
        return Change(tmdb_id, title, "withheld", reason="; ".join(faults[:3]))
    slugs[slug] = tmdb_id
    return Change(tmdb_id, title, "create", set=created)


def _update(known: Document, there: Document, making: _Making) -> Change:
    tmdb_id, contract = known["tmdb_id"], making.contract
    title = known["title"] or str(there.get("title", ""))
    merged = merge(known, there, making.images, making.scope)
    if not merged.changes:
        return Change(tmdb_id, title, "unchanged", kept=tuple(merged.kept))
    if faults := contract.faults(merged.set, partial=True) or exceeded({**there, **merged.set}):
        return Change(tmdb_id, title, "withheld", reason="; ".join(faults[:3]))
    new = {**merged.set, **_stamps(known, making)}
    return Change(
        tmdb_id,
        title,
        "update",
        set=new,
        unset=tuple(merged.unset),
        before={name: there[name] for name in (*new, *merged.unset) if name in there},
        kept=tuple(merged.kept),
        erased=tuple(merged.erased),
    )


def _stamps(known: Document, making: _Making) -> Document:
    """Return the times that an update carries; a few fields alone are no import of the movie."""
    stamps = {"updated_at": making.now}
    if making.scope.only is None and "tmdb_data_imported_at" in known:
        stamps["tmdb_data_imported_at"] = known["tmdb_data_imported_at"]
    return {name: at for name, at in stamps.items() if making.contract.knows("movies", name)}


def mark_taken_back(
    changes: Iterable[Change], there: Iterable[Document], earlier: Earlier
) -> list[Change]:
    """Return changes that name the fields they keep of which TMDB took the value back.

    `earlier` returns what TMDB gave for some movies before, and what was sent of it.
    """
    changes = list(changes)
    kept = {change.tmdb_id for change in changes if change.kept}
    if not kept:
        return changes
    given = earlier(kept)
    documents = {int(document["tmdb_id"]): document for document in there}
    return [
        replace(change, taken_back=_taken_back(change, documents, given[change.tmdb_id]))
        if given.get(change.tmdb_id)
        else change
        for change in changes
    ]


def _taken_back(
    change: Change, there: Mapping[int, Document], given: Sequence[Document]
) -> tuple[str, ...]:
    document = there.get(change.tmdb_id, {})
    return tuple(
        name
        for name in change.kept
        if any(_is_same(name, document.get(name), once.get(name)) for once in given)
    )


def _is_same(name: str, held: Any, once: Any) -> bool:
    """Tell whether a target's value is one that TMDB gave; of a collection the id tells."""
    if once in (None, "", []) or held is None:
        return False
    if name in IMAGES:
        return image_path(str(held)) == image_path(str(once))
    if isinstance(once, dict) and isinstance(held, dict) and "id" in once:
        return bool(held.get("id") == once["id"])
    return bool(held == once)


def note_of(changes: Iterable[Change]) -> list[str]:
    """Say which fields TMDB took back, of how many movies, and what to do; and the user's own."""
    fields = Counter(name for change in changes for name in change.taken_back)
    ours = {name: count for name, count in fields.most_common() if name in MOVIE}
    own = {name: count for name, count in fields.most_common() if name not in MOVIE}
    return [*_note("TMDB took back", ours), *_note("the stage has no longer", own)]


def _note(said: str, fields: Mapping[str, int]) -> list[str]:
    if not fields:
        return []
    told = ", ".join(f"{name} of {counted(count, 'movie')}" for name, count in fields.items())
    return [f"{said} {told}; --clear {','.join(sorted(fields))} erases it there, too"]
