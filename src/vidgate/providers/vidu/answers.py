"""From Vidu's answers to outcomes."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from vidgate.models.outcomes import (
    Failed,
    Fault,
    FaultKind,
    Found,
    Outcome,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
    VideoResult,
)
from vidgate.providers.answers import (
    COULD_NOT_ASK,
    NO_SUCH_PLACE,
    Answer,
    link_ends_at,
    probe_sentence,
    to_id,
    to_measure,
    to_object,
    to_pixels,
    to_progress,
    to_seed,
    to_url,
    without_video,
)
from vidgate.providers.base import CancelAnswer, ProbeAnswer
from vidgate.providers.vidu import faults
from vidgate.providers.vidu.faults import ErrorBody

__all__ = [
    "PAGE_SIZE",
    "to_cancel_answer",
    "to_found",
    "to_outcome",
    "to_probe_answer",
    "to_submission",
]

PAGE_SIZE = 100
"""The most that one page of the listing holds."""

_DEFAULT_PAGE_SIZE = 10
"""What a page holds if the server does not read our page size."""

_URL_LIFETIME = timedelta(hours=24)
"""Of result URLs that do not say it themselves."""

_UPSTREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Decimal digits so far. Nothing that could change a path is taken for an id."""

_MAX_CREDITS = Decimal(10) ** 12
"""Above it a number is nonsense, and would not fit where it is kept."""


# Submit


def to_submission(answer: Answer) -> Submission | Rejected:
    """Read the answer to a submit.

    Raises:
        ProviderProtocolError: A job may exist.
    """
    body, status, is_success = (
        answer.body or {},
        faults.status_of(answer),
        answer.response.is_success,
    )
    job_id = to_id(body.get("task_id"), _UPSTREAM_ID)
    if is_success and job_id is not None:
        # A job that is "failed" from the start exists all the same, and the poll says why.
        cost = _credits(body.get("credits"))
        return Submission(UpstreamRef(job_id), seed=to_seed(body.get("seed")), cost=cost)
    may_exist = is_success and (body.get("task_id") or body.get("id"))
    if may_exist or status in faults.MAY_EXIST or not httpx.codes.is_client_error(status):
        raise answer.unclear("no certain refusal")
    error = faults.read_error(answer)
    code = error.code if error else ""
    if not is_success and status in NO_SUCH_PLACE and code not in faults.KNOWN_CODES:
        return Rejected(answer.not_the_api())
    if error is None or code in faults.UNCERTAIN_CODES:
        raise faults.unclear(answer, error)
    is_elsewhere = code == "NotFound"
    return Rejected(answer.not_the_api(code) if is_elsewhere else faults.to_fault(error, answer))


# Poll


def to_outcome(answer: Answer, ref: UpstreamRef, asked_at: datetime) -> Outcome:
    """Read the answer to the question about one job.

    Raises:
        ProviderProtocolError: We could not ask.
    """
    if not answer.response.is_success:
        error = faults.read_error(answer)
        if answer.status == httpx.codes.NOT_FOUND and error and error.code == "TaskNotFound":
            fault = Fault(FaultKind.NOT_FOUND, code=error.code, message=error.message)
            return Failed(fault, doubtful=True)
        raise faults.unclear(answer, error)
    body = answer.body or {}
    state = body.get("state")
    if not isinstance(state, str) or not state:
        raise answer.unclear("no state")
    told_id = body.get("id")
    if told_id not in (None, "") and to_id(told_id, _UPSTREAM_ID) != ref.id:
        return Unreadable("The answer is about another job.")
    return _by_state(answer, body, state, asked_at)


def _by_state(answer: Answer, body: Mapping[str, Any], state: str, asked_at: datetime) -> Outcome:
    match state:
        case "created" | "queueing":
            return Pending(started=False)
        case "processing":
            percent = body.get("progress")
            progress = to_progress(percent) if isinstance(percent, int) else None
            return Pending(started=True, progress=progress)
        case "success":
            return _finished(body, asked_at)
        case "failed":
            code = answer.words(body.get("err_code"), limit=100)
            message = answer.words(body.get("err_msg"))
            return Failed(faults.to_job_fault(ErrorBody(code or "failed", message)))
        case "canceled" | "cancelled":
            return Failed(Fault(FaultKind.CANCELLED, code=state, message="cancelled"))
        case _:
            told = answer.words(state, limit=60)
            return Unreadable(f"The state {told!r} is unknown.", is_new_word=True)


def _finished(body: Mapping[str, Any], asked_at: datetime) -> Outcome:
    creations = body.get("creations")
    if isinstance(creations, dict):
        creations = [creations]
    if not isinstance(creations, list | None):
        return Unreadable("The finished job has creations that are not a list.")
    for creation in creations or ():
        if not isinstance(creation, dict):
            return Unreadable("The finished job has a creation that is not an object.")
        if creation.get("url") in (None, ""):
            continue
        url = to_url(creation["url"])
        if url is None:
            return Unreadable("The finished job has a creation whose url is not a URL.")
        return Succeeded(_result(body, creation, url, asked_at))
    return without_video("no_url", "success without a video")


def _result(
    body: Mapping[str, Any], creation: Mapping[str, Any], url: str, asked_at: datetime
) -> VideoResult:
    video = to_object(creation.get("video"))
    size = to_object(video.get("resolution"))
    cost = _credits(body.get("credits"))
    return VideoResult(
        url=url,
        cover_url=to_url(creation.get("cover_url")),
        watermarked_url=to_url(creation.get("watermarked_url")),
        expires_at=link_ends_at(url) or asked_at + _URL_LIFETIME,
        duration_seconds=to_measure(video.get("duration")),
        fps=to_measure(video.get("fps")),
        width=to_pixels(size.get("width")),
        height=to_pixels(size.get("height")),
        seed=to_seed(body.get("seed")),
        cost=cost,
        cost_unit=None if cost is None else "credits",
        upstream_id=to_id(creation.get("id"), _UPSTREAM_ID),
    )


# Cancel

_NO_SUCH_JOB = frozenset({"TaskNotFound", "CreationNotFound", "NotFound", "CODEC"})
"""`CODEC` is what an id gets that is not a number."""


def to_cancel_answer(answer: Answer) -> CancelAnswer:
    """Read the answer to a cancellation. What a running job says is not documented.

    Raises:
        ProviderProtocolError: It does not say.
    """
    if answer.response.is_success:
        body = answer.body
        is_error = body is None or any(map(body.get, ("reason", "code", "err_code")))
        if answer.response.content and is_error:
            raise answer.unclear("no clear answer to a cancellation")
        return CancelAnswer.ACCEPTED
    error = faults.read_error(answer)
    if error is None or not answer.response.is_client_error or answer.status in faults.MAY_EXIST:
        raise faults.unclear(answer, error)
    if error.code in _NO_SUCH_JOB:
        return CancelAnswer.UNKNOWN
    kind = faults.to_fault(error, answer).kind
    if kind is FaultKind.CANCELLED:
        return CancelAnswer.ACCEPTED
    if kind in COULD_NOT_ASK or error.code in faults.UNCERTAIN_CODES:
        raise faults.unclear(answer, error)
    return CancelAnswer.TOO_LATE


# Find


def to_found(answer: Answer, correlation: str, since: datetime, page: Mapping[str, Any]) -> Found:
    """Look for a submit in one page of the listing.

    That the provider has no such job is said only when the listing certainly was read to its end,
    and every job in its window told its `payload`.

    Args:
        answer: The page.
        correlation: What the submit carried as `payload`.
        since: Where the window of the listing begins.
        page: Which page was asked for: its number, or its token.

    Raises:
        ProviderProtocolError: It does not say.
    """
    if not answer.response.is_success or answer.body is None:
        error = None if answer.response.is_success else faults.read_error(answer)
        raise answer.unclear(error.code if error else "no listing")
    jobs = answer.body.get("tasks")
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise answer.unclear("a listing without tasks")
    for job in jobs:
        if job.get("payload") == correlation:
            ids = (to_id(job.get(name), _UPSTREAM_ID) for name in ("id", "task_id"))
            job_id = next(filter(None, ids), None)
            if job_id is None:
                raise answer.unclear("a listed task without an id")
            return Found(UpstreamRef(job_id))
    if any(not isinstance(job.get("payload"), str) and _is_within(job, since) for job in jobs):
        raise answer.unclear("a listed task without its payload")
    return _next(answer, jobs, answer.body.get("next_page_token"), page)


def _is_within(job: Mapping[str, Any], since: datetime) -> bool:
    """Whether a job may be as young as the submit that is looked for."""
    created_at = job.get("created_at")
    if not isinstance(created_at, str):
        return True
    try:
        return datetime.fromisoformat(created_at) >= since
    except (ValueError, TypeError):
        return True


def _next(answer: Answer, jobs: list[dict[str, Any]], token: Any, page: Mapping[str, Any]) -> Found:
    if token not in (None, ""):
        if not isinstance(token, str) or not token.isprintable() or token == page.get("token"):
            raise answer.unclear("a listing that does not go on")
        return Found(None, next_page={"token": token})
    if "token" in page:
        return Found(None)
    first = answer.words(str(jobs[0].get("id")), limit=64) if jobs else None
    if first is not None and first == page.get("first"):
        raise answer.unclear("a listing that does not turn its pages")
    # The page's size goes by two names in the documentation. Below the smaller of both possible
    # sizes it is the last one whichever the server reads; otherwise the next one tells.
    if len(jobs) < _DEFAULT_PAGE_SIZE:
        return Found(None)
    number = page.get("page")
    following = number + 1 if isinstance(number, int) else 1
    return Found(None, next_page={"page": following, "first": first})


# Credits


def _amount(value: Any) -> Decimal | None:
    """Read an amount of credits, below 0 too; `None` for nonsense."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value)[:40])
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() and abs(amount) < _MAX_CREDITS else None


def _credits(value: Any) -> str | None:
    amount = _amount(value)
    if amount is None or amount < 0:
        return None
    text = format(abs(amount).quantize(Decimal("0.000001")), "f")
    return text.rstrip("0").rstrip(".")


# The channel's test

_ALIEN = "The base URL answers, but not as Vidu does; check that it is Vidu's API."
_NO_CREDITS = (
    "The server answers as Vidu does but tells no credits, so that the key could not be checked; "
    "the first video will tell."
)
"""Of gateways that speak Vidu's format."""

_SENTENCES: Mapping[int, str] = {
    401: "Vidu refuses the key: check it, and that the base URL is that of the site it was made "
    "on, since keys of api.vidu.com and api.vidu.cn are not interchangeable.",
    403: "Vidu knows the key but does not let it ask for credits; check its permissions.",
}


def to_probe_answer(answer: Answer) -> ProbeAnswer:
    """Say what the question for credits tells of a channel."""
    status, where = answer.status, answer.address
    if answer.response.is_success:
        return _read_credits(answer)
    error = faults.read_error(answer)
    if error is None:
        return ProbeAnswer.bad(
            f"{where} answers {status}, and not in Vidu's form; check that the base URL is "
            "https://api.vidu.com or https://api.vidu.cn."
        )
    if status == httpx.codes.NOT_FOUND:
        return ProbeAnswer.good(f"{_NO_CREDITS} {where} answers {status}: check the base URL.")
    return ProbeAnswer.bad(
        _SENTENCES.get(status) or probe_sentence(answer, faults.to_fault(error, answer).kind)
    )


def _read_credits(answer: Answer) -> ProbeAnswer:
    body = answer.body or {}
    # The documentation's table and its sample name the list differently.
    remains = body.get("remains", body.get("remaining_credits"))
    if not isinstance(remains, list) or not all(isinstance(one, dict) for one in remains):
        return ProbeAnswer.bad(_ALIEN)
    amounts = [_amount(one.get("credit_remain")) for one in remains]
    known = [amount for amount in amounts if amount is not None]
    left = sum(known, Decimal(0))
    by_slots = any(one.get("type") == "concurrent" for one in remains)
    if left <= 0 and len(known) == len(amounts) and not by_slots:
        return ProbeAnswer.bad(probe_sentence(answer, FaultKind.BALANCE))
    told = f"{left:,f}" if left != left.to_integral_value() else f"{int(left):,}"
    return ProbeAnswer.good(f"The key is right, and {told} credits remain.")
