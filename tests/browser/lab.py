"""A notebook, and one tab of JupyterLab to open, run, look and click in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Locator, Route

SECONDS = 60_000  # milliseconds that anything may take on a busy machine
# What JupyterLab itself logs as an error, whatever the notebook.
ITS_OWN = ("favicon", "Failed to load resource: the server responded with a status of 404")


def write(path: Path, *cells: str) -> None:
    """Write a notebook that has not been run."""
    import nbformat

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel}), path)


class Lab:
    """A tab; what wants to leave the machine is stopped and noted, and so is every error."""

    def __init__(
        self,
        context: BrowserContext,
        url: str,
        token: str,
        pictures: Path,
        stays: Callable[[str], bool],
    ) -> None:
        self.left: list[str] = []
        self.errors: list[str] = []
        self._context, self._url, self._token, self._pictures = context, url, token, pictures
        self._stays = stays
        self.page = context.new_page()
        self.page.set_default_timeout(SECONDS)
        context.route("**/*", self._guard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda told: self._note(told.type, told.text))
        self.page.on("dialog", lambda dialog: self._note("error", f"dialog {dialog.message}"))

    def open(self, name: str) -> None:
        """Open a notebook and wait until it is drawn and its kernel rests."""
        place = f"{self._url}/lab/workspaces/{self._token[:8]}/tree/{name}"
        self.page.goto(f"{place}?reset&token={self._token}")
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        self.idle()
        if self.page.locator(".jp-FileBrowser").is_visible():
            self.page.keyboard.press("Control+b")  # the width is the notebook's

    def idle(self) -> None:
        """Wait until the kernel rests."""
        self.page.locator(".jp-StatusBar-Widget").get_by_text("| Idle").first.wait_for()

    def run_all(self) -> None:
        """Run all cells, as the menu does, and wait for the last."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator('[data-command="runmenu:run-all"]').click()
        last = self.page.locator(".jp-CodeCell .jp-InputPrompt").last
        last.get_by_text("[", exact=False).first.wait_for()
        self.page.wait_for_function(
            """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
                .every(prompt => /\\[\\d+\\]/.test(prompt.textContent))"""
        )
        self.idle()

    def button(self, name: str) -> Locator:
        """A widget's button."""
        return self.page.locator(".jupyter-widgets button").get_by_text(name, exact=True)

    def says(self, text: str) -> None:
        """Wait until an output shows a text."""
        self.page.locator(".jp-OutputArea-output").get_by_text(text).first.wait_for()

    def choose(self, old: str, new: str) -> None:
        """Choose another option of the widget's box that shows `old`."""
        boxes = self.page.locator(".jupyter-widgets select")
        shows = "box => box.selectedOptions[0].textContent === "
        for box in boxes.all():
            if box.evaluate(f"{shows}{old!r}"):
                box.select_option(new)
                return
        raise AssertionError(f"no box shows {old!r}")

    def cut_off(self) -> list[str]:
        """What of the outputs is wider than the room that it has."""
        return list(
            self.page.evaluate(
                """() => [...document.querySelectorAll('.jp-OutputArea-output *')]
                .filter(part => part.clientWidth && part.scrollWidth > part.clientWidth + 1)
                .map(part => `${part.className} ${part.scrollWidth} > ${part.clientWidth}`)"""
            )
        )

    def picture(self, name: str, of: Locator | None = None) -> Path:
        """Keep a screenshot of the tab, or of something in it."""
        path = self._pictures / f"{name}.png"
        (of or self.page).screenshot(path=path)
        return path

    def save(self) -> None:
        """Save the notebook."""
        self.page.locator('.jp-NotebookPanel-toolbar [data-command="docmanager:save"]').click()
        self.page.locator(".lm-TabBar-tab.jp-mod-dirty").wait_for(state="detached")

    def close(self) -> None:
        """Close the tab."""
        self._context.close()

    def _guard(self, route: Route) -> None:
        if self._stays(route.request.url):
            route.continue_()
        else:
            self.left.append(route.request.url)
            route.abort()

    def _note(self, kind: str, text: str) -> None:
        if kind == "error" and not any(own in text for own in ITS_OWN):
            self.errors.append(text)
