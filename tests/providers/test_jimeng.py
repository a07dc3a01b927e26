import json
import random
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.support.adapters import answer
from tests.support.jimeng import DATA, JIMENG, NOW, VIDEO_URL, load, poll, submit

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import (
    Failed,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    VideoResult,
)
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskSnapshot, TaskStatus

ODD_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    10000,
    10000.0,
    "10000",
    1e999,
    10**300,
    "",
    "\x00\ud800",
    "done",
    [],
    {},
    [{}],
    {"Error": "word"},
    {"Error": {"Code": 5, "CodeN": "x"}},
    {"code": 10000},
]


def mutate(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.25:
        return dice.choice(ODD_VALUES)
    if isinstance(value, dict):
        members = {key: mutate(inner, dice) for key, inner in value.items()}
        if dice.random() < 0.2:
            members[dice.choice(["Result", "ResponseMetadata", "code", "data"])] = dice.choice(
                ODD_VALUES
            )
        return members
    return value


def assert_never_raises_anything_else(response: httpx.Response) -> None:
    try:
        assert isinstance(submit(response), (Submission, Rejected))
    except ProviderProtocolError as error:
        str(error).encode()
    try:
        assert isinstance(poll(response), (Pending, Succeeded, Failed, Unreadable))
    except ProviderProtocolError as error:
        str(error).encode()


STATUSES = [200, 204, 302, 400, 401, 403, 404, 429, 500, 502]


def snapshot(status: TaskStatus, **more: Any) -> TaskSnapshot:
    return TaskSnapshot(
        id=UUID(int=1),
        account_id=UUID(int=2),
        token_id=UUID(int=2),
        revision=1,
        status=status,
        model="jimeng_v30",
        provider="jimeng",
        upstream_model="jimeng_t2v_v30",
        created_at=NOW,
        **more,
    )


def test_random_bytes() -> None:
    dice = random.Random(20261120)  # noqa: S311 - the same bytes every time
    for _ in range(500):
        content = dice.randbytes(dice.randrange(60))
        header = {"date": dice.choice(["", "x", "Fri, 20 Nov 2026 99:00:00 GMT"])}
        response = httpx.Response(dice.choice(STATUSES), headers=header, content=content)
        assert_never_raises_anything_else(response)


def test_random_changes_of_real_answers() -> None:
    dice = random.Random(20261121)  # noqa: S311 - the same changes every time
    names = sorted(path.stem for path in DATA.glob("[sp][uo]*.json"))
    bodies = [data["body"] for data in map(load, names) if "body" in data]
    for _ in range(1500):
        body = json.dumps(mutate(dice.choice(bodies), dice)).encode()
        if dice.random() < 0.2:
            body = body[: dice.randrange(len(body) + 1)]
        assert_never_raises_anything_else(httpx.Response(dice.choice(STATUSES), content=body))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"code":' + b"1" * 5000 + b"}",
        b'{"code":NaN}',
        b'{"code":10000}\xff',
        b"\xff\xfe{\x00}\x00",
        b'{"code":true,"data":{"status":"done"}}',
    ],
)
def test_hostile_answers(content: bytes) -> None:
    for http_status in (200, 400, 500):
        with pytest.raises(ProviderProtocolError):
            submit(httpx.Response(http_status, content=content))
        with pytest.raises(ProviderProtocolError):
            poll(httpx.Response(http_status, content=content))


@pytest.mark.parametrize("task_id", [None, "", True, 1.5, [], "a b", "x\x00", "\ud800", "1" * 300])
def test_accepted_with_an_id_that_cannot_be_one_is_unclear(task_id: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        submit(answer(200, {"code": 10000, "data": {"task_id": task_id}}))


# Our own answers in the provider's shape


@pytest.mark.parametrize(
    ("status", "word"), [(TaskStatus.QUEUED, "in_queue"), (TaskStatus.IN_PROGRESS, "generating")]
)
def test_native_answer_while_unfinished(status: TaskStatus, word: str) -> None:
    task = snapshot(status)

    assert JIMENG.native_answer(task) == {
        "code": 10000,
        "data": {"status": word},
        "message": "Success",
        "request_id": task.public_id,
        "status": 10000,
        "time_elapsed": "0ms",
    }


def test_native_answer_of_a_success_reads_back_as_one() -> None:
    output = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=VideoResult(url=VIDEO_URL))

    native = JIMENG.native_answer(snapshot(TaskStatus.SUCCEEDED, outputs=(output,)))

    assert native["data"] == {"status": "done", "video_url": VIDEO_URL, "aigc_meta_tagged": False}
    outcome = poll(answer(200, native))
    assert isinstance(outcome, Succeeded)
    assert outcome.result.url == VIDEO_URL


@pytest.mark.parametrize(
    ("status", "error", "code", "message"),
    [
        (TaskStatus.FAILED, TaskError("upstream_error", "It failed."), 50520, "It failed."),
        (TaskStatus.FAILED, None, 50520, "The task failed."),
        (
            TaskStatus.FAILED,
            TaskError("content_policy_violation", "Refused."),
            50412,
            "Refused.",
        ),
        (TaskStatus.FAILED, TaskError("invalid_parameter", "Too long."), 50215, "Too long."),
        (TaskStatus.CANCELLED, None, 50520, "The task was cancelled."),
    ],
)
def test_native_answer_of_a_failure(
    status: TaskStatus, error: TaskError | None, code: int, message: str
) -> None:
    native = JIMENG.native_answer(snapshot(status, error=error))

    assert (native["code"], native["status"]) == (code, code)
    assert native["data"] is None
    assert native["message"] == message
    # Who asks us as the vendor is to be asked must see an end, not a reason to ask again.
    assert isinstance(poll(answer(200, native)), Failed)
