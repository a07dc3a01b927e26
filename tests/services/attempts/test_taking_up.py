"""Submits without an answer where there is only a list: one job, or nobody can tell."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Reply, Upstream
from typing_extensions import override

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Found, UpstreamRef
from vidgate.models.tasks import AttemptStatus, TaskStatus
from vidgate.providers.base import Call, LostSubmit
from vidgate.providers.vidu import Vidu
from vidgate.services.tasks.creating import Created

PROMPT = "a boat"


class Lister(Vidu):
    """A provider that lists its jobs, and knows none by an id of ours."""

    proves_absence: ClassVar[bool] = False

    def __init__(self, jobs: dict[str, str]) -> None:
        super().__init__()
        self.jobs = jobs
        self.asked: list[LostSubmit] = []

    @override
    def find(
        self, lost: LostSubmit, channel: ChannelAccess, now: datetime, *, page: Any = None
    ) -> Call[Found]:
        self.asked.append(lost)
        assert lost.translation is not None
        sent = lost.translation.body["prompt"]
        found = tuple(UpstreamRef(job) for job, made_of in self.jobs.items() if made_of == sent)
        request = httpx.Request("GET", f"{channel.base_url}/ent/v2/tasks?page=0")
        return Call(request, lambda _: Found(None, candidates=found))


async def lister(
    engine: Engine, jobs: dict[str, str], lister_type: type[Lister] = Lister
) -> tuple[Lister, Upstream]:
    providers: Any = engine.operator.providers
    providers["vidu"] = adapter = lister_type(jobs)
    await engine.channel("vidu")
    fake = Upstream(engine.router, "vidu")
    fake.on_submit = [httpx.ReadTimeout("slow")]
    return adapter, fake


async def create(engine: Engine) -> Created:
    return await engine.create(MODELS["vidu"], prompt=PROMPT)


async def job_of(engine: Engine, created: Created) -> str | None:
    [attempt] = await engine.attempts(created)
    return attempt.ref.id if attempt.ref else None


async def settle(engine: Engine) -> None:
    for _ in range(3):
        await engine.tick(seconds=70)


async def test_the_one_job_made_of_the_same_is_taken_up(engine: Engine) -> None:
    adapter, fake = await lister(engine, {"900001": PROMPT, "900002": "another"})
    created = await create(engine)

    await settle(engine)

    assert await job_of(engine, created) == "900001"
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    assert len(fake.submits) == 1
    assert all(one.ends_at > one.sent_at for one in adapter.asked)


@pytest.mark.parametrize("jobs", [{}, {"900001": "another"}, {"900001": PROMPT, "900002": PROMPT}])
async def test_with_none_or_several_nobody_can_tell(engine: Engine, jobs: dict[str, str]) -> None:
    _, fake = await lister(engine, jobs)
    created = await create(engine)

    await settle(engine)

    [attempt] = await engine.attempts(created)
    task = await engine.task(created)
    assert (attempt.status, attempt.ref) == (AttemptStatus.UNKNOWN, None)
    assert task.error is not None
    assert (task.status, task.error.code) == (TaskStatus.FAILED, "submit_outcome_unknown")
    assert len(fake.submits) == 1


async def test_a_job_of_another_attempt_is_not_taken_up(engine: Engine) -> None:
    adapter, fake = await lister(engine, {})
    fake.on_submit = [fake.accept, httpx.ReadTimeout("slow")]
    first, second = await create(engine), await create(engine)
    taken = await job_of(engine, first)
    assert taken is not None
    adapter.jobs |= {taken: PROMPT, "900002": PROMPT}

    await settle(engine)

    assert await job_of(engine, second) == "900002"


async def test_two_that_lost_their_answers_do_not_share_a_job(engine: Engine) -> None:
    await lister(engine, {"900001": PROMPT})
    first, second = await create(engine), await create(engine)

    await settle(engine)

    found = [await job_of(engine, first), await job_of(engine, second)]
    assert sorted(found, key=str) == ["900001", None]


async def test_a_submit_that_may_still_be_answered_is_waited_for(engine: Engine) -> None:
    _, fake = await lister(engine, {"900001": PROMPT})
    first = await create(engine)
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def answer_late() -> Reply:
        arrived.set()
        await may_answer.wait()
        return Reply({"task_id": "900001", "state": "created", "credits": 5})

    fake.on_submit = [lambda _: answer_late()]
    engine.clock.advance(seconds=30)
    late = asyncio.create_task(create(engine))
    await arrived.wait()
    await engine.tick(seconds=35)  # the first one's time is over, the second one's is not
    assert await job_of(engine, first) is None

    may_answer.set()
    second = await late
    await settle(engine)

    assert [await job_of(engine, second), await job_of(engine, first)] == ["900001", None]


class Pages(Lister):
    """Its list has a page for each job."""

    @override
    def find(
        self, lost: LostSubmit, channel: ChannelAccess, now: datetime, *, page: Any = None
    ) -> Call[Found]:
        self.asked.append(lost)
        number = 0 if page is None else page
        job, made_of = list(self.jobs.items())[number]
        found = (UpstreamRef(job, "a kind"),) if made_of == PROMPT else ()
        following = number + 1 if number + 1 < len(self.jobs) else None
        request = httpx.Request("GET", f"{channel.base_url}/ent/v2/tasks?page={number}")
        return Call(request, lambda _: Found(None, next_page=following, candidates=found))


class SlowPages(Pages):
    """It must not be asked more than once a second."""

    page_interval: ClassVar[timedelta] = timedelta(seconds=1)


@pytest.mark.parametrize("lister_type", [Pages, SlowPages])
@pytest.mark.parametrize(
    ("jobs", "taken"),
    [
        ({"900001": PROMPT, "900002": "another", "900003": "a third"}, "900001"),
        ({"900001": "another", "900002": PROMPT}, "900002"),
        ({"900001": PROMPT, "900002": "another", "900003": PROMPT}, None),
    ],
)
async def test_what_earlier_pages_list_counts(
    engine: Engine, lister_type: type[Pages], jobs: dict[str, str], taken: str | None
) -> None:
    _, fake = await lister(engine, jobs, lister_type)
    created = await create(engine)

    await engine.tick(seconds=70)
    for _ in range(10):
        await engine.tick(seconds=1)
    await settle(engine)

    assert await job_of(engine, created) == taken
    [attempt] = await engine.attempts(created)
    assert taken is None or (attempt.ref and attempt.ref.kind) == "a kind"
    assert len(fake.submits) == 1


async def test_a_list_that_may_be_asked_once_a_second_is_not_asked_faster(engine: Engine) -> None:
    adapter, _ = await lister(engine, {"900001": PROMPT, "900002": "b", "900003": "c"}, SlowPages)
    await create(engine)

    asked = []
    await engine.tick(seconds=70)
    for _ in range(6):
        asked.append(len(adapter.asked))
        await engine.tick(seconds=0.5)

    assert asked == [1, 1, 2, 2, 3, 3]
