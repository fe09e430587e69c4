"""What JupyterLab's MathJax makes of a stranger's text, beside a formula that it does set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .lab import write

if TYPE_CHECKING:
    from .conftest import Open, Served

pytestmark = pytest.mark.browser

TITLE = r"$x^2$ $$y^2$$ \(z^2\) \[w^2\] \begin{equation}v^2\end{equation} <b>end</b>"


def test_a_title_is_no_mathematics_beside_a_formula_that_is(lab: Open, served: Served) -> None:
    write(
        served.notebooks / "strangers.ipynb",
        "from IPython.display import HTML, display\n"
        "from tmdbkit.display import draw_facts\n"
        f"display(HTML(draw_facts({TITLE!r}, [({TITLE!r}, {TITLE!r})])), "
        r"HTML('<div>\\(u^2\\)</div>'))",
    )
    tab = lab("strangers.ipynb")
    tab.run_all()
    tab.page.locator("mjx-container").first.wait_for()
    tab.picture("strangers")
    assert tab.page.locator("mjx-container").count() == 1
    shown = tab.page.locator(".jp-OutputArea-output").first.inner_text()
    assert shown.split("\n").count(TITLE) == 3
    assert (tab.errors, tab.left) == ([], [])
