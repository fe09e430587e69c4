"""Ratings, checks and review in a terminal: what is asked, said and left, and in which status."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.cli.terminal import counts_in
from tests.convex.bench import SnapshotBench, movie, payload, staged
from tests.leaks import leaks, told_by_files, told_by_logs
from tests.servers.datasets import DatasetServer, tsv
from tests.servers.ratings import RatingsServer, mdblist_error
from tests.stage.conftest import let_rows_be_old
from tmdbkit.cli.main import main, parser
from tmdbkit.exceptions import QuotaUsedUp
from tmdbkit.quality import RULES
from tmdbkit.quality.remedies import REMEDIES
from tmdbkit.stage.decisions import verdicts
from tmdbkit.stage.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, str, str]]
    Asked = Callable[..., tuple[int, dict[str, Any]]]

pytestmark = pytest.mark.once

IMDB = [{"source": "imdb", "value": 8.7, "score": 87, "votes": 2_100_000}]
ODD_KEY = "s3cr3t+/=&#ke y%41"


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[RatingsServer]:
    """MDBList and OMDb with keys, and IMDb's data set."""
    with (
        RatingsServer(ratings={603: IMDB}, key=ODD_KEY) as rates,
        DatasetServer(tsv([("tt0133093", 8.7, 2_100_000)])) as dataset,
    ):
        for name in ("MDBLIST", "OMDB"):
            monkeypatch.setenv(f"{name}_BASE_URL", rates.url)
            monkeypatch.setenv(f"{name}_API_KEY", ODD_KEY)
        monkeypatch.setenv("IMDB_DATASETS_URL", dataset.url)
        yield rates


@pytest.fixture
def stage() -> Stage:
    """The default stage, with two movies."""
    return staged(Path("data/stage"), payload(603), payload(604, title="Reloaded", imdb_id="tt1"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: its status, and what it said on both outputs."""

    def run_one(*words: str) -> tuple[int, str, str]:
        try:
            status = main(words)
        except SystemExit as left:  # argparse says it, with the usage
            status = int(left.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run_one


@pytest.fixture
def asked(run: Run) -> Asked:
    """Run a command with --json: its status, and the object."""

    def run_one(*words: str) -> tuple[int, dict[str, Any]]:
        status, out, _ = run(*words, "--json")
        return status, counts_in(out, status)

    return run_one


def table(*rated: tuple[int, float | None]) -> str:
    """A file of ratings, which `--table` takes."""
    pl.DataFrame(rated, ["tmdb_id", "mine"], orient="row").write_csv("mine.csv")
    return "mine.csv"


MINE = ("--points", "imdb=mine")

# ratings


def test_ratings_says_what_became_of_every_movie(
    servers: RatingsServer, stage: Stage, asked: Asked
) -> None:
    assert asked("ratings", "--provider", "mdblist") == (
        0,
        {
            "movies": 2,
            "rated": 1,
            "missing": 1,
            "failed": 0,
            "http_requests": 1,
            "by_system": {"imdb": 1},
        },
    )
    assert asked("ratings", "--provider", "mdblist")[1]["http_requests"] == 0
    assert asked("status")[1]["rated"] == 1


def test_a_movie_that_failed_is_status_1_and_told(
    servers: RatingsServer, stage: Stage, run: Run
) -> None:
    status, out, err = run("ratings", "--provider", "imdb")
    assert (status, err) == (1, "")
    assert "failed: 1: imdb: tt1 is no IMDb id, which is one such as tt0133093" in out


def test_all_providers_with_a_key_are_asked_where_none_is_named(
    servers: RatingsServer, stage: Stage, asked: Asked
) -> None:
    assert asked("ratings", "603")[1]["http_requests"] == 3


def test_a_refused_key_is_status_3_with_one_line_and_the_object_all_the_same(
    servers: RatingsServer, stage: Stage, run: Run
) -> None:
    servers.key = "the right one"
    status, out, err = run("ratings", "--provider", "mdblist", "--json")
    assert (status, json.loads(out)["failed"]) == (3, 2)
    assert err.startswith("tmdbkit: stopped: mdblist: ")
    assert "check MDBLIST_API_KEY" in err
    assert err.count("\n") == 1


def test_a_used_up_quota_is_status_3_and_says_when_to_go_on(
    servers: RatingsServer, stage: Stage, run: Run
) -> None:
    servers.script["603"] = [mdblist_error("API Limit Reached!", 429)]
    status, _, err = run("ratings", "--provider", "mdblist")
    assert status == 3
    assert "run the same command again tomorrow, it goes on from here" in err


def test_dry_run_says_requests_days_and_terms_and_asks_nobody(
    servers: RatingsServer, stage: Stage, run: Run, asked: Asked
) -> None:
    status, out, _ = run("ratings", "--dry-run")
    assert status == 0
    assert "mdblist: 2 movies, 1 request\n" in out
    assert "developer.imdb.com/non-commercial-datasets" in out
    found = asked("ratings", "--dry-run", "--provider", "omdb", *map(str, range(1, 1501)))[1]
    (omdb,) = found["providers"]
    assert set(omdb) == {"provider", "movies", "requests", "days", "terms"}
    assert servers.requests == []


@pytest.mark.parametrize(
    ("unset", "brings"),
    [
        (["MDBLIST_API_KEY"], {"MDBList": ["letterboxd"]}),
        (["OMDB_API_KEY"], {}),
        (
            ["MDBLIST_API_KEY", "OMDB_API_KEY"],
            {
                "MDBList": ["letterboxd", "metacritic", "rotten_tomatoes"],
                "OMDb": ["metacritic", "rotten_tomatoes"],
            },
        ),
    ],
)
def test_dry_run_says_what_each_provider_without_a_key_would_bring_and_where_one_is_had(
    servers: RatingsServer,
    stage: Stage,
    run: Run,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
    unset: list[str],
    brings: dict[str, list[str]],
) -> None:
    for name in unset:
        monkeypatch.delenv(name)
    missing = asked("ratings", "--dry-run")[1]["missing"]
    assert {one["provider"]: one["systems"] for one in missing} == brings
    said = run("ratings", "--dry-run")[1]
    assert ("\nMDBList, free key: Letterboxd" in said) == ("MDBList" in brings)
    assert ("set OMDB_API_KEY; it is had at www.omdbapi.com" in said) == ("OMDb" in brings)


def test_rules_says_each_with_what_to_do(run: Run, asked: Asked) -> None:
    status, told = asked("rules")
    assert status == 0
    assert {rule["name"] for rule in told["rules"]} == {rule.name for rule in RULES} == {*REMEDIES}
    assert all(
        rule.keys() == {"name", "of", "severity", "sentence", "do"} for rule in told["rules"]
    )
    said = run("rules")[1].splitlines()
    assert said[0] == "outside_scale (rating, error): The points are not on the system's scale"
    assert said[1].startswith("  c SYSTEM POINTS in tmdbkit review")


def test_a_table_of_one_s_own_is_read_by_its_columns(stage: Stage, asked: Asked) -> None:
    status, counts = asked("ratings", "--table", table((603, 7.5), (604, None)), *MINE)
    assert (status, counts["rated"], counts["missing"]) == (0, 1, 1)
    assert asked("ratings", "--provider", "table", "--table", "mine.csv", *MINE)[1]["rated"] == 1
    Path("theirs.csv").write_text("imdb_id,p,v\ntt0133093,8.1,12\n")
    status, counts = asked(
        *("ratings", "603", "--table", "theirs.csv", "--id", "imdb_id"),
        *("--points", "letterboxd=p", "--votes", "letterboxd=v"),
    )
    assert (status, counts["by_system"]) == (0, {"imdb": 1, "letterboxd": 1})


def test_what_a_target_holds_is_rated_and_pushed_without_a_stage(
    tmp_path: Path, servers: RatingsServer, asked: Asked
) -> None:
    bench = SnapshotBench(tmp_path)
    bench.plant(movie(603))
    words = ("--provider", "mdblist", "--snapshot", str(bench.path))
    assert asked("ratings", "--from-target", *words)[1]["rated"] == 1
    snapshot = ("--snapshot", str(bench.path))
    assert asked("plan", "--only", "ratings", *snapshot)[1]["update"] == 1
    assert asked("push", "--only", "ratings", *snapshot)[1]["updated"] == 1
    assert asked("push", "--only", "ratings", *snapshot)[1]["unchanged"] == 1
    assert SnapshotBench(tmp_path).movie()["vote_pts_system"]["imdb"] == 8.7
    assert asked("undo", "--yes", *snapshot)[1]["updated"] == 1
    assert SnapshotBench(tmp_path).movie()["vote_pts_system"]["imdb"] is None


def test_ids_that_are_named_need_not_be_staged(servers: RatingsServer, asked: Asked) -> None:
    assert asked("ratings", "603", "--provider", "mdblist")[1]["rated"] == 1


# check


def test_check_counts_by_severity_and_by_rule(stage: Stage, asked: Asked) -> None:
    asked("ratings", "--table", table((603, 74.0)), *MINE)
    status, found = asked("check")
    assert status == 1
    assert (found["movies"], found["errors"]) == (2, 1)
    assert found["warnings"] == sum(
        rule["count"] for rule in found["rules"] if rule["severity"] == "warning"
    )
    assert {"rule": "outside_scale", "severity": "error", "count": 1} in found["rules"]
    assert asked("check", "--skip", "outside_scale")[0] == 0


def test_an_option_that_takes_names_adds_up_where_it_is_repeated(
    stage: Stage, asked: Asked
) -> None:
    counted = {rule["rule"] for rule in asked("check")[1]["rules"]}
    skipped = ("--skip", "stale", "--skip", "far_off,too_fine")
    left = {rule["rule"] for rule in asked("check", *skipped)[1]["rules"]}
    assert counted - left == {"stale", "far_off", "too_fine"}
    named = ["--only=title", "--only=ratings", "--create-only=tagline", "--create-only=synopsis"]
    args = parser().parse_args(["plan", *named, "--clear=budget", "--clear=revenue,tagline"])
    assert (args.only, args.create_only) == (["title", "ratings"], ["tagline", "synopsis"])
    assert args.clear == ["budget", "revenue", "tagline"]
    assert (
        parser().parse_args(["plan"]).create_only == []
    )  # the lists of one line are not the next's


def test_warnings_alone_are_status_0(stage: Stage, asked: Asked) -> None:
    status, found = asked("check")
    assert (status, found["errors"]) == (0, 0)
    assert found["warnings"] > 0


def test_a_rule_that_was_passed_over_has_not_passed(stage: Stage, asked: Asked) -> None:
    names = {rule["rule"] for rule in asked("check")[1]["rules"]}
    assert "slug_repeated" in names
    assert "title_not_asked_for" not in names  # nobody said what was asked for


@pytest.mark.parametrize("words", [("--from-target",), ()], ids=["said", "meant"])
def test_a_target_is_checked_instead_of_a_stage(
    tmp_path: Path, asked: Asked, words: tuple[str, ...]
) -> None:
    bench = SnapshotBench(tmp_path)
    there = movie(603)
    there["vote_pts_system"]["letterboxd"] = 8.2
    bench.plant(there)
    status, found = asked("check", *words, "--snapshot", str(bench.path))
    assert (status, found["movies"], found["errors"]) == (1, 1, 1)


def test_check_writes_a_page_beside_its_text(stage: Stage, run: Run) -> None:
    _, out, err = run("check", "--html", "report.html")
    page = Path("report.html").read_text(encoding="utf-8")
    assert out.splitlines()[0] in page
    assert page.startswith("<!doctype html>")
    assert err == "written to report.html\n"


@pytest.mark.parametrize(
    ("words", "where"),
    [((), "tmdbkit check --html report.html"), (("--html", "page.html"), "page.html")],
    ids=["without a page", "with one"],
)
def test_check_says_in_a_terminal_s_words_where_there_is_more(
    run: Run, words: tuple[str, ...], where: str
) -> None:
    staged(Path("data/stage"), *(payload(number, poster_path=None) for number in range(1, 20)))
    assert run("check", *words)[1].splitlines()[-1].endswith(f" more: {where} shows more")


# review


def test_review_takes_decisions_from_standard_input(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDBKIT_REVIEWER", "ann")
    said = "c imdb 7.4\nc imdb 99\nc\nz\na fine\nh wrong year\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    status, out, _ = run("review")
    assert status == 0
    assert "set by hand: vote_pts_system.imdb = 7.4" in out
    assert "goes from 0 to 10; 99 does not fit" in out
    assert "'' is no field to correct" in out
    assert "there is no key 'z'; ? says which there are" in out
    assert out.endswith("\n2 of 2 movies decided\n")
    log = Stage("data/stage").decisions()
    assert log.select("kind", "by", "note").rows() == [
        ("override", "ann", ""),
        ("approve", "ann", "fine"),
        ("hold", "ann", "wrong year"),
    ]


def test_a_review_takes_a_value_away_where_that_is_said_and_not_where_nothing_is(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("c tmdb\nc tmdb none\n"))
    _, out, _ = run("review")
    assert "no value; write one, or none to take it away" in out
    assert out.count("Letterboxd") == 2  # a mistake shows no movie again
    assert "c FIELD none takes the value away" in out
    assert stage.decisions().select("field", "value").rows() == [("vote_pts_system.tmdb", "null")]


@pytest.mark.parametrize(
    ("said", "kinds", "end"),
    [
        ("r\nu\nq\na\n", [], "0 of 2"),
        ("n\nb\na\na\n", ["approve", "approve"], "2 of 2"),
        ("a", ["approve"], "1 of 2"),
        ("", [], "0 of 2"),
    ],
    ids=["undone", "back and forth", "an end in the middle", "nothing"],
)
def test_a_review_ends_where_its_input_ends(
    stage: Stage,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    kinds: list[str],
    end: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    status, out, _ = run("review")
    assert status == 0
    assert out.splitlines()[-1].startswith(end)
    assert verdicts(stage.decisions())["kind"].to_list() == kinds


def test_only_movies_that_are_asked_for_are_reviewed(stage: Stage, run: Run, asked: Asked) -> None:
    asked("ratings", "--table", table((603, 74.0)), *MINE)
    for words, left in (
        (("--rule", "outside_scale"), 1),
        (("--system", "imdb"), 1),
        (("--system", "letterboxd"), 0),
        (("--decade", "1990"), 2),
        (("--decade", "1999"), 2),
        (("--decade", "2000"), 0),
        (("--state", "decided"), 0),
        (("--state", "all"), 2),
    ):
        assert asked("review", *words) == (0, {"decided": 0, "movies": 2, "left": left}), words
    assert "no movie is like that" in run("review", "--state", "decided")[1]


# The rest.


def test_transform_makes_the_rows_anew_that_an_older_one_made_and_no_setting_wants_any(
    stage: Stage, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked("transform") == (0, {"movies": 2, "parts": 0})
    monkeypatch.setenv("TMDBKIT_CAST", "3")
    assert asked("transform") == (0, {"movies": 2, "parts": 0})
    let_rows_be_old(stage)
    assert asked("transform") == (0, {"movies": 2, "parts": 1})
    assert asked("transform") == (0, {"movies": 2, "parts": 0})


def test_the_cache_counts_what_providers_answered_and_clears_it(
    servers: RatingsServer, stage: Stage, asked: Asked
) -> None:
    asked("ratings", "603")
    assert asked("cache")[1]["answers"] == 1  # OMDb's; MDBList is asked by POST
    assert list(Path("../cache/imdb").glob("*"))
    assert asked("cache", "clear")[1]["removed"] == 1
    assert asked("cache")[1]["answers"] == 0
    assert not list(Path("../cache/imdb").glob("*"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("ratings --provider trakt", "no provider 'trakt'; there are imdb, mdblist, omdb"),
        ("ratings --provider table", "--provider table needs --table FILE"),
        ("ratings --points imdb=mine", "add --table FILE"),
        ("ratings --table nowhere.csv --points imdb=p", "there is no file nowhere.csv"),
        (
            "ratings --table ids.txt --points imdb=p",
            "its name must end in .csv, .tsv, .json",
        ),
        ("ratings --table mine.csv", "no column is named; name one, such as --points imdb=rating"),
        ("ratings --table nowhere.csv", "there is no file nowhere.csv"),
        ("ratings --table mine.csv --points imdb", "--points takes SYSTEM=COLUMN"),
        ("ratings --table mine.csv --points trakt=mine", "there is no system 'trakt'"),
        ("ratings --table mine.csv --points imdb=p", "has no column 'p'; it has tmdb_id, mine"),
        ("ratings --table mine.csv --points imdb=mine --id key", "has no column 'key'"),
        ("ratings --table mine.csv --points imdb=mine --votes tmdb=mine", "no column for tmdb"),
        ("ratings --older-than soon", "'soon' is no age; write 30d or 12h"),
        ("ratings matrix", "is not a TMDB id"),
        ("ratings --from-target", "no deployment: set CONVEX_URL"),
        ("ratings --snapshot nowhere", "there is no snapshot at nowhere/snapshot.zip"),
        ("ratings --stage empty", "the stage is empty; looked in"),
        ("check --stage empty", "the stage is empty; looked in"),
        ("check --skip no_such_rule", "no rule 'no_such_rule'; there are"),
        ("check --snapshot nowhere", "there is no snapshot at nowhere/snapshot.zip"),
        ("check --html no/such/folder.html", "cannot be written"),
        ("check --html .", ". is a folder; --html takes a file"),
        ("review --stage empty", "the stage is empty"),
        (
            "review --rule no_such_rule",
            "no rule 'no_such_rule'; there are adult, audience_for_critics",
        ),
        ("review --system trakt", "no system 'trakt'; there are imdb, letterboxd"),
        ("review --decade nineties", "'nineties' is no year, such as 1990"),
        ("review --state open", "no state 'open'; there are undecided"),
        ("plan --snapshot snap --save no/such/plan.json", "no/such is no folder to write to"),
        ("plan --snapshot snap --save .", ". is a folder; --save takes a file"),
        ("transform --stage empty", "the stage is empty"),
        ("cache burn", "'burn' is none of show, clear"),
        ("push --plan p.json --approved", "--plan sends exactly that plan"),
        ("push --only ratings --stage empty --snapshot snap", "the stage is empty"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_status_2_and_nobody_is_asked(
    servers: RatingsServer, stage: Stage, run: Run, words: str, says: str
) -> None:
    table((603, 7.5))
    Path("ids.txt").write_text("603\n")
    status, out, err = run(*words.split())
    assert (status, out) == (2, "")
    *before, line = err.splitlines()
    assert says in line
    assert not any("Traceback" in text for text in before)
    assert servers.requests == []


@pytest.mark.parametrize("provider", ["mdblist", "omdb"])
def test_without_a_key_one_line_says_where_to_get_one(
    stage: Stage, run: Run, provider: str
) -> None:
    status, out, err = run("ratings", "--provider", provider, "--dry-run")
    assert (status, out) == (2, "")
    assert f"set {provider.upper()}_API_KEY" in err


def test_keys_are_shown_nowhere(
    servers: RatingsServer, stage: Stage, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = [*run("ratings", "603")[1:]]
    servers.script["604"] = [mdblist_error(f"{ODD_KEY} is an invalid api key", 403)]
    told += run("ratings", "604")[1:]
    assert servers.requests[0].params["apikey"] == ODD_KEY
    told += [*told_by_logs(caplog), *told_by_files(Path("..")), repr(QuotaUsedUp("nothing left"))]
    assert leaks(ODD_KEY, iter(told)) == []
