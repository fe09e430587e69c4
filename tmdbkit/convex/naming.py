"""Which deployment an address and a key mean, and whether it counts as production."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tmdbkit.convex.target import TargetName
from tmdbkit.exceptions import SettingsError

if TYPE_CHECKING:
    from tmdbkit.settings import Secret
    from tmdbkit.settings.sources import Pair

NAMING = ("prod", "dev", "custom", "preview")  # kinds of keys of one deployment, `kind:name|…`
_CLOUD = re.compile(r"([a-z0-9-]+)(?:\.[a-z0-9-]+)*\.convex\.cloud$")


def title_of(url: str, key: Secret, pair: Pair) -> TargetName:
    """Return the deployment's name and kind.

    A key of one deployment, `prod:n`, `dev:n`, `custom:n`, `preview:n` or `n`, is compared with an
    address in `convex.cloud`; own domains and local addresses name none, and pass. A key of a
    project, `preview:team:project` or `project:team:project`, may be for any of its deployments.
    Keys of a project, of a kind that is not known, and in the cloud of none, count as production.

    Raises:
        SettingsError: There is no address or key, it is none, or the key is of another deployment.
    """
    _check(url, key, pair)
    prefix, bar = key.reveal().partition("|")[:2]
    kind, _, name = prefix.rpartition(":") if bar and prefix.count(":") < 2 else ("", "", "")
    host = urlsplit(url).hostname or ""
    cloud = _CLOUD.match(host)
    if cloud and name and kind in ("", *NAMING) and cloud.group(1) != name:
        raise SettingsError(
            f"{pair.key} is for {name}, {pair.url} is {cloud.group(1)}; use a matching pair"
        )
    if kind in NAMING:
        return TargetName(name, kind, url)
    return TargetName(cloud.group(1) if cloud else host, _kind(prefix, bool(cloud)), url)


def _kind(prefix: str, in_the_cloud: bool) -> str:
    """Return the kind of deployment that a key without a name of its own is for."""
    if prefix.startswith("preview:"):
        return "preview"
    return "prod" if in_the_cloud or ":" in prefix else "self-hosted"


def _check(url: str, key: Secret, pair: Pair) -> None:
    if not url:
        raise SettingsError(
            f"no deployment: set {pair.url} and {pair.key} in the environment or in .env, "
            "or use a local snapshot: --snapshot DIR, ConvexSnapshot(DIR)"
        )
    if not key:
        raise SettingsError(
            f"no deploy key: set {pair.key}, which goes with {pair.url}, in the environment or in "
            ".env; the Convex dashboard makes one under Settings, Deploy keys"
        )
    if not (key.reveal().isascii() and key.reveal().isprintable()):
        raise SettingsError(
            f"{pair.key} has a character that no key has; copy it again from the dashboard"
        )
    if (urlsplit(url).hostname or "").endswith(".convex.site"):
        raise SettingsError(f"{pair.url} ends in .convex.site; it must be the one in .convex.cloud")
