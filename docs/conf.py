"""How Sphinx makes the site; `python docs/website.py DEST` runs it."""

import tmdbkit

project = "tmdbkit"
author = "The tmdbkit authors"
project_copyright = "2026, " + author
release = version = tmdbkit.__version__

extensions = [
    "myst_nb",  # pages in Markdown, and the notebooks as they were saved
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
root_doc = "index"
exclude_patterns = ["notebooks/.ipynb_checkpoints"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # links such as stage.md#duckdb, as GitHub makes them
nb_execution_mode = "off"  # the tests run the notebooks; the site shows what they saved

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
default_role = "code"  # docstrings put code between single backticks, as Markdown does

# References are checked where they are written by hand. What stands in signatures is of Python, of
# polars, or imported for types alone: those are of no page here, and would need a network.
INSIDE = (
    r"tmdbkit\.(convex\.(contract|changes|install|target)|fetch\.pool|http\.answers|images|matching"
    r"|progress|quality\.rule|ratings\.(imdb_titles|model)|review\.assessment"
    r"|settings\.(secret|sources)|stage\.pushes)\..*"
)
nitpick_ignore_regex = [("py:.*", r"(?!tmdbkit\.).*"), ("py:class", INSIDE)]

html_theme = "furo"
html_title = f"tmdbkit {release}"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1d63b8", "color-brand-content": "#1d63b8"},
    "dark_css_variables": {"color-brand-primary": "#7db6ff", "color-brand-content": "#7db6ff"},
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
highlight_language = "bash"  # a block that names none is commands
copybutton_exclude = ".linenos, .gp, .go"
