"""What takes too long is answered for, and what one caller takes leaves the others theirs."""

import asyncio

import httpx
import pytest
from hri.server.limits import Bounded, RateLimit
from hri.server_config import LimitsConfig


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_fills_again_at_its_rate_and_not_beyond_its_size():
    clock = Clock()
    rate = RateLimit(LimitsConfig(requests_per_second=2.0, burst=3), clock)

    emptied = [rate.allows("a") for _ in range(4)]
    clock.now = 1.0
    after_a_second = [rate.allows("a") for _ in range(3)]
    clock.now = 1000.0
    after_long = [rate.allows("a") for _ in range(4)]

    assert emptied == [True, True, True, False]
    assert after_a_second == [True, True, False]
    assert after_long == [True, True, True, False]


def test_callers_that_were_not_seen_for_the_longest_time_are_forgotten_first():
    rate = RateLimit(LimitsConfig(requests_per_second=0.001, burst=1), Clock())
    rate.allows("first")
    rate.allows("kept")

    for number in range(9_999):
        rate.allows(str(number))

    assert rate.allows("first")
    assert not rate.allows("9998")


class Stuck:
    """An application whose answers wait for a signal."""

    def __init__(self):
        self.signal = asyncio.Event()
        self.begun = 0

    async def __call__(self, _scope, _receive, send):
        self.begun += 1
        await self.signal.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})


@pytest.fixture
def limits():
    return LimitsConfig(answer_timeout=0.05, receive_timeout=0.05, connections=2)


async def ask(app, **arguments):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        return await client.post("/", **arguments)


def test_an_answer_that_is_late_is_503_and_the_work_behind_it_goes_on(limits):
    async def scenario():
        stuck = Stuck()
        answer = await ask(Bounded(stuck, limits))
        stuck.signal.set()
        await asyncio.sleep(0)
        return answer

    answer = asyncio.run(scenario())

    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert answer.headers["Retry-After"]


def test_what_is_stuck_for_good_is_not_piled_up(limits):
    async def scenario():
        stuck = Stuck()
        app = Bounded(stuck, limits)
        statuses = [(await ask(app)).status_code for _ in range(5)]
        begun = stuck.begun
        stuck.signal.set()
        await asyncio.sleep(0.01)
        return statuses, begun, (await ask(app)).status_code

    assert asyncio.run(scenario()) == ([503] * 5, 2, 200)


def test_a_body_that_does_not_arrive_is_408(limits):
    async def scenario():
        async def slow_receive(scope, receive, send):
            async def held():
                await asyncio.sleep(30)
                return await receive()

            await Bounded(Stuck(), limits)(scope, held, send)

        return await ask(slow_receive, content=b"{}")

    assert asyncio.run(scenario()).json()["code"] == "too-slow"


def test_a_head_that_is_too_long_is_431(limits):
    answer = asyncio.run(ask(Bounded(Stuck(), limits), headers={"X": "a" * 20_000}))

    assert (answer.status_code, answer.json()["code"]) == (431, "head-too-large")
