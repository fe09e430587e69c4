from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from email.utils import parsedate_to_datetime
from gzip import decompress
from typing import Any

import pytest

from .tmdb import API_KEY, TOKEN, TMDBServer
from .wire import Answer, Request

BEARER = {"Authorization": f"Bearer {TOKEN}"}
MOVIE = "/3/movie/603?append_to_response=credits,keywords,release_dates,videos"
PAYLOAD = {"id": 5, "title": "Alpha", "imdb_id": "tt9", "credits": {"cast": []}, "videos": {}}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fetch(port: int, *targets: str, headers: dict[str, str] = BEARER) -> list[tuple[int, bytes]]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        answers = []
        for target in targets:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            answers.append((response.status, response.read()))
    return answers


def ask(server: TMDBServer, target: str, **headers: str) -> Answer:
    """One answer without a network, at the time of the server's own clock."""
    path, _, query = target.partition("?")
    sent = {"authorization": f"Bearer {TOKEN}"} | headers
    return server.handle(Request("GET", path, query, sent, at=server.clock()))


def read(server: TMDBServer, target: str) -> Any:
    return json.loads(ask(server, target).body)


def test_a_generated_movie_is_whole_and_about_as_large_as_asked() -> None:
    with TMDBServer(size=40_000) as server:
        [(status, body), (_, bare)] = fetch(server.port, MOVIE, "/3/movie/604")
    movie = json.loads(body)
    assert (status, movie["id"], movie["imdb_id"]) == (200, 603, "tt0000603")
    assert movie["credits"]["crew"][0]["job"] == "Director"
    assert len(body) == pytest.approx(40_000, rel=0.02)
    assert "credits" not in json.loads(bare)
    assert server.connections == 1


def test_given_payloads_are_all_there_is() -> None:
    server = TMDBServer(payloads={5: PAYLOAD, 6: b"{broken"})
    assert read(server, "/3/movie/5?append_to_response=credits") == {
        key: value for key, value in PAYLOAD.items() if key != "videos"
    }
    assert ask(server, "/3/movie/6").body == b"{broken"
    assert read(server, "/3/movie/7") == {
        "success": False,
        "status_code": 34,
        "status_message": "The resource you requested could not be found.",
    }
    assert read(server, "/3/find/tt9?external_source=imdb_id")["movie_results"][0]["id"] == 5
    assert read(server, "/3/search/movie?query=ALPH")["total_results"] == 1
    assert read(server, "/3/movie/5/credits") == {"id": 5, "cast": []}


def test_about_three_in_a_hundred_generated_ids_are_missing() -> None:
    server = TMDBServer(size=1)
    statuses = [ask(server, f"/3/movie/{movie_id}").status for movie_id in range(1, 2001)]
    assert 40 < statuses.count(404) < 80
    assert statuses[603 - 1] == 200


def test_lists_have_pages_of_twenty_up_to_five_hundred() -> None:
    server = TMDBServer(lists={"popular": range(1, 46)})
    page = read(server, "/3/movie/popular?page=3")
    assert [row["id"] for row in page.pop("results")] == [41, 42, 43, 44, 45]
    assert page == {"page": 3, "total_pages": 3, "total_results": 45}
    assert read(server, "/3/movie/popular?page=500")["results"] == []
    assert read(server, "/3/movie/popular?page=501")["status_code"] == 22
    assert len(read(server, "/3/genre/movie/list")["genres"]) == 19


def test_changes_are_read_by_day_and_for_fourteen_days_at_most() -> None:
    changes = {"2025-12-01": [603], "2025-12-02": [603, 60], "2025-12-20": [604]}
    server = TMDBServer(changes=changes, missing=[60])
    days = "start_date=2025-12-01&end_date=2025-12-"
    assert read(server, f"/3/movie/changes?{days}15")["results"] == [
        {"id": 603, "adult": False},
        {"id": 60, "adult": None},
    ]
    assert read(server, f"/3/movie/changes?{days}16")["status_code"] == 20


def test_only_its_own_credentials_are_accepted_until_they_are_revoked() -> None:
    server = TMDBServer(revoke_after=4)
    statuses = [
        ask(server, MOVIE).status,
        ask(server, f"{MOVIE}&api_key={API_KEY}", authorization="").status,
        ask(server, MOVIE, authorization="Bearer other").status,
        ask(server, MOVIE).status,
    ]
    assert statuses == [200, 200, 401, 401]
    assert server.requests[1].params["api_key"] == API_KEY


@pytest.mark.parametrize(("kind", "fits"), [("sliding", [3, 0, 3]), ("bucket", [5, 1, 5])])
def test_a_limit_is_counted_in_a_sliding_second_or_by_a_bucket(kind: Any, fits: list[int]) -> None:
    clock = Clock()
    server = TMDBServer(limit=3, limit_kind=kind, burst=5, clock=clock)
    answered = []
    for clock.now in (100.0, 100.5, 102.5):
        answered.append([ask(server, MOVIE).status for _ in range(9)].count(200))
    assert answered == fits
    assert server.too_many == 27 - sum(fits)
    assert server.max_per_second() == 18
    message = json.loads(ask(server, MOVIE).body)["status_message"]
    assert message == "Your request count (4) is over the allowed limit of 3."


def test_a_limit_changes_suddenly() -> None:
    clock = Clock()
    server = TMDBServer(limit=4, clock=clock, retry_after=2)
    server.change_limit(at_seconds=10, to=1)
    for clock.now, fits in ((100.0, 4), (110.0, 1)):
        assert [ask(server, MOVIE).status for _ in range(5)].count(200) == fits
    assert server.inside_retry_after == 3


def test_retry_after_comes_in_seconds_or_as_a_date_or_not_at_all() -> None:
    ways: list[dict[str, Any]] = [{}, {"retry_after": 2}]
    ways.append({"retry_after": 2, "retry_after_date": True})
    told = [ask(TMDBServer(limit=0, **way), MOVIE).headers.get("Retry-After") for way in ways]
    assert told[:2] == [None, "2"]
    assert told[2] is not None
    assert parsedate_to_datetime(told[2]).utcoffset() == timedelta(0)


def test_faults_are_the_same_whatever_the_order() -> None:
    def kinds(order: list[int]) -> dict[str, list[str]]:
        server = TMDBServer(faults={"500": 0.3, "cut": 0.3}, seed=7, missing=(), size=1)
        met: dict[str, list[str]] = {}
        for movie_id in order:
            ask(server, f"/3/movie/{movie_id}")
            met.setdefault(server.requests[-1].path, []).append(server.requests[-1].kind)
        return met

    ids = list(range(1, 101)) * 3
    forward, backward = kinds(ids), kinds(ids[::-1])
    assert forward == backward
    assert 150 < sum(kind != "200" for met in forward.values() for kind in met) < 210


def test_faults_never_come_too_often_in_a_row() -> None:
    server = TMDBServer(faults={"503": 1.0}, max_in_a_row=2)
    assert [ask(server, MOVIE).status for _ in range(6)] == [503, 503, 200] * 2


def test_a_script_says_exactly_what_happens_next() -> None:
    turns: list[Any] = [("429", {"Retry-After": "3"}), "ok", "id_invalid_500", "not_json"]
    server = TMDBServer(script={"/3/movie/603": turns})
    answers = [ask(server, MOVIE) for _ in range(5)]
    assert [answer.status for answer in answers] == [429, 200, 500, 200, 200]
    assert answers[0].headers == {"Retry-After": "3"}
    assert json.loads(answers[2].body)["status_code"] == 44
    assert [r.kind for r in server.requests] == ["429", "200", "id_invalid_500", "not_json", "200"]
    with pytest.raises(ValueError, match="no such fault: \\['slow'\\]"):
        TMDBServer(faults={"slow": 1.0})


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("cut", http.client.IncompleteRead),
        ("reset", ConnectionResetError),
        ("close", http.client.RemoteDisconnected),
        ("hang", http.client.RemoteDisconnected),
        ("cut_json", json.JSONDecodeError),
        ("empty", json.JSONDecodeError),
    ],
)
def test_an_answer_breaks_off(fault: str, error: type[Exception]) -> None:
    with TMDBServer(script={"/3/movie/603": [fault]}, hang_seconds=0.01) as server:
        with pytest.raises(error) as raised:
            json.loads(fetch(server.port, MOVIE)[0][1])
        assert raised.type is error
        assert fetch(server.port, MOVIE)[0][0] == 200


def test_answers_are_compressed_and_revalidated_when_asked() -> None:
    server = TMDBServer(gzip=True)
    packed = ask(server, MOVIE, **{"accept-encoding": "gzip, deflate"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert decompress(packed.body) == ask(server, MOVIE).body
    assert ask(server, MOVIE, **{"if-none-match": packed.headers["ETag"]}).status == 304


def test_latencies_of_several_clients_pass_at_the_same_time() -> None:
    with TMDBServer(latency=0.2) as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fetch(server.port, MOVIE), range(8)))
        times = [request.at for request in server.requests]
    assert len(answers) == 8
    assert max(times) - min(times) < 0.2


def test_a_paused_server_refuses_and_comes_back_on_the_same_port() -> None:
    with TMDBServer() as server:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as kept:
            kept.request("GET", MOVIE, headers=BEARER)
            kept.getresponse().read()
            server.pause()
            kept.request("GET", MOVIE, headers=BEARER)
            with pytest.raises(ConnectionError):
                kept.getresponse()
        with pytest.raises(ConnectionRefusedError):
            fetch(server.port, MOVIE)
        server.resume()
        assert fetch(server.port, MOVIE)[0][0] == 200


def test_a_process_of_its_own_counts_and_forgets() -> None:
    options: dict[str, Any] = {"payloads": {603: b'{"id": 603}'}, "script": {MOVIE[:12]: ["500"]}}
    with TMDBServer.process(api_key="k", **options) as server:
        port = int(server.url.rpartition(":")[2])
        target = "/3/movie/603?api_key=k"
        assert [status for status, _ in fetch(port, target, target, headers={})] == [500, 200]
        stats = server.stats(ids=True)
        server.reset()
        assert server.stats()["total"] == 0
    assert (stats["by_kind"], stats["per_id"]) == ({"500": 1, "200": 1}, {"603": 2})
    assert stats["first"] <= stats["last"]
