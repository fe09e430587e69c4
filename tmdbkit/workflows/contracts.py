"""The contract of a run's target: a stage keeps each deployment's, and has it for its exports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tmdbkit.convex.contact import Contact
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.snapshot import ConvexSnapshot
from tmdbkit.exceptions import TMDBKitError
from tmdbkit.stage.contracts import KeptContract

if TYPE_CHECKING:
    from tmdbkit.convex.target import Target
    from tmdbkit.stage.stage import Stage


def contact(stage: Stage, target: Target) -> Contact:
    """Ask a target what its tables accept; what a deployment says is kept for its exports."""
    if isinstance(target, ConvexSnapshot):
        settle(stage, target)
        return Contact.of(target)
    made = Contact.of(target)
    ids = tuple(str(row["_id"]) for row in made.movies if "_id" in row)
    kept = KeptContract(
        str(target.title),
        stage.now().isoformat(timespec="seconds"),
        dict(made.contract.answer or {}),
        ids,
    )
    stage.contracts.keep(target.title.location, kept)
    return made


def settle(stage: Stage, snapshot: ConvexSnapshot) -> None:
    """Give an export the contract that the stage keeps of its deployment, unless it has one."""
    if snapshot.given is not None or not snapshot.is_export:
        return
    kept = stage.contracts.of_export(snapshot.ids())
    if kept is None:
        return
    try:
        contract = Contract.read(kept.answer)
    except TMDBKitError:  # of a tmdbkit with other functions
        return
    source = f"that of {kept.target}, as of {kept.asked_at[:10]}"
    snapshot.given = replace(contract, references=(), source=source)
