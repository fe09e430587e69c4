"""The contract of a run's target: a stage keeps each deployment's, and has it for its exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import polars as pl

from tmdbkit.convex.contract import Contract
from tmdbkit.convex.read import Contact
from tmdbkit.convex.snapshot import ConvexSnapshot
from tmdbkit.convex.target import Target
from tmdbkit.exceptions import TMDBKitError
from tmdbkit.schema import own_validator
from tmdbkit.stage.kept import Contracts, KeptContract
from tmdbkit.stage.stage import Stage


def contact(stage: Stage, target: Target, own: Mapping[str, pl.DataType]) -> Contact:
    """Ask a target what its tables accept; what a deployment says is kept for its exports.

    Args:
        stage: Where it is kept.
        target: Which is asked.
        own: The types of the user's own fields.
    """
    contracts = Contracts(stage.store.root)
    if isinstance(target, ConvexSnapshot):
        target.rehearse(
            partial(_of_deployment, contracts),
            {name: own_validator(dtype) for name, dtype in own.items()},
        )
        return Contact.of(target)
    made = Contact.of(target)
    kept = KeptContract(
        str(target.title),
        stage.store.now().isoformat(timespec="seconds"),
        dict(made.contract.answer or {}),
        tuple(str(row["_id"]) for row in made.movies if "_id" in row),
    )
    contracts.keep(target.title.location, kept)
    return made


def _of_deployment(contracts: Contracts, ids: set[str]) -> Contract | None:
    """Return the contract of the deployment whose movies have these ids, where one is kept."""
    kept = contracts.of_export(ids)
    if kept is None:
        return None
    source = f"that of {kept.target}, as of {kept.asked_at[:10]}"
    try:
        return replace(Contract.read(kept.answer), references=(), source=source)
    except TMDBKitError:  # of a tmdbkit with other functions
        return None
