from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http.conftest import FakeClock
from tests.servers.trouble import Bucket, SlidingSecond
from tmdbkit.exceptions import Interrupted
from tmdbkit.http.pacer import RECOVERY_SECONDS, Pacer

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED = 40  # a second, by TMDB
PACE = 38.0
TRIP = 0.06  # seconds there and back


@pytest.fixture
def pacer(clock: FakeClock) -> Pacer:
    return Pacer(PACE, clock=clock, sleep=clock.sleep)


class Traffic:
    """Requests that leave in a pacer's slots and are on their way while others leave.

    refuses: seconds from the start between which everything is refused.
    """

    def __init__(
        self, pacer: Pacer, clock: FakeClock, *, refuses: tuple[float, float] = (0, 0)
    ) -> None:
        self.pacer, self.clock = pacer, clock
        self.limiter = SlidingSecond(ALLOWED)
        self.answers: list[tuple[float, bool]] = []
        self._refuses = [clock() + second for second in refuses]

    def flow(self, seconds: float) -> None:
        """Send as many as the pacer lets."""
        until = self.clock() + seconds
        while (slot := self.pacer.wait()) < until:
            self.clock.at(TRIP / 2, partial(self._arrive, slot))

    def accepted(self, since: float) -> float:
        """How many a second were accepted from then on."""
        taken = sum(1 for at, fits in self.answers if fits and at >= since)
        return taken / (self.clock() - since)

    def refused(self, since: float) -> float:
        """The share that was refused from then on."""
        outcomes = [fits for at, fits in self.answers if at >= since]
        return outcomes.count(False) / len(outcomes)

    def _arrive(self, slot: float) -> None:
        now = self.clock()
        fits = not self._refuses[0] <= now < self._refuses[1] and self.limiter.take(now)
        self.answers.append((now, fits))
        told = self.pacer.accepted if fits else partial(self.pacer.rejected, slot, 1.0)
        self.clock.at(TRIP / 2, told)


def test_slots_are_evenly_spaced(pacer: Pacer) -> None:
    slots = [pacer.wait() for _ in range(100)]
    assert [later - sooner for sooner, later in pairwise(slots)] == pytest.approx([1 / PACE] * 99)


def test_a_slot_begins_when_its_time_has_come(pacer: Pacer, clock: FakeClock) -> None:
    for _ in range(5):
        assert pacer.wait() == pytest.approx(clock())


def test_an_idle_time_saves_up_no_burst(pacer: Pacer, clock: FakeClock) -> None:
    pacer.wait()
    clock.sleep(10)
    first, second = pacer.wait(), pacer.wait()
    assert (first, second) == pytest.approx((clock() - 1 / PACE, clock()))


def test_a_thread_that_wakes_late_costs_the_schedule_nothing(clock: FakeClock) -> None:
    pacer = Pacer(PACE, clock=clock, sleep=lambda seconds: clock.sleep(seconds + 0.01))
    began = clock()
    slots = [pacer.wait() for _ in range(381)]
    assert slots[-1] - began == pytest.approx(10)
    assert clock() - slots[-1] == pytest.approx(0.01)


def test_a_thread_that_wakes_much_too_late_takes_another_slot(clock: FakeClock) -> None:
    lateness = iter([0.1, 0.0, 0.0])
    pacer = Pacer(PACE, clock=clock, sleep=lambda seconds: clock.sleep(seconds + next(lateness)))
    began = pacer.wait()
    assert pacer.wait() == clock() == pytest.approx(began + 1 / PACE + 0.1)


def test_all_threads_share_one_schedule(pacer: Pacer, clock: FakeClock) -> None:
    futures = clock.run(*[lambda: [pacer.wait() for _ in range(25)]] * 8)
    slots = sorted(slot for future in futures for slot in future.result())
    assert [later - sooner for sooner, later in pairwise(slots)] == pytest.approx([1 / PACE] * 199)


def test_a_pause_holds_every_thread_even_one_that_has_a_slot(
    pacer: Pacer, clock: FakeClock
) -> None:
    began = clock()
    clock.at(0.2, partial(pacer.pause, 5))
    futures = clock.run(*[lambda: [(pacer.wait(), clock()) for _ in range(4)]] * 8)
    times = sorted(pair for future in futures for pair in future.result())
    assert [slot for slot, _ in times if slot < began + 0.2] == pytest.approx(
        [began + number / PACE for number in range(8)]
    )
    late = [slot for slot, _ in times[8:]]
    assert late[0] >= began + 5.2
    assert all(later - sooner > 0.99 / PACE for sooner, later in pairwise(late))
    assert all(woke == pytest.approx(slot) for slot, woke in times)


def test_a_shorter_pause_does_not_end_a_longer_one(clock: FakeClock) -> None:
    pacer, began = Pacer(1.0, clock=clock, sleep=clock.sleep), clock()
    clock.at(0.5, partial(pacer.pause, 10))
    clock.at(0.6, partial(pacer.pause, 1))
    slots = sorted(future.result() for future in clock.run(*[pacer.wait] * 5))
    assert slots[0] == began
    assert slots[1] >= began + 10.5


@pytest.mark.parametrize("trip", [0.0, TRIP, 0.5])
def test_38_a_second_meet_no_429_where_40_are_allowed(
    trip: float, pacer: Pacer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.TRIP", trip)
    traffic = Traffic(pacer, clock)
    began = clock()
    traffic.flow(60)
    assert traffic.refused(since=began) == 0
    assert traffic.accepted(since=began) == pytest.approx(PACE, rel=0.02)
    assert pacer.rate == PACE


def test_a_lower_limit_is_found_out_within_ten_seconds(pacer: Pacer, clock: FakeClock) -> None:
    traffic = Traffic(pacer, clock)
    traffic.flow(10)
    traffic.limiter.limit = 15
    traffic.flow(10)
    settled = clock()
    traffic.flow(600)
    assert traffic.refused(since=settled) < 0.01
    assert traffic.accepted(since=settled) > 0.85 * 15


@pytest.mark.parametrize("limiter", [SlidingSecond(15), Bucket(15)])
def test_a_machine_that_stands_still_now_and_then_keeps_near_the_limit(
    limiter: SlidingSecond | Bucket, clock: FakeClock
) -> None:
    """What has waited meanwhile must not come in a crowd, or its refusals look like the limit."""
    began = clock()

    def sleep(seconds: float) -> None:
        """Nobody wakes in the last fifth of every fifth second."""
        wakes = clock() + seconds
        phase = (wakes - began) % 5
        clock.sleep(seconds + (5 - phase if phase > 4.8 else 0))

    pacer = Pacer(PACE, clock=clock, sleep=sleep)
    answers: list[tuple[float, bool]] = []

    def ask() -> None:
        while clock() < began + 60:
            slot = pacer.wait()
            clock.sleep(TRIP / 2)
            answers.append((clock(), fits := limiter.take(clock())))
            clock.sleep(TRIP / 2)
            told = pacer.accepted if fits else partial(pacer.rejected, slot, 1.0)
            told()

    clock.run(*[ask] * 20)
    settled = [fits for at, fits in answers if 10 <= at - began < 60]
    assert settled.count(False) < 0.01 * len(settled)
    assert settled.count(True) > 0.85 * 15 * 50


def test_a_limit_far_below_is_found_out_too(pacer: Pacer, clock: FakeClock) -> None:
    traffic = Traffic(pacer, clock)
    traffic.limiter.limit = 3
    traffic.flow(20)
    settled = clock()
    traffic.flow(600)
    assert traffic.refused(since=settled) < 0.01
    assert traffic.accepted(since=settled) > 0.6 * 3


def test_a_minute_of_nothing_but_429s_does_not_ruin_the_pace(
    pacer: Pacer, clock: FakeClock
) -> None:
    traffic = Traffic(pacer, clock, refuses=(10, 70))
    traffic.flow(75)
    after = clock()
    traffic.flow(60)
    assert traffic.accepted(since=after) >= PACE / 2 * 0.95
    refused = [at for at, fits in traffic.answers if not fits]
    assert len(refused) < 60 * 5  # a few a second, until it is over


def test_answers_to_requests_that_left_before_lower_the_pace_only_once(
    pacer: Pacer, clock: FakeClock
) -> None:
    slots = [pacer.wait() for _ in range(38)]
    for _ in range(30):
        pacer.accepted()
    pacer.rejected(slots[-1], 1.0)
    lowered = pacer.rate
    assert lowered == pytest.approx(30 * 0.95)
    for slot in slots[-8:]:
        pacer.rejected(slot, 1.0)
    assert pacer.rate == lowered


def test_a_429_never_makes_the_pace_faster(clock: FakeClock) -> None:
    pacer = Pacer(5.0, clock=clock, sleep=clock.sleep)
    pacer.wait()
    slot = pacer.wait()
    for _ in range(20):  # answers of a slow server that come all at once
        pacer.accepted()
    pacer.rejected(slot, 1.0)
    assert pacer.rate == pytest.approx(5 * 0.95)


def test_the_pace_recovers_slowly_and_never_beyond_its_ceiling(
    pacer: Pacer, clock: FakeClock
) -> None:
    pacer.wait()
    clock.sleep(1)
    pacer.accepted()
    pacer.rejected(pacer.wait(), 1.0)
    began, rates = clock(), [pacer.rate]
    assert rates == [PACE / 2]
    while pacer.rate < PACE:
        clock.sleep(1)
        pacer.accepted()
        rates.append(pacer.rate)
    assert max(later / sooner for sooner, later in pairwise(rates)) < 1.05
    assert min(later - sooner for sooner, later in pairwise(rates)) >= 0
    assert len(set(rates[: int(RECOVERY_SECONDS)])) == 1
    assert 5 * 60 < clock() - began < 60 * 60
    for _ in range(1000):
        clock.sleep(1)
        pacer.accepted()
    assert pacer.rate == PACE


def test_what_fails_again_is_tried_less_and_less_often(pacer: Pacer, clock: FakeClock) -> None:
    traffic = Traffic(pacer, clock)
    traffic.limiter.limit = 15
    traffic.flow(30 * 60)
    times = [at for at, fits in traffic.answers if not fits]
    quiet = [later - sooner for sooner, later in pairwise(times) if later - sooner > 5]
    assert len(quiet) >= 2
    assert quiet[-1] > 2 * quiet[0]


def test_what_failed_often_is_tried_again_after_eight_minutes(
    pacer: Pacer, clock: FakeClock
) -> None:
    def refuse() -> None:
        clock.sleep(1)
        slot = pacer.wait()
        pacer.accepted()
        pacer.rejected(slot, 1.0)

    def come_back(seconds: float) -> None:
        clock.sleep(seconds)
        pacer.accepted()

    refuse()
    for _ in range(10):
        come_back(8 * 60 + 1)
        refuse()
    lowered = pacer.rate
    come_back(8 * 60 - 1)
    assert pacer.rate == lowered
    come_back(2)
    assert pacer.rate > lowered


def test_a_way_down_of_several_steps_makes_the_first_try_no_later(
    pacer: Pacer, clock: FakeClock
) -> None:
    for _ in range(4):
        slot = pacer.wait()
        pacer.accepted()
        pacer.rejected(slot, 1.0)
    lowered = pacer.rate
    clock.sleep(RECOVERY_SECONDS + 1)
    pacer.accepted()
    assert pacer.rate > lowered


steps = st.one_of(
    st.just("accepted"),
    st.floats(0, 600).map(lambda seconds: ("sleep", seconds)),
    st.floats(0, 60).map(lambda seconds: ("rejected", seconds)),
)


@settings(deadline=None)
@given(st.floats(0.1, 1000), st.lists(steps, max_size=60))
def test_whatever_comes_the_pace_stays_above_nothing_and_under_its_ceiling(
    rate: float, course: list[str | tuple[str, float]]
) -> None:
    clock = FakeClock()
    pacer = Pacer(rate, clock=clock, sleep=clock.sleep)
    for step in course:
        if step == "accepted":
            pacer.accepted()
        elif step[0] == "sleep":
            clock.sleep(float(step[1]))
        else:
            pacer.rejected(pacer.wait(), float(step[1]))
        assert 0 < pacer.rate <= rate
        slot = pacer.wait()
        assert slot == pytest.approx(clock())
        assert slot >= pacer._paused_until


@pytest.mark.parametrize("wait", [lambda pacer: pacer.wait(), lambda pacer: pacer.rest(3600)])
def test_interrupt_ends_every_wait_now_and_later(wait: Callable[[Pacer], object]) -> None:
    pacer = Pacer(PACE)
    pacer.pause(3600)
    waiting, sleep = threading.Semaphore(0), pacer._sleep
    pacer._sleep = lambda seconds: waiting.release() or sleep(seconds)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(wait, pacer) for _ in range(4)]
        for _ in futures:
            waiting.acquire(timeout=5)
        pacer.interrupt()
        assert [type(future.exception(timeout=5)) for future in futures] == [Interrupted] * 4
    with pytest.raises(Interrupted):
        wait(pacer)


def test_waiting_is_allowed_again_after_resume() -> None:
    pacer = Pacer(PACE)
    pacer.interrupt()
    pacer.resume()
    pacer.wait()
