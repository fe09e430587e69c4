"""The functions compile in whatever app they are copied into; bundlers would not tell."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from .backend import HERE, PACKAGES, ensure_packages, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

FUNCTIONS = HERE.parents[1] / "tmdbkit/convex/functions"

CONVEX = ("convex", "convex-1.30")  # today's, and the oldest that the functions are made for

# Movies alone, with a field of the app's own and without most of ours.
SMALL_SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  movies: defineTable({ tmdb_id: v.number(), slug: v.string(), stars: v.optional(v.number()) })
    .index("by_tmdb_id", ["tmdb_id"])
    .index("by_slug", ["slug"]),
});
"""


def complaints(config: Path) -> str:
    """What the TypeScript compiler has to say; nothing, if all is well."""
    ensure_packages()
    command = [tool("node"), str(PACKAGES / "typescript/bin/tsc"), "--project", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def complaints_of_an_app(folder: Path, schema: str, convex: str = "convex") -> str:
    """The same of an app with this schema and npm package, with the functions copied into it."""
    shutil.copy(FUNCTIONS / "tmdbkit.ts", folder)
    (folder / "schema.ts").write_text(schema)
    options = {"paths": {"convex/*": [str(PACKAGES / convex / "*")]}}
    extended = {"extends": str(HERE / "tsconfig.json"), "compilerOptions": options}
    config = {**extended, "files": ["tmdbkit.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(config))
    return complaints(folder / "tsconfig.json")


def test_the_functions_compile_with_our_schema() -> None:
    assert complaints(HERE / "tsconfig.json") == ""


@pytest.mark.parametrize("convex", CONVEX)
def test_they_compile_in_an_app_that_was_there_before(tmp_path: Path, convex: str) -> None:
    app_schema = json.dumps(str(HERE / "app_schema"))
    schema = f"export {{ default }} from {app_schema};"
    assert complaints_of_an_app(tmp_path, schema, convex) == ""


@pytest.mark.parametrize("convex", CONVEX)
def test_they_compile_in_an_app_with_nothing_but_movies(tmp_path: Path, convex: str) -> None:
    assert complaints_of_an_app(tmp_path, SMALL_SCHEMA, convex) == ""


@pytest.mark.parametrize(
    "movies",
    [
        "v.any()",
        pytest.param(
            "v.union(v.object({ tmdb_id: v.number() }), v.object({ title: v.string() }))",
            marks=pytest.mark.large,
        ),
        "{ movie_id: v.number() }",
        "{ tmdb_id: v.int64(), genres: v.array(v.id('genres')) }",
        pytest.param("v.record(v.string(), v.any())", marks=pytest.mark.large),
    ],
)
def test_no_table_of_movies_stops_the_apps_deploy(tmp_path: Path, movies: str) -> None:
    schema = f"""
import {{ defineSchema, defineTable }} from "convex/server";
import {{ v }} from "convex/values";

export default defineSchema({{ movies: defineTable({movies}) }});
"""
    assert complaints_of_an_app(tmp_path, schema) == ""


def test_nor_does_a_schema_without_movies(tmp_path: Path) -> None:
    schema = 'import { defineSchema } from "convex/server";\nexport default defineSchema({});\n'
    assert complaints_of_an_app(tmp_path, schema) == ""
