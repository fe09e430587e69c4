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
    from collections.abc import Sequence

DOCS = Path(__file__).parent
ROOT = DOCS.parent
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")
FOUND_NOWHERE = "---\nnosearch: true\n---\n"  # of a page that names everything, once
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
        doctrees = Path(folder) / "doctrees"
        status = build_main([*STRICT, "-b", "html", "-d", str(doctrees), str(pages), str(to)])
    if status == 0:
        sys.stdout.write(f"{to / 'index.html'}\n")
    return status


def collect(pages: Path) -> None:
    """Put docs, notebooks and what lies at the top into one folder, as Sphinx wants it."""
    shutil.copytree(DOCS, pages, ignore=shutil.ignore_patterns("website.py", "gallery.py", "__*"))
    shutil.copytree(ROOT / "notebooks", pages / "notebooks", ignore=_of_python)
    for name in BESIDE:
        shutil.copyfile(ROOT / name, pages / name)
    for page in pages.glob("*.md"):
        page.write_text(_relinked(page.read_text(encoding="utf-8")), encoding="utf-8")
    changes = pages / "CHANGELOG.md"
    changes.write_text(FOUND_NOWHERE + changes.read_text(encoding="utf-8"), encoding="utf-8")


_of_python = shutil.ignore_patterns("*.py", "__pycache__", ".*")


def _relinked(text: str) -> str:
    """Links between docs/ and the top, which lie in one folder here."""
    return re.sub(r"\]\((?:\.\./|docs/)", "](", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
