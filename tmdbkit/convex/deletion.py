"""What a deletion takes away, and what in the target points at it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tmdbkit.convex.changes import REPEATED, Change
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.delivery import asked
from tmdbkit.convex.plan import Plan
from tmdbkit.convex.target import Document, Pointing, Target, by_movie
from tmdbkit.progress import counted

ABSENT = "the target does not have it"
NEW_IDS = "ids do not come back: what is created again has another _id"
NOT_TOLD = (
    "the functions there are older, and do not tell what points at movies; "
    "tmdbkit functions writes today's"
)


def deletions(there: Iterable[Document], tmdb_ids: Iterable[int]) -> tuple[Change, ...]:
    """Return what takes movies away, each with the whole document that goes."""
    found = by_movie(there)
    return tuple(_deletion(tmdb_id, found[tmdb_id]) for tmdb_id in tmdb_ids)


def _deletion(tmdb_id: int, there: Sequence[Document]) -> Change:
    title = str(there[0].get("title", "")) if there else ""
    if not there:
        return Change(tmdb_id, f"movie {tmdb_id}", "unchanged", reason=ABSENT)
    if len(there) > 1:
        reason = REPEATED.format(len(there))
        return Change(tmdb_id, title, "withheld", reason=reason)
    own = {name: value for name, value in there[0].items() if not name.startswith("_")}
    return Change(tmdb_id, title, "delete", before=own)


def spared(changes: Iterable[Change], pointing: Iterable[Pointing]) -> tuple[Change, ...]:
    """Return changes, but for the deletion of what other documents point at."""
    held: dict[int, list[Pointing]] = defaultdict(list)
    for one in pointing:
        held[one.tmdb_id].append(one)
    return tuple(_unless_held(change, held) for change in changes)


def _unless_held(change: Change, held: Mapping[int, Sequence[Pointing]]) -> Change:
    if change.kind != "delete" or change.tmdb_id not in held:
        return change
    told = ", ".join(
        f"{counted(one.documents, 'document')}{' or more' * one.more} by {one.table}.{one.field}"
        for one in held[change.tmdb_id]
    )
    return replace(
        change,
        kind="withheld",
        before={},
        reason=f"pointed at from {told}; --referenced deletes it all the same",
    )


def guarded(plan: Plan, target: Target, *, referenced: bool) -> Plan:
    """Return a plan that leaves alone what other documents point at, and says what it cannot see.

    Where what is `referenced` is meant too, nobody is asked for it.
    """
    doomed = [change.tmdb_id for change in plan.changes if change.kind == "delete"]
    if not doomed:
        return plan
    contract = target.contract()
    look = not referenced and contract.references is not None
    pointing = asked(target.pointing_at, doomed) if look else []
    notes = (*plan.notes, *_notes(contract))
    return replace(plan, changes=spared(plan.changes, pointing), notes=notes)


def _notes(contract: Contract) -> tuple[str, ...]:
    """Return what a person should know before documents are deleted."""
    if contract.references is None:
        return (NEW_IDS, NOT_TOLD)
    unseen = [f"{one.table}.{one.field}" for one in contract.references if one.index is None]
    if not unseen:
        return (NEW_IDS,)
    return (NEW_IDS, f"{', '.join(unseen)} may point at them: not counted, no index leads there")
