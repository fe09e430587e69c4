"""Make the gallery as pages that open without a network: `python docs/gallery.py DEST`."""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbconvert import HTMLExporter
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
# What a page can show of an output, the best first; a widget lives only where a kernel does.
SHOWN = ["text/html", "image/png", "text/markdown", "text/plain"]
# JupyterLab's look, in light and in dark, without its scripts: some are fetched from elsewhere.
TEMPLATE = """
{% extends 'lab/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block html_head_css %}
<meta name="color-scheme" content="light dark">
{{ resources.include_css("static/theme-dark.css")
   | replace("<style", '<style media="(prefers-color-scheme: dark)"') }}
<style>
main, .gallery { max-width: 70em; margin: 0 auto; }
.gallery { padding: 0 10px; font-family: var(--jp-content-font-family); }
.highlight, .jp-OutputArea-output > * { overflow-x: auto; }
</style>
{% endblock %}
{% block body_header %}
{{ super() }}
<p class="gallery"><a href="index.html" style="color:#2b7de0">The gallery</a></p>
{% endblock %}
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>tmdbkit: {heading}</title>
</head>
<body style="font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em">
<h1 style="font-size:1.6em">{heading}</h1>
<p>{lead}</p>
{entries}
</body>
</html>
"""
ENTRY = """<div style="border:1px solid #88888844;border-radius:6px;padding:.8em 1em;margin:1em 0">
<a href="{name}.html" style="font-weight:bold">{title}</a>
<div>to {purpose}</div>
</div>"""


def main(arguments: Sequence[str]) -> int:
    """Write the pages into the folder that is named, and return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python docs/gallery.py DEST\n")
        return 2
    index = build(NOTEBOOKS, Path(arguments[0]).expanduser())
    sys.stdout.write(f"{index}\n")
    return 0


def build(notebooks: Path, to: Path) -> Path:
    """Write a page for each notebook and one that lists them, and return the latter."""
    to.mkdir(parents=True, exist_ok=True)
    readme = (notebooks / "README.md").read_text(encoding="utf-8")
    purposes = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", readme, re.MULTILINE))
    entries = []
    for path in sorted(notebooks.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata["title"] = heading(notebook.cells[0].source)
        (to / f"{path.stem}.html").write_text(page(notebook), encoding="utf-8")
        texts = {"title": notebook.metadata["title"], "purpose": purposes[path.stem]}
        entries.append(ENTRY.format(name=path.stem, **{k: escape(v) for k, v in texts.items()}))
    lead = readme.split("\n\n")[1].replace("\n", " ")
    text = PAGE.format(
        heading=escape(heading(readme)), lead=escape(lead), entries="\n".join(entries)
    )
    index = to / "index.html"
    index.write_text(text, encoding="utf-8")
    return index


def heading(markdown: str) -> str:
    """Return the first heading of a text."""
    return re.findall(r"^# (.+)$", markdown, re.MULTILINE)[0]


def page(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook as it was saved, as one page; nothing is run."""
    config = Config({"NbConvertBase": {"display_data_priority": SHOWN}})
    exporter = HTMLExporter(raw_template=TEMPLATE, config=config)
    text, _ = exporter.from_notebook_node(notebook)
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
