"""Whole documents, as they were read by a person once: from TMDB's payload to Convex and back.

`python -m tests.convex.test_golden` writes them anew; look at the difference before you commit it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tmdbkit import demo, transform
from tmdbkit.convex.changes import plan_changes
from tmdbkit.convex.contract import Contract
from tmdbkit.images import ImageForm
from tmdbkit.schema import ROW, validator
from tmdbkit.stage.tables import PAYLOADS, STAGED

from .bench import NOW_ISO, own

if TYPE_CHECKING:
    from .backend import ConvexBackend, Document

pytestmark = pytest.mark.once

GOLDEN = Path(__file__).parent / "golden"
MOVIES = {
    603: "a film like any other, with collection, trailer and certification",
    129: "a Japanese title in English",
    923608: "a title of two scripts",
    768602: "a film in no language",
    900000010: "a film of which TMDB knows nothing",
    900000011: "one person who writes, directs and plays twice",
    900000004: "one of two films of one title",
    900000005: "the other one, of the same year",
}


def documents() -> dict[int, Document]:
    """The documents that a push creates in an empty deployment, at a fixed time."""
    texts = demo.sample_payloads()
    rows = [(tmdb_id, texts[tmdb_id], demo.RECORDED_AT, STAGED) for tmdb_id in MOVIES]
    made = transform.transform(pl.DataFrame(rows, PAYLOADS, orient="row"))
    changes = plan_changes(
        made.rows.select(ROW.names()).to_dicts(),
        [],
        Contract({"movies": validator("movies")}),
        images=ImageForm(),
        taken={},
        now=NOW_ISO,
    )
    assert {change.kind for change in changes} == {"create"}
    return {change.tmdb_id: change.set for change in changes}


def golden(tmdb_id: int) -> Document:
    document: Document = json.loads((GOLDEN / f"{tmdb_id}.json").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def made() -> dict[int, Document]:
    return documents()


@pytest.mark.parametrize("tmdb_id", MOVIES, ids=MOVIES.values())
def test_a_payload_becomes_this_document(made: dict[int, Document], tmdb_id: int) -> None:
    assert made[tmdb_id] == golden(tmdb_id)


@pytest.mark.parametrize("tmdb_id", MOVIES, ids=MOVIES.values())
def test_a_document_has_its_fields_in_the_order_of_the_schema(
    made: dict[int, Document], tmdb_id: int
) -> None:
    assert list(made[tmdb_id]) == list(golden(tmdb_id))


@pytest.mark.parametrize("tmdb_id", MOVIES, ids=MOVIES.values())
def test_the_functions_take_a_document_as_it_is(backend: ConvexBackend, tmdb_id: int) -> None:
    document = golden(tmdb_id)
    (answer,) = backend.mutation("applyMovies", changes=[{"tmdb_id": tmdb_id, "create": document}])
    assert answer["outcome"] == "created"
    (stored,) = backend.query("moviesByTmdbIds", tmdb_ids=[tmdb_id])
    assert own(stored) == document


def test_there_is_no_document_without_a_movie() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(map(str, MOVIES))


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for tmdb_id, document in documents().items():
        text = json.dumps(document, ensure_ascii=False, indent=2)
        (GOLDEN / f"{tmdb_id}.json").write_text(text + "\n", encoding="utf-8")
