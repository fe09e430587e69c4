"""Where settings are written down, the environment and `.env`: what counts, and what is a slip."""

from __future__ import annotations

import io
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tmdbkit.exceptions import SettingsError, did_you_mean

if TYPE_CHECKING:
    from dotenv.parser import Binding

Sources = dict[str, Mapping[str, str]]

ENVIRONMENT = "the environment"
OURS = "TMDBKIT_"  # begins the names that nobody else's settings have
NEAR = 0.84  # how much a slip has in common with the name that was meant, at least
OTHERS = ("TVDB_", "IMDB_")  # one letter from a service of ours, and meant
QUOTES = "\"'“”‘’"  # noqa: RUF001 - those of a text processor


@dataclass(frozen=True)
class Pair:
    """The two variables that name a deployment: its address, and a key of that very deployment.

    Attributes:
        url: The name of the first.
        key: The name of the second.
        note: Where each comes from, where that is not the same place.
        conflict: Why neither this pair nor another can be meant; "" where one is.
    """

    url: str = "CONVEX_URL"
    key: str = "CONVEX_DEPLOY_KEY"
    note: str = ""
    conflict: str = ""

    @property
    def others(self) -> frozenset[str]:
        """The variables of the other pairs, which are not read where this one is meant."""
        halves = {name for pair in PAIRS for name in (pair.url, pair.key)}
        return frozenset(halves - {self.url, self.key})

    def __str__(self) -> str:
        return f"{self.url} with {self.key}"


PAIRS = (Pair(), Pair("CONVEX_SELF_HOSTED_URL", "CONVEX_SELF_HOSTED_ADMIN_KEY"))


def unquoted(text: str) -> str:
    """Return a value without the quotes around it, which only shells and `.env` take away."""
    bare = text.strip()
    quoted = len(bare) > 1 and bare[0] in QUOTES and bare[-1] in QUOTES
    return bare[1:-1].strip() if quoted else bare


def read_sources(
    environ: Mapping[str, str], folder: Path, ours: Collection[str]
) -> dict[str, Mapping[str, str]]:
    """Return what each source says, the earliest first; nothing is put into the environment.

    Args:
        environ: What the environment says.
        folder: Where `.env.local` and `.env` are, if they are.
        ours: The names whose values must make sense.
    """
    sources: Sources = {ENVIRONMENT: environ}
    for path in (folder / ".env.local", folder / ".env"):
        if path.is_file():
            sources[str(path)] = _read_file(path, ChainMap(*map(dict, sources.values())), ours)
    return sources


def slips(sources: Mapping[str, Mapping[str, str]], ours: Collection[str]) -> Iterator[str]:
    """Yield a line for each name that nobody reads, and that may be meant as one of ours.

    A service of which any key is set has what it needs.
    """
    found = {name for values in sources.values() for name in values.keys() & set(ours)}
    served = {name.partition("_")[0] for name in found if name.endswith(("_KEY", "_TOKEN"))}
    unset = [n for n in ours if n not in found and n.partition("_")[0] not in served]
    for source, values in sources.items():
        for name in values.keys() - set(ours):
            own = name.startswith(OURS)
            meant = did_you_mean(name.upper(), ours if own else unset, NEAR)
            if own or (meant and not name.startswith(OTHERS)):
                yield f"{name} in {source} is none of tmdbkit's settings{meant}"


def first_of_each(
    sources: Mapping[str, Mapping[str, str]], ours: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Return where each of our variables is set first, and to what; one that is empty is not set.

    An empty one hides those of the later sources all the same.
    """
    found: dict[str, tuple[str, str]] = {}
    for source, values in sources.items():
        for name in values.keys() & set(ours):
            found.setdefault(name, (source, unquoted(values[name])))
    return {name: (source, text) for name, (source, text) in found.items() if text}


def chosen_pair(found: Mapping[str, tuple[str, str]]) -> Pair:
    """Return the pair with a half in the earliest source; halves of different pairs never meet.

    Where both have one there, the one that is whole there is meant, else the one that is whole.

    Args:
        found: What `first_of_each` returns, the earliest source first.
    """
    halves = [name for name in found if any(name in (pair.url, pair.key) for pair in PAIRS)]
    if not halves:
        return PAIRS[0]
    earliest = found[halves[0]][0]
    of_pair = {
        pair: [found[name][0] for name in (pair.url, pair.key) if name in found] for pair in PAIRS
    }
    begun = [pair for pair, sources in of_pair.items() if earliest in sources]
    whole_there = [pair for pair in begun if of_pair[pair] == [earliest, earliest]]
    meant = whole_there or [pair for pair in begun if len(of_pair[pair]) == 2] or begun
    if len(meant) > 1:
        return replace(meant[0], conflict=_pairs_conflict(meant, found, earliest))
    [pair] = meant
    url, key = (found.get(name, ("nowhere", ""))[0] for name in (pair.url, pair.key))
    return replace(pair, note=f"{pair.url} is from {url}, {pair.key} from {key}" * (url != key))


def _pairs_conflict(
    pairs: Sequence[Pair], found: Mapping[str, tuple[str, str]], source: str
) -> str:
    if all(pair.url in found and pair.key in found for pair in pairs):
        return f"{source} names two deployments: {pairs[0]}, and {pairs[1]}; keep one of the pairs"
    halves = [name for pair in pairs for name in (pair.url, pair.key) if name in found]
    return (
        f"{source} has {' and '.join(halves)}, which are halves of different pairs; "
        f"set {pairs[0]}, or {pairs[1]}"
    )


def strange_places(found: Mapping[str, tuple[str, str]], pair: Pair, folder: Path) -> Iterator[str]:
    """Yield a line for each address from a file elsewhere that a key of the environment would meet.

    Whoever can write a file in a folder above could have the key sent to a place of theirs.

    Args:
        found: What `first_of_each` returns.
        pair: The one that was chosen.
        folder: Whose files are no matter: a person works in it.
    """
    met = {
        "TMDB_BASE_URL": ("TMDB_READ_ACCESS_TOKEN", "TMDB_API_KEY"),
        "OMDB_BASE_URL": ("OMDB_API_KEY",),
        "MDBLIST_BASE_URL": ("MDBLIST_API_KEY",),
        pair.url: (pair.key,),
    }
    here = (ENVIRONMENT, str(folder / ".env.local"), str(folder / ".env"))
    for address, keys in met.items():
        source = found.get(address, here)[0]
        for key in keys:
            if source not in here and found.get(key, ("",))[0] == ENVIRONMENT:
                yield f"{address} is from {source}, {key} from {ENVIRONMENT}"


def _read_file(path: Path, known: ChainMap[str, str], ours: Collection[str]) -> dict[str, str]:
    """Read one file, all of it: a line passed over may be the one that says which deployment."""
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not text in UTF-8; save it as such") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    values: dict[str, str] = {}
    for line in parse_stream(io.StringIO(text)):
        if line.error:
            raise SettingsError(f"{path}, line {_number(line)}: not NAME=value")
        if line.key and line.value is not None:
            expanded, missing = _expanded(line, known.new_child(values))
            if missing and line.key in ours:
                raise SettingsError(f"{path}, line {_number(line)}: ${{{missing}}} is not set")
            values[line.key] = line.value if missing else expanded
    return values


def _number(line: Binding) -> int:
    before, _, _ = line.original.string.partition(line.original.string.lstrip())
    return line.original.line + before.count("\n")


def _expanded(line: Binding, known: Mapping[str, str]) -> tuple[str, str]:
    """Return a value with each `${NAME}` replaced, and the last name that is not set.

    In single quotes all letters mean themselves, as in a shell.
    """
    from dotenv.variables import Variable, parse_variables

    value = line.value or ""
    if line.original.string.partition("=")[2].lstrip().startswith("'"):
        return value, ""
    atoms = list(parse_variables(value))
    missing = [
        atom.name
        for atom in atoms
        if isinstance(atom, Variable) and atom.default is None and atom.name not in known
    ]
    return "".join(atom.resolve(known) for atom in atoms), "".join(missing[-1:])
