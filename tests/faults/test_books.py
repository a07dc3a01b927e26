"""The books of a storm find what is wrong: each of these was spoilt in one way."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from standardwebhooks import Webhook
from tests.faults.books import Answer, Books
from tests.faults.schedule import Order, make_schedule
from tests.support.receiver import Received

from vidgate.models.attempts import Attempt, JobPace
from vidgate.models.outcomes import UpstreamRef
from vidgate.models.tasks import AttemptStatus, TaskError, TaskSnapshot, TaskStatus

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ORDER = Order(
    at=0.0,
    label="boat-1",
    dialect="newapi",
    model="kling-v2-6",
    n=1,
    word="",
    gateway=0,
    has_webhook=True,
    refused_webhooks=0,
    repeated_after=(),
    cancelled_after=None,
    discards=False,
    is_streamed=False,
    waits=False,
)
TASK = TaskSnapshot(
    id=UUID(int=1),
    account_id=UUID(int=2),
    token_id=UUID(int=2),
    revision=2,
    status=TaskStatus.SUCCEEDED,
    model="kling-v2-6",
    provider="kling",
    upstream_model="kling-v2-6",
    asked={"prompt": ORDER.prompt},
    created_at=NOW,
)
ATTEMPT = Attempt(
    id=UUID(int=3),
    task_id=TASK.id,
    position=0,
    number=1,
    channel_id=UUID(int=4),
    credential_id=UUID(int=5),
    provider="kling",
    upstream_model="kling-v2-6",
    endpoint="/v1/videos/text2video",
    correlation="vg_1",
    status=AttemptStatus.SUCCEEDED,
    ref=UpstreamRef("job-1"),
    pace=JobPace(),
    progress=None,
    tries=0,
    polls=1,
    asks=1,
    asked_at=NOW,
    said=None,
    calls=0,
    called_at=None,
    misses=0,
    doubts=0,
    doubted_at=None,
    seen_running_at=None,
    due_at=None,
    deadline_at=NOW,
    sent_at=NOW,
    submit_ends_at=NOW,
    accepted_at=NOW,
    finished_at=NOW,
    find_page=None,
    created_at=NOW,
    last_reason=None,
    fault_kind=None,
    fault_code=None,
    fault_message=None,
)
JOB = {
    "provider": "kling",
    "id": "job-1",
    "correlation": "vg_1",
    "body": {"prompt": ORDER.prompt},
}
SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def look(books: Books, word: str, *, gateway: int = 0) -> None:
    text = orjson.dumps({"status": word}).decode()
    books.seen(TASK.public_id, f"gateway {gateway}", status=200, text=text)


def call(event: str, *, secret: str = SECRET) -> Received:
    headers = {
        "webhook-id": event,
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": Webhook(secret).sign(event, NOW, "{}"),
    }
    return Received(f"/{ORDER.label}", headers, b"{}")


@pytest.fixture
def books() -> Books:
    """Books of one order that went well, by way of a lost answer."""
    books = Books([ORDER])
    books.secret = SECRET
    books.placed(ORDER.label, 200, orjson.dumps({"id": TASK.public_id}).decode())
    for word in ("queued", "processing", "in_progress", "processing", "completed", "succeeded"):
        look(books, word)
    look(books, "processing", gateway=1)  # another replica may be a moment behind
    books.tasks = {TASK.public_id: TASK}
    books.attempts = {TASK.public_id: [ATTEMPT]}
    books.ledger = [JOB]
    books.received = [call("evt_1"), call("evt_1")]
    return books


def test_nothing_is_wrong_with_a_good_day(books: Books) -> None:
    assert books.errors() == []


def test_a_job_may_be_unknown_where_nobody_can_tell(books: Books) -> None:
    unknown = replace(ATTEMPT, provider="jimeng", status=AttemptStatus.UNKNOWN, ref=None)
    books.tasks = {TASK.public_id: replace(TASK, status=TaskStatus.FAILED)}
    books.attempts = {TASK.public_id: [unknown]}
    books.ledger = [{**JOB, "provider": "jimeng", "correlation": None}]
    books._sightings.clear()

    assert books.errors() == []


def accept_twice(books: Books) -> None:
    other = replace(TASK, id=UUID(int=9))
    books.placed(ORDER.label, 200, orjson.dumps({"id": other.public_id}).decode())
    books.tasks[other.public_id] = replace(other, asked={})
    books.attempts[other.public_id] = []


def store_twice(books: Books) -> None:
    other = replace(TASK, id=UUID(int=9))
    books.tasks[other.public_id] = other
    books.attempts[other.public_id] = []


def go_back(books: Books) -> None:
    for word in ("in_progress", "queued"):
        look(books, word, gateway=1)


def refuse(books: Books) -> None:
    books._ids.clear()
    books.placed(ORDER.label, 502, "{}")


def become(**changes: object) -> Callable[[Books], None]:
    def spoil(books: Books) -> None:
        for name, value in changes.items():
            setattr(books, name, value)

    return spoil


def unknown_at(provider: str, jobs: int) -> Callable[[Books], None]:
    unknown = replace(ATTEMPT, provider=provider, status=AttemptStatus.UNKNOWN, ref=None)
    ledger = [
        {**JOB, "provider": provider, "id": f"job-{n}", "correlation": None} for n in range(jobs)
    ]
    return become(attempts={TASK.public_id: [unknown]}, ledger=ledger)


SPOILT: dict[str, tuple[Callable[[Books], None], str]] = {
    "a 500": (lambda books: books.answered(Answer("GET", "/v1/models", 500, "")), "answered 500"),
    "a 504 on a POST": (lambda books: books.answered(Answer("POST", "/", 504, "")), "answered 504"),
    "a lost id": (lambda books: books.answered(Answer("GET", "/", 404, "")), "answered 404"),
    "a crash": (become(exits=[0, 1]), "did so with [0, 1]"),
    "two tasks for a key": (accept_twice, "several tasks for one key"),
    "two tasks stored": (store_twice, "2 tasks are stored"),
    "not final": (
        become(tasks={TASK.public_id: replace(TASK, status=TaskStatus.IN_PROGRESS)}),
        "is in_progress",
    ),
    "blamed": (
        become(tasks={TASK.public_id: replace(TASK, error=TaskError("invalid_parameter", "no"))}),
        "(newapi): TaskError",
    ),
    "not stored": (become(tasks={}, attempts={}, ledger=[]), "is not stored"),
    "back from the end": (lambda books: look(books, "processing"), "went back at gateway 0"),
    "back to the queue": (
        go_back,
        "went back at gateway 1",
    ),
    "two ends": (lambda books: look(books, "failed", gateway=1), "ended in two ways"),
    "seen as not stored": (
        become(tasks={TASK.public_id: replace(TASK, status=TaskStatus.CANCELLED)}),
        "seen otherwise than it is stored",
    ),
    "paid twice": (become(ledger=[JOB, {**JOB, "id": "job-2"}]), "2 jobs were paid for 1 videos"),
    "an attempt paid twice": (
        become(ledger=[JOB, {**JOB, "id": "job-2"}]),
        "2 jobs of one attempt",
    ),
    "two attempts with a job": (
        become(attempts={TASK.public_id: [ATTEMPT, replace(ATTEMPT, ref=UpstreamRef("job-2"))]}),
        "output 0 has 2 attempts with a job",
    ),
    "a job that nobody knows": (
        become(attempts={TASK.public_id: [replace(ATTEMPT, ref=None)]}),
        "a job that nobody knows",
    ),
    "unknown where one can tell": (unknown_at("vidu", 1), "a job that could be found"),
    "more jobs than unknown attempts": (unknown_at("jimeng", 2), "a job that nobody knows"),
    "refused and paid": (refuse, "was refused and paid"),
    "not told": (become(received=[]), "0 webhooks were received"),
    "told twice": (become(received=[call("evt_1"), call("evt_2")]), "2 webhooks were received"),
    "badly signed": (
        become(received=[call("evt_1", secret=SECRET.replace("A", "B"))]),
        "no right signature",
    ),
    "out of balance": (become(imbalance="The budget is wrong."), "The budget is wrong"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_spoilt_is_found(books: Books, name: str) -> None:
    spoil, sentence = SPOILT[name]

    spoil(books)

    assert any(sentence in error for error in books.errors()), books.errors()


def test_a_seed_draws_the_same_storm_again() -> None:
    assert make_schedule(7, 30, gateways=2) == make_schedule(7, 30, gateways=2)
    assert make_schedule(7, 30, gateways=2) != make_schedule(8, 30, gateways=2)


@pytest.mark.parametrize("seed", range(20))
def test_even_a_short_storm_hurts_everything(seed: int) -> None:
    kinds = {event.kind for event in make_schedule(seed, 26, gateways=2).events}

    assert kinds >= {"kill", "terminate", "stop", "cut", "restart", "fault"}
