"""Make the docs as a site with a search: `python docs/website.py DEST`.

Any warning is an error: a link that leads nowhere, a page that no other names, a docstring that is
not well written. Nothing is fetched, and no notebook is run.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.cmd.build import build_main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DOCS = Path(__file__).parent
ROOT = DOCS.parent
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")
FOUND_NOWHERE = "---\nnosearch: true\n---\n"  # of a page that names everything, once
# What a newcomer types into the search, by the heading that answers it. Sphinx counts no words: of
# all pages that have one somewhere, it would show the first by the alphabet.
ASKED = {
    "automation.md": {"A night": "schedule, nightly, every night", "A CI job": "github actions"},
    "backfills.md": {"In an object store": "s3, bucket, cloud", "On many machines": "cluster"},
    "commands.md": {
        "Completion": "tab, zsh, bash, shell completion",
        "From titles to films": "letterboxd, trakt, imdb list, titles, watchlist, match",
        "A sheet there and back": "csv, spreadsheet, excel, correct a rating",
        "For scripts": "json, exit status, exit code",
    },
    "errors.md": {"Errors, and what to do": "error, it fails, 401, 429"},
    "install.md": {
        "Offline, without a key": "demo, offline",
        "With a key of your own": "api key, token",
    },
    "leaving.md": {"How to leave": "uninstall, remove tmdbkit"},
    "pushing.md": {
        "Pushing": "undo, undo a push, take back, overwrite",
        "Deleting": "delete, delete movies, remove a movie",
        "Images": "posters, images",
        "Rehearsal": "dry run, rehearse",
    },
    "ratings.md": {
        "Providers": "imdb, omdb, mdblist, metacritic, rotten tomatoes",
        "Rules": "wrong rating, wrong ratings, suspicious",
        "Decisions": "approve, review, correction",
    },
    "session.md": {"The session": "rate limit, too many requests, throttling, cache, proxy, retry"},
    "settings.md": {
        "Settings": "convex key permissions, deploy key, permissions",
        "Keys": "keys, secrets",
    },
    "stage.md": {
        "Its language": "german, translation",
        "Where it is": "where is the stage, folder",
    },
}
STRICT = ("--fail-on-warning", "--keep-going", "--nitpicky", "--quiet")


def main(arguments: Sequence[str]) -> int:
    """Write the site into the folder that is named, and return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python docs/website.py DEST\n")
        return 2
    to = Path(arguments[0]).expanduser()
    with tempfile.TemporaryDirectory(prefix="tmdbkit-site-") as folder:
        pages = Path(folder) / "pages"
        collect(pages)
        made, doctrees = Path(folder) / "site", Path(folder) / "doctrees"
        status = build_main([*STRICT, "-b", "html", "-d", str(doctrees), str(pages), str(made)])
        if status == 0:  # MyST-NB leaves a folder of its own beside what is made
            shutil.copytree(made, to, dirs_exist_ok=True)
            sys.stdout.write(f"{to / 'index.html'}\n")
    return status


def collect(pages: Path) -> None:
    """Put docs, notebooks and what lies at the top into one folder, as Sphinx wants it."""
    shutil.copytree(DOCS, pages, ignore=shutil.ignore_patterns("website.py", "gallery.py", "__*"))
    shutil.copytree(ROOT / "notebooks", pages / "notebooks", ignore=_of_python)
    for name in BESIDE:
        shutil.copyfile(ROOT / name, pages / name)
    for page in pages.glob("*.md"):
        text = answering(_relinked(page.read_text(encoding="utf-8")), ASKED.get(page.name, {}))
        page.write_text(text, encoding="utf-8")
    changes = pages / "CHANGELOG.md"
    changes.write_text(FOUND_NOWHERE + changes.read_text(encoding="utf-8"), encoding="utf-8")


def answering(text: str, asked: Mapping[str, str]) -> str:
    """Return a page whose headings are found by what is asked.

    Raises:
        KeyError: It has no such heading any more.
    """
    for heading, words in asked.items():
        entries = words.replace(", ", ", ! ")
        text, times = re.subn(
            rf"^(#+ {re.escape(heading)})$",
            lambda found, entries=entries: f"{found[1]}\n\n```{{index}} ! {entries}\n```",
            text,
            count=1,
            flags=re.MULTILINE,
        )
        if not times:
            raise KeyError(heading)
    return text


_of_python = shutil.ignore_patterns("*.py", "__pycache__", ".*")


def _relinked(text: str) -> str:
    """Links between docs/ and the top, which lie in one folder here."""
    return re.sub(r"\]\((?:\.\./|docs/)", "](", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
