"""JupyterLab on this machine, and a Chromium that lets nothing off it and notes every error."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from .lab import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    Open = Callable[..., Lab]

NAMES = ("chromium", "chromium-browser", "google-chrome")
SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are in the page
}


def missing() -> str:
    """What there is not, or nothing."""
    if find_spec("playwright") is None or find_spec("jupyterlab") is None:
        return "playwright or jupyterlab is missing: pip install -e '.[browser]'"
    return "" if chromium() else "no Chromium: install one, or run playwright install chromium"


def chromium() -> str | None:
    """The system's Chromium, or playwright's own."""
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; skipped where there is none, unless TMDBKIT_BROWSER=required."""
    if reason := missing():
        if os.environ.get("TMDBKIT_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: TMDBKIT_SCREENSHOTS, or a temporary folder."""
    named = os.environ.get("TMDBKIT_SCREENSHOTS")
    folder = Path(named).resolve() if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A JupyterLab of its own, with a token, and a folder of notebooks."""
    home = tmp_path_factory.mktemp("lab")
    server = Served(home)
    yield server
    server.close()


class Served:
    """A JupyterLab process; its settings, its kernels' surroundings and its files are in `home`."""

    def __init__(self, home: Path) -> None:
        self.notebooks = home / "notebooks"
        self.notebooks.mkdir()
        self.settings = home / "settings"
        self.theme("JupyterLab Light")
        own = ("TMDB", "CONVEX", "OMDB", "MDBLIST", "JUPYTER")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        folders = ("CONFIG", "DATA", "RUNTIME")
        environment = {
            **kept,
            **{f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in folders},
            "JUPYTERLAB_SETTINGS_DIR": str(self.settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "JUPYTER_TOKEN": secrets.token_hex(16),
            "IPYTHONDIR": str(home / "ipython"),
            "TMDBKIT_OFFLINE": "1",
            "TMDBKIT_CACHE": str(home / "cache"),
            "TMDBKIT_REVIEWER": "Ann",
        }
        self.token = environment["JUPYTER_TOKEN"]
        self._log = (home / "log").open("w")
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
        command += ["--ServerApp.port=0", f"--ServerApp.root_dir={self.notebooks}", "--allow-root"]
        self._process = subprocess.Popen(
            command, env=environment, stdout=self._log, stderr=self._log, cwd=self.notebooks
        )
        self.url = self._address(home / "runtime")

    def theme(self, name: str) -> None:
        """Choose the theme of the pages that are opened from now on."""
        chosen = {**SETTINGS, "apputils-extension/themes": {"theme": name}}
        for plugin, values in chosen.items():
            path = self.settings / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")

    def close(self) -> None:
        """End it, and its kernels with it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()

    def _address(self, runtime: Path) -> str:
        file = runtime / f"jpserver-{self._process.pid}.json"
        deadline = time.monotonic() + 60
        while not file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(Path(self._log.name).read_text(encoding="utf-8")[-2000:])
            time.sleep(0.1)  # the server writes the file once it listens
        told = json.loads(file.read_text(encoding="utf-8"))
        return f"http://127.0.0.1:{told['port']}"


@pytest.fixture
def lab(browser: Browser, served: Served, pictures: Path) -> Iterator[Open]:
    """Open notebooks, each in a tab of its own: `lab("a.ipynb", theme=..., width=...)`."""
    opened: list[Lab] = []

    def open_notebook(name: str, *, theme: str = "JupyterLab Light", width: int = 1280) -> Lab:
        served.theme(theme)
        context = browser.new_context(viewport={"width": width, "height": 900})
        page = Lab(context, served.url, served.token, pictures, _stays)
        opened.append(page)
        page.open(name)
        return page

    yield open_notebook
    for page in opened:
        page.close()


def _stays(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob", "about") or parts.hostname == "127.0.0.1"
