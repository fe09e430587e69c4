from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tmdbkit.demo import shipped

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Open, Served

pytestmark = pytest.mark.browser
GALLERY = sorted(shipped("notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_a_fresh_notebook_of_the_gallery_opens_without_an_error_or_a_request_elsewhere(
    path: Path, lab: Open, served: Served
) -> None:
    shutil.copyfile(path, served.notebooks / path.name)
    tab = lab(path.name)
    outputs = tab.page.locator(".jp-OutputArea-output")
    outputs.filter(visible=True).first.wait_for()  # a bar that is closed is an empty one
    tab.picture(f"gallery_{path.stem}")
    assert outputs.count() > 3
    assert (tab.errors, tab.left) == ([], [])


def test_the_gallery_s_review_runs_from_top_to_bottom(lab: Open, served: Served) -> None:
    shutil.copyfile(shipped("notebooks") / "03_review.ipynb", served.notebooks / "run.ipynb")
    tab = lab("run.ipynb")
    tab.run_all()
    tab.picture("gallery_03_review_run")
    # The panel stands at the worst that is left, and what was decided is not to go.
    tab.says("3 of 96 reviewed")
    tab.says("93 to go")
    assert tab.page.locator(".widget-html").get_by_text("The Film Without Anything").count() == 1
    tab.button("Send 93 changes").wait_for()
    assert tab.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
    assert (tab.errors, tab.left) == ([], [])
