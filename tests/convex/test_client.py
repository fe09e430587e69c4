"""The wire: what comes back from Convex, and what is done about it."""

from __future__ import annotations

import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.convex import (
    ANOTHER_SERVER,
    BROKEN,
    FAULTS,
    MISLEADING,
    MISSING,
    NO_ENTRY,
    OUT_OF_ORDER,
    PASSING,
    RATE_LIMITED,
    REFUSED,
    TOO_LARGE,
    TOO_OLD,
    ConvexProxy,
    FakeTime,
    dumps,
    function_error,
    system_error,
)
from tests.servers.trouble import LASTS, PASSES
from tests.servers.wire import Answer
from tmdbkit import ConvexDeployment
from tmdbkit.exceptions import (
    BatchTooLarge,
    CredentialsRefused,
    FunctionsMissing,
    HostUnreachable,
    Interrupted,
    PassingFault,
    RateLimited,
    RequestRefused,
    ServiceError,
    SettingsError,
    StopError,
    TargetRefused,
)
from tmdbkit.settings import Secret, Settings

from .backend import ConvexBackend
from .bench import deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.convex import Run

KEY = "dev:happy-animal-123|eyJ2MiI6InNlY3JldA"
VALUES: dict[str, Any] = {
    "contract": {"version": 1.0, "tables": {"movies": {"type": "any"}}},
    "slugOwners": [{"slug": "the-matrix", "tmdb_id": 603.0}],
    "moviesByTmdbIds": [],
    "applyMovies": [],
    "page": {"page": [], "cursor": "end", "done": True},
}


@pytest.fixture
def server() -> Iterator[ConvexProxy]:
    """A deployment whose functions all return something."""
    with ConvexProxy(values=VALUES) as server:
        yield server


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def target(server: ConvexProxy, time: FakeTime) -> ConvexDeployment:
    return deployment(server.url, KEY, time)


# A fault that passes


@pytest.mark.parametrize("fault", sorted({**PASSING, **BROKEN, **RATE_LIMITED}))
def test_a_fault_that_passes_is_retried(
    target: ConvexDeployment, server: ConvexProxy, fault: str
) -> None:
    server.script("applyMovies", fault, fault)
    assert target.apply_movies([]) == []
    assert len(server.calls) == target.requests == 3


@pytest.mark.parametrize("fault", sorted({**PASSING, **BROKEN}))
def test_a_fault_that_does_not_pass_is_one_after_nine_attempts(
    target: ConvexDeployment, server: ConvexProxy, fault: str
) -> None:
    server.always("applyMovies", fault)
    with pytest.raises(PassingFault, match=r"^tmdbkit:applyMovies: .* after 9 attempts$"):
        target.apply_movies([])
    assert len(server.calls) == 9


def test_each_wait_is_twice_as_long_as_the_one_before_up_to_twenty_seconds(
    target: ConvexDeployment, server: ConvexProxy, time: FakeTime
) -> None:
    server.always("applyMovies", "occ")
    with pytest.raises(PassingFault):
        target.apply_movies([])
    assert time.waits() == [0.5, 1, 2, 4, 8, 16, 20, 20]


def test_half_of_a_wait_is_chance(server: ConvexProxy, time: FakeTime) -> None:
    server.script("applyMovies", "occ")
    ConvexDeployment(
        *(server.url, KEY),
        settings=Settings(),
        sleep=time.sleep,
        clock=time.clock,
        jitter=lambda: 0.0,
    ).apply_movies([])
    assert time.waits() == [0.25]


def test_how_often_is_a_choice(server: ConvexProxy, time: FakeTime) -> None:
    server.always("applyMovies", "occ")
    target = ConvexDeployment(
        server.url, KEY, settings=Settings(), retries=1, sleep=time.sleep, clock=time.clock
    )
    with pytest.raises(PassingFault):
        target.apply_movies([])
    assert len(server.calls) == 2


@pytest.mark.parametrize("status", PASSES)
@pytest.mark.parametrize("name", ["applyMovies", "contract"])
def test_a_status_that_passes_passes_whatever_the_words_say(
    target: ConvexDeployment, server: ConvexProxy, name: str, status: int
) -> None:
    said = [system_error(status, "TextIndexTooLarge", words) for words in MISLEADING]
    server.script(name, *map(saying, said), saying(page_of(status)))
    assert target.apply_movies([]) == []
    assert target.contract().knows("movies")
    assert len(server.called(name)) == len(MISLEADING) + 2


@pytest.mark.parametrize("status", LASTS)
@pytest.mark.parametrize("words", MISLEADING)
def test_what_a_server_cannot_do_is_asked_once_whatever_the_words_say(
    target: ConvexDeployment, server: ConvexProxy, status: int, words: str
) -> None:
    server.script("applyMovies", saying(system_error(status, "NotSupported", words)))
    with pytest.raises(RequestRefused, match=f"answered {status}"):
        target.apply_movies([])
    assert len(server.calls) == 1


def saying(answer: Answer) -> Callable[[Run], Answer]:
    return lambda _run: answer


def page_of(status: int) -> Answer:
    """What a proxy before a deployment says, which is not in Convex's form."""
    return Answer(status, b"<html>a web server is down</html>", "text/html")


# Too fast


def test_waiting_for_a_429_uses_up_no_try(target: ConvexDeployment, server: ConvexProxy) -> None:
    server.script("applyMovies", *["429"] * 20, *["occ"] * 8)
    assert target.apply_movies([]) == []
    assert len(server.calls) == 29


def test_a_429_makes_every_later_request_wait_too(
    target: ConvexDeployment, server: ConvexProxy, time: FakeTime
) -> None:
    server.script("applyMovies", "429")
    before = time.now
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(target.apply_movies, [[]] * 4))
    assert time.now - before >= 0.5


def test_after_a_429_the_pace_is_slower(
    target: ConvexDeployment, server: ConvexProxy, time: FakeTime
) -> None:
    def spacing() -> float:
        begun = []
        for _ in range(10):
            target.apply_movies([])
            begun.append(time.now)
        return max(after - before for before, after in pairwise(begun))

    quick = spacing()
    server.script("applyMovies", "429")
    target.apply_movies([])
    assert spacing() > 1.5 * quick


def test_a_deployment_that_stays_too_busy_is_given_up_after_a_quarter_of_an_hour(
    target: ConvexDeployment, server: ConvexProxy, time: FakeTime
) -> None:
    server.always("applyMovies", "429")
    before = time.now
    with pytest.raises(StopError, match="answers 429"):
        target.apply_movies([])
    assert 900 < time.now - before < 1000


# What makes going on pointless


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        *((fault, CredentialsRefused) for fault in NO_ENTRY),
        *((fault, TargetRefused) for fault in OUT_OF_ORDER),
        *((fault, FunctionsMissing) for fault in (*MISSING, *TOO_OLD)),
        *((fault, StopError) for fault in ANOTHER_SERVER),
    ],
)
def test_what_makes_going_on_pointless_is_asked_once(
    target: ConvexDeployment, server: ConvexProxy, fault: str, kind: type[StopError]
) -> None:
    server.always("contract", fault)
    with pytest.raises(kind) as caught:
        target.contract()
    assert len(server.calls) == 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("401", "check CONVEX_DEPLOY_KEY"),
        ("403", "check CONVEX_DEPLOY_KEY"),
        ("paused", "look at it in the Convex dashboard"),
        ("free_plan", "exceeded the free plan limits"),
        ("suspended", "look at it in the Convex dashboard"),
        ("usage_limit", "look at it in the Convex dashboard"),
        ("disabled", "has been disabled"),
        ("missing", "tmdbkit functions convex, then deploy"),
        ("starter_plan", "look at it in the Convex dashboard"),
        ("staged_index", "take staged: true out of your app's schema.ts, and deploy"),
        ("backfilling", "run the same again when the deploy is through"),
        ("backfilling_400", "run the same again when the deploy is through"),
        ("old_functions", "npm install convex@latest in your app and deploy"),
        ("old_client", "pip install --upgrade tmdbkit"),
        ("no_index", "tmdbkit functions says what to add to your app's schema.ts"),
        ("404_html", "check CONVEX_URL"),
        ("redirect", "check CONVEX_URL"),
        ("json", "check CONVEX_URL"),
    ],
)
def test_it_is_said_what_to_do_about_it(
    target: ConvexDeployment, server: ConvexProxy, fault: str, advice: str
) -> None:
    server.always("contract", fault)
    with pytest.raises(StopError, match=advice):
        target.contract()


# What is to be split, and what is refused


@pytest.mark.parametrize("fault", sorted(TOO_LARGE))
def test_a_batch_that_is_too_large_is_told_apart(
    target: ConvexDeployment, server: ConvexProxy, fault: str
) -> None:
    server.script("applyMovies", fault)
    with pytest.raises(BatchTooLarge):
        target.apply_movies([])


def test_too_many_writes_is_a_rate_with_a_429_and_a_size_without(
    target: ConvexDeployment, server: ConvexProxy
) -> None:
    server.script("applyMovies", "429", "too_many_writes_size")
    with pytest.raises(BatchTooLarge):
        target.apply_movies([])
    assert len(server.calls) == 2


@pytest.mark.parametrize("fault", sorted(REFUSED))
def test_a_document_that_is_refused_is_told_apart(
    target: ConvexDeployment, server: ConvexProxy, fault: str
) -> None:
    server.script("applyMovies", fault)
    with pytest.raises(RequestRefused):
        target.apply_movies([])


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("invalid", "ArgumentValidationError: Object is missing the required field `title`"),
        ("mismatch", "does not match validator. Path: .title Value: 7.0"),
        ("redacted", "Server Error"),
    ],
)
def test_a_refusal_names_the_field(
    target: ConvexDeployment, server: ConvexProxy, fault: str, told: str
) -> None:
    server.script("applyMovies", fault)
    with pytest.raises(RequestRefused) as caught:
        target.apply_movies([])
    assert told in str(caught.value)
    for noise in ("Request ID", "Object: ", "Validator", "    at "):
        assert noise not in str(caught.value)


@pytest.mark.parametrize(
    "synopsis",
    [
        "After a long deployment, a disabled veteran comes home.",
        "Their love has timed out.",
        "A heist runs out of memory.",
        "Too many writes, too many documents: a clerk rebels.",
        "Index cards not found. Could not find function 'main'.",
        "She exceeded the free plan limits.",
    ],
)
def test_the_words_of_a_synopsis_are_not_those_of_convex(
    target: ConvexDeployment, server: ConvexProxy, synopsis: str
) -> None:
    message = (
        "ArgumentValidationError: Object is missing the required field `title`.\n\n"
        f'Object: {{"synopsis": "{synopsis}"}}\nValidator: v.object({{...}})'
    )
    server.script("applyMovies", lambda _run: function_error(message))
    with pytest.raises(RequestRefused):
        target.apply_movies([])


# The network


def test_a_host_that_was_never_reached_is_given_up_within_ten_seconds(
    target: ConvexDeployment, server: ConvexProxy, time: FakeTime
) -> None:
    server.pause()
    before = time.now
    with pytest.raises(HostUnreachable) as caught:
        target.contract()
    assert time.now - before < 10
    assert str(caught.value) == (
        f"Convex cannot be reached at 127.0.0.1:{server.port} after 3 attempts; "
        "check the network and CONVEX_URL"
    )


def test_a_host_that_was_reached_before_is_waited_for(
    target: ConvexDeployment, server: ConvexProxy, time: FakeTime
) -> None:
    target.contract()
    server.pause()
    time.on_sleep = lambda: server.resume() if len(time.waits()) == 20 else None
    assert target.slug_owners(["the-matrix"]) == [("the-matrix", 603)]
    assert sum(time.waits()) > 600


def test_an_interruption_ends_a_wait(
    target: ConvexDeployment, server: ConvexProxy, time: FakeTime
) -> None:
    server.always("applyMovies", "occ")
    time.on_sleep = target.interrupt
    with pytest.raises(Interrupted):
        target.apply_movies([])
    assert len(server.calls) <= 1


def test_after_an_interruption_it_can_be_used_again(
    target: ConvexDeployment, server: ConvexProxy
) -> None:
    target.interrupt()
    with pytest.raises(Interrupted):
        target.contract()
    target.resume()
    target.contract()
    assert len(server.calls) == 1


def test_offline_nothing_is_asked(server: ConvexProxy) -> None:
    target = ConvexDeployment(server.url, KEY, settings=Settings(offline=True))
    with pytest.raises(StopError, match="TMDBKIT_OFFLINE=1"):
        target.contract()
    assert server.calls == []


# What is sent


def test_a_call_carries_the_key_the_client_and_an_id_of_its_own(
    target: ConvexDeployment, server: ConvexProxy
) -> None:
    target.contract()
    target.apply_movies([])
    first, second = server.calls
    assert first.headers["authorization"] == f"Convex {KEY}"
    assert first.headers["convex-client"].startswith("tmdbkit-")
    assert first.headers["content-type"] == "application/json"
    assert first.headers["convex-request-id"] != second.headers["convex-request-id"]


def test_numbers_come_back_as_floats_and_ids_leave_as_whole_ones(
    target: ConvexDeployment,
) -> None:
    ((_, tmdb_id),) = target.slug_owners(["the-matrix"])
    assert isinstance(tmdb_id, int)


def test_a_page_says_where_to_go_on(backend: ConvexBackend) -> None:
    target = deployment(backend.url)
    backend.insert("genres", *({"genre_id": n, "name": str(n)} for n in range(3)))
    first = target.page("genres", None, 2)
    second = target.page("genres", first.cursor, 2)
    assert [len(first.documents), first.done, len(second.documents), second.done] == [
        *(2, False),
        *(1, True),
    ]


# The preflight


def test_a_key_for_reading_only_is_refused_for_writing(backend: ConvexBackend) -> None:
    said = r"lacks the permission deployment:functions:runInternalMutations; .*Deploy keys"
    with pytest.raises(CredentialsRefused, match=said):
        deployment(backend.url, backend.read_only_key).preflight(writing=True)


READS, WRITES = "RunInternalQueries", "RunInternalMutations"
QUERIES, MUTATIONS = "runInternalQueries", "runInternalMutations"


@pytest.mark.parametrize(
    ("operations", "writing", "lacks"),
    [
        ([], True, []),
        ([READS], False, []),
        ([READS, WRITES, "ViewData"], True, []),
        (["ViewData", "WriteData"], False, [QUERIES]),
        (["ViewData", "WriteData"], True, [QUERIES, MUTATIONS]),
        ([READS], True, [MUTATIONS]),
        ([WRITES], True, [QUERIES]),
    ],
)
def test_the_permissions_that_a_key_lacks_are_named_before_anything_is_planned(
    proxy: ConvexProxy, operations: list[str], writing: bool, lacks: list[str]
) -> None:
    answer = {"success": True, "allowedOps": operations, "isReadOnly": False}
    proxy.script("check_admin_key", lambda _: Answer(200, dumps(answer)))
    names = " and ".join(f"deployment:functions:{name}" for name in lacks)
    said = f"lacks the permission {names}; make a key"
    with pytest.raises(CredentialsRefused, match=said) if lacks else nullcontext():
        deployment(proxy.url).preflight(writing=writing)
    assert [call.name for call in proxy.calls] == ["check_admin_key"]


def test_a_key_for_reading_only_is_enough_for_reading(backend: ConvexBackend) -> None:
    target = deployment(backend.url, backend.read_only_key)
    target.preflight(writing=False)
    assert target.documents([603]) == []


def test_a_wrong_key_is_refused(backend: ConvexBackend) -> None:
    with pytest.raises(CredentialsRefused, match="answered 401"):
        deployment(backend.url, "dev:tmdbkit-tests|wrong").preflight(writing=False)


@pytest.mark.parametrize("fault", ["404_html", "404_json"])
def test_a_backend_that_cannot_check_keys_is_no_hindrance(
    target: ConvexDeployment, server: ConvexProxy, fault: str
) -> None:
    server.always("check_admin_key", fault)
    target.preflight(writing=True)


def test_an_address_where_nothing_of_convex_answers_is_found_out_by_the_first_query(
    target: ConvexDeployment, server: ConvexProxy
) -> None:
    server.always("*", "404_html")
    target.preflight(writing=True)
    with pytest.raises(StopError, match="check CONVEX_URL"):
        target.contract()


def test_functions_that_were_never_deployed_are_said_so() -> None:
    with ConvexBackend(functions=False) as bare:
        target = deployment(bare.url)
        target.preflight(writing=True)
        with pytest.raises(FunctionsMissing, match="tmdbkit functions convex, then deploy"):
            target.contract()


# Which deployment


@pytest.mark.parametrize(
    ("url", "key", "name", "kind"),
    [
        ("https://happy-animal-123.convex.cloud", KEY, "happy-animal-123", "dev"),
        ("https://happy-animal-123.convex.cloud/", KEY, "happy-animal-123", "dev"),
        ("https://happy-animal-123.eu-west-1.convex.cloud", KEY, "happy-animal-123", "dev"),
        ("https://happy-animal-123.convex.cloud", "prod:happy-animal-123|x", None, "prod"),
        ("https://api.example.org", "prod:happy-animal-123|x", "happy-animal-123", "prod"),
        ("http://127.0.0.1:3210", KEY, "happy-animal-123", "dev"),
        ("http://127.0.0.1:3210", "convex-self-hosted|0123", "127.0.0.1", "self-hosted"),
        ("https://convex.example.org/d/movies", "0123", "convex.example.org", "self-hosted"),
        ("https://happy-animal-123.convex.cloud", "custom:happy-animal-123|x", None, "custom"),
        ("https://happy-animal-123.convex.cloud", "happy-animal-123|x", None, "prod"),
        ("https://happy-animal-123.convex.cloud", "0123", None, "prod"),
        ("https://happy-animal-123.convex.cloud", "project:team:movies|x", None, "prod"),
        ("https://happy-animal-123.convex.cloud", "preview:team:movies|x", None, "preview"),
        ("https://happy-animal-123.convex.cloud", "preview:happy-animal-123|x", None, "preview"),
        ("https://happy-animal-123.convex.cloud", "staging:other-1|x", None, "prod"),
        ("https://happy-animal-123.convex.cloud", "a:b:c:d|x", None, "prod"),
        ("https://api.example.org", "project:team:movies|x", "api.example.org", "prod"),
        ("https://api.example.org", "staging:other-1|x", "api.example.org", "prod"),
        ("https://api.example.org", "happy-animal-123|x", "api.example.org", "self-hosted"),
        ("http://127.0.0.1:3210", "preview:team:movies|x", "127.0.0.1", "preview"),
    ],
)
def test_a_matching_pair_names_the_deployment_and_its_kind(
    url: str, key: str, name: str | None, kind: str
) -> None:
    title = ConvexDeployment(url, key, settings=Settings()).title
    assert title.name == (name or "happy-animal-123")
    assert title.kind == kind
    assert title.location == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        ("https://sad-animal-1.convex.cloud", KEY, "is for happy-animal-123, .* is sad-animal-1"),
        ("https://sad-animal-1.eu.convex.cloud", KEY, "use a matching pair"),
        ("https://sad-animal-1.convex.cloud", "custom:happy-animal-123|x", "use a matching pair"),
        ("https://sad-animal-1.convex.cloud", "preview:happy-animal-123|x", "use a matching pair"),
        ("https://sad-animal-1.convex.cloud", "happy-animal-123|x", "use a matching pair"),
        ("https://happy-animal-123.convex.site", KEY, r"must be the one in \.convex\.cloud"),
        ("", KEY, "set CONVEX_URL and CONVEX_DEPLOY_KEY .* or use .* --snapshot DIR"),
        ("https://happy-animal-123.convex.cloud", "", "no deploy key"),
        ("happy-animal-123.convex.cloud", KEY, "CONVEX_URL is not an address"),
        ("https://happy-animal-123.convex.cloud", "dev:a|b\nc", "a character that no key has"),
        ("https://happy-animal-123.convex.cloud", "dev:a|b\u2028c", "a character that no key has"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    url: str, key: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        ConvexDeployment(url, key, settings=Settings())


def test_a_deployment_is_its_address_whichever_key_leads_there() -> None:
    url = "https://happy-animal-123.convex.cloud"
    one, other = (
        ConvexDeployment(url, key, settings=Settings()).title
        for key in ("prod:happy-animal-123|x", "preview:team:movies|x")
    )
    assert one.is_meant(str(other), None)
    assert not one.is_meant("prod happy-animal-123 at https://happy-animal-124.convex.cloud", None)
    assert not one.is_meant(f"snapshot at {url}", None)


def test_address_and_key_come_from_the_settings() -> None:
    settings = Settings(convex_url="https://api.example.org", convex_key=Secret(KEY))
    assert ConvexDeployment(settings=settings).url == "https://api.example.org"


# The key is nowhere


SECRET = KEY.partition("|")[2]


def test_a_deployment_draws_itself_without_its_key(target: ConvexDeployment) -> None:
    drawn = repr(target) + str(target) + target._repr_html_() + repr(vars(target))
    assert "happy-animal-123" in drawn
    assert SECRET not in drawn


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_no_error_and_no_log_carries_the_key(
    target: ConvexDeployment, server: ConvexProxy, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.always("applyMovies", fault)
    with pytest.raises(ServiceError) as caught:
        target.apply_movies([])
    assert not isinstance(caught.value, RateLimited)
    told = "".join(traceback.format_exception(caught.value)) + str(vars(caught.value))
    assert SECRET not in told + caplog.text
    assert "requests.exceptions" not in told
    assert caplog.records


def test_a_host_that_cannot_be_reached_is_named_without_the_key(
    target: ConvexDeployment, server: ConvexProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.pause()
    with pytest.raises(HostUnreachable) as caught:
        target.contract()
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caplog.text


@pytest.mark.parametrize("key", [f"{KEY}\n|x", f"{KEY}\u2028x"])
def test_a_key_that_is_refused_for_its_characters_is_not_repeated(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ConvexDeployment("https://api.example.org", key, settings=Settings())
    assert SECRET not in "".join(traceback.format_exception(caught.value))
