"""Copying the functions into an app: never over what someone changed."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from tmdbkit.convex.install import install_functions, is_untouched, sealed
from tmdbkit.exceptions import UsageError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

SHIPPED = files("tmdbkit.convex") / "functions"
APP_SCHEMA = """
export default defineSchema({
  movies: defineTable({ tmdb_id: v.number(), slug: v.string() })
    .index("by_tmdb_id", ["tmdb_id"]),
  crew: defineTable({ crew_id: v.number() }).index('by_crew_id', ["crew_id"]),
});
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app's convex folder, with nothing in it."""
    folder = tmp_path / "convex"
    folder.mkdir()
    return folder


def test_both_files_are_written_where_there_is_none(app: Path) -> None:
    done = install_functions(app)
    assert done.written == (app / "tmdbkit.ts", app / "schema.ts")
    assert (done.current, done.changed, done.schema_lacks) == ((), (), ())
    assert (app / "schema.ts").read_text() == (SHIPPED / "schema.ts").read_text()
    assert (app / "tmdbkit.ts").read_text().startswith((SHIPPED / "tmdbkit.ts").read_text())


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    install_functions(tmp_path / "convex")
    assert (tmp_path / "convex/tmdbkit.ts").exists()


def test_copying_again_writes_nothing(app: Path) -> None:
    install_functions(app)
    before = {path.name: path.stat().st_mtime_ns for path in app.iterdir()}
    done = install_functions(app)
    assert done.written == ()
    assert done.current == (app / "tmdbkit.ts",)
    assert {path.name: path.stat().st_mtime_ns for path in app.iterdir()} == before


def test_functions_that_someone_changed_are_left_alone_and_named(app: Path) -> None:
    install_functions(app)
    functions = app / "tmdbkit.ts"
    changed = functions.read_text().replace("VERSION = ", "VERSION = 9")
    functions.write_text(changed)
    done = install_functions(app)
    assert (done.written, done.changed) == ((), (functions,))
    assert functions.read_text() == changed


def test_a_file_of_that_name_that_is_not_ours_is_left_alone(app: Path) -> None:
    (app / "tmdbkit.ts").write_text("export const mine = 1;\n")
    assert install_functions(app).changed == (app / "tmdbkit.ts",)
    assert (app / "tmdbkit.ts").read_text() == "export const mine = 1;\n"


def test_older_functions_that_nobody_touched_are_replaced(app: Path) -> None:
    functions = app / "tmdbkit.ts"
    functions.write_text(sealed("// an older version\n"))
    assert functions in install_functions(app).written
    assert "an older version" not in functions.read_text()


def test_older_functions_that_somebody_touched_are_not(app: Path) -> None:
    functions = app / "tmdbkit.ts"
    functions.write_text(sealed("// an older version\n").replace("older", "better"))
    assert install_functions(app).changed == (functions,)
    assert "better" in functions.read_text()


def test_line_ends_that_git_changed_on_windows_are_no_change(app: Path) -> None:
    functions = app / "tmdbkit.ts"
    functions.write_bytes(sealed("// an older version\n// of two lines\n").encode())
    functions.write_bytes(functions.read_bytes().replace(b"\n", b"\r\n"))
    assert install_functions(app).changed == ()


@pytest.mark.parametrize("name", ["schema.ts", "schema.js", "schema.mts", "schema.tsx"])
def test_a_schema_of_the_apps_own_is_never_written_over(app: Path, name: str) -> None:
    (app / name).write_text(APP_SCHEMA)
    done = install_functions(app)
    assert done.written == (app / "tmdbkit.ts",)
    assert (app / name).read_text() == APP_SCHEMA
    assert {path.name for path in app.iterdir()} == {"tmdbkit.ts", name}


def test_what_an_existing_schema_lacks_is_said_line_by_line(app: Path) -> None:
    (app / "schema.ts").write_text(APP_SCHEMA)
    assert install_functions(app).schema_lacks == (
        'movies: .index("by_slug", ["slug"])',
        "movies: crew: v.optional(v.array(v.number())),  // if you want it: up to 170 rows in the "
        "table crew a movie, not 6, and a function that collects that table fails beyond 32,000",
        'genres: defineTable({ genre_id: v.number(), name: v.string() }).index("by_genre_id", '
        '["genre_id"]),  // if you want it',
    )


def test_our_own_schema_lacks_nothing(app: Path) -> None:
    install_functions(app)
    assert install_functions(app).schema_lacks == ()


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "convex").write_text("")
    with pytest.raises(UsageError, match="convex is a file; name your app's convex folder"):
        install_functions(tmp_path / "convex")


def test_a_folder_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere does not exist"):
        install_functions(tmp_path / "nowhere/convex")


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\n\n", "// é\n"])
def test_a_seal_tells_whether_a_text_is_as_it_was(text: str) -> None:
    assert is_untouched(sealed(text))
    assert not is_untouched(sealed(text) + "\n")
    assert not is_untouched("x" + sealed(text))
    assert not is_untouched(text)
