"""From Vidu's answers to outcomes."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from vidgate.exceptions import ProviderProtocolError
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
from vidgate.providers.answers import NO_LINK, NO_SUCH_PLACE, parse_object, retry_after_seconds
from vidgate.providers.vidu.faults import (
    KNOWN_CODES,
    UNCERTAIN_CODES,
    ErrorBody,
    clean,
    read_error,
    read_refusal,
    to_fault,
    to_job_fault,
    to_place_fault,
    told,
    told_status,
)

__all__ = [
    "PAGE_SIZE",
    "to_found",
    "to_outcome",
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

_WAITING = frozenset({"created", "queueing"})
_CANCELLED = frozenset({"canceled", "cancelled"})

_MAX_SEED = 2**63
_MAX_CREDITS = Decimal(10) ** 12
_MAX_MEASURE = 1_000_000
"""Above these a number is nonsense, and would not fit where it is kept."""


# Submit


def to_submission(sent: httpx.Request, response: httpx.Response) -> Submission | Rejected:
    """Read the answer to a submit.

    Raises:
        ProviderProtocolError: A job may exist.
    """
    if response.is_success:
        body = parse_object(response)
        job_id = _job_id(body.get("task_id")) if body is not None else None
        if body is None or job_id is None:
            return _refused_in_success(sent, response, body)
        # A job that is "failed" from the start exists all the same, and the poll says why.
        return Submission(
            ref=UpstreamRef(job_id),
            seed=_seed(body.get("seed")),
            cost=_credits(body.get("credits")),
        )
    if not response.is_client_error or response.status_code in _MAY_EXIST:
        raise _unclear(sent, response, "no certain refusal")
    error = read_error(sent, response)
    is_nowhere = response.status_code in NO_SUCH_PLACE
    if is_nowhere and (error is None or error.code not in KNOWN_CODES):
        return Rejected(to_place_fault(sent, response))
    if error is None:
        raise _unclear(sent, response, "an error that is not the provider's own")
    return _refused(sent, response, error)


def _refused(sent: httpx.Request, response: httpx.Response, error: ErrorBody) -> Rejected:
    if error.code in UNCERTAIN_CODES:
        raise _unclear(sent, response, error.code)
    if error.code == _NO_SUCH_PATH:
        return Rejected(to_place_fault(sent, response, error.code))
    return Rejected(to_fault(error, response))


def _refused_in_success(
    sent: httpx.Request, response: httpx.Response, body: Mapping[str, Any] | None
) -> Rejected:
    error = read_refusal(sent, response)
    ids = () if body is None else (body.get("task_id"), body.get("id"))
    status = told_status(response)
    is_theirs = status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _MAY_EXIST
    if error is None or is_theirs or any(value not in (None, "") for value in ids):
        raise _unclear(sent, response, "a success without a task id")
    return _refused(sent, response, error)


_NO_SUCH_PATH = "NotFound"
_MAY_EXIST = frozenset({408, 499})
"""The exchange was cut off; the work behind it perhaps was not."""


# Poll


def to_outcome(
    sent: httpx.Request, response: httpx.Response, ref: UpstreamRef, asked_at: datetime
) -> Outcome:
    """Read the answer to the question about one job.

    Raises:
        ProviderProtocolError: We could not ask.
    """
    if not response.is_success:
        return _refused_poll(sent, response)
    body = parse_object(response)
    state = body.get("state") if body is not None else None
    if body is None or not isinstance(state, str) or not state:
        raise _unclear(sent, response, "no state")
    told_id = body.get("id")
    if told_id not in (None, "") and _job_id(told_id) != ref.id:
        return Unreadable("The answer is about another job.")
    return _by_state(sent, body, state, asked_at)


def _by_state(
    sent: httpx.Request, body: Mapping[str, Any], state: str, asked_at: datetime
) -> Outcome:
    if state in _WAITING:
        return Pending(started=False)
    if state == "processing":
        return Pending(started=True, progress=_progress(body.get("progress")))
    if state == "success":
        return _finished(body, asked_at)
    if state == "failed":
        code = clean(body.get("err_code"), sent, limit=100)
        message = clean(body.get("err_msg"), sent)
        return Failed(to_job_fault(ErrorBody(code=code or "failed", message=message)))
    if state in _CANCELLED:
        return Failed(Fault(FaultKind.CANCELLED, code=state, message="cancelled"))
    return Unreadable(f"The state {clean(state, sent, limit=60)!r} is unknown.")


def _refused_poll(sent: httpx.Request, response: httpx.Response) -> Outcome:
    error = read_error(sent, response)
    if response.status_code == httpx.codes.NOT_FOUND and error and error.code == "TaskNotFound":
        fault = Fault(FaultKind.NOT_FOUND, code=error.code, message=error.message)
        return Failed(fault, doubtful=True)
    raise _unclear(
        sent, response, error.code if error else "an error that is not the provider's own"
    )


def _finished(body: Mapping[str, Any], asked_at: datetime) -> Outcome:
    creations = body.get("creations")
    if isinstance(creations, dict):
        creations = [creations]
    if creations is None:
        creations = []
    if not isinstance(creations, list):
        return Unreadable("The finished job has creations that are no list.")
    for creation in creations:
        if not isinstance(creation, dict):
            return Unreadable("The finished job has a creation that is no object.")
        url = creation.get("url")
        if url in (None, ""):
            continue
        if not _is_url(url):
            return Unreadable("The finished job has a creation whose url is no URL.")
        return Succeeded(_result(body, creation, url, asked_at))
    fault = Fault(
        FaultKind.FAULT, code="no_url", message="success without a video", safe_message=NO_LINK
    )
    return Failed(fault, doubtful=True)


def _result(
    body: Mapping[str, Any], creation: Mapping[str, Any], url: str, asked_at: datetime
) -> VideoResult:
    video = creation.get("video")
    video = video if isinstance(video, dict) else {}
    size = video.get("resolution")
    size = size if isinstance(size, dict) else {}
    credits_used = _credits(body.get("credits"))
    return VideoResult(
        url=url,
        cover_url=_url_or_none(creation.get("cover_url")),
        watermarked_url=_url_or_none(creation.get("watermarked_url")),
        expires_at=_expires_at(url, asked_at),
        duration_seconds=_measure(video.get("duration")),
        fps=_measure(video.get("fps")),
        width=_pixels(size.get("width")),
        height=_pixels(size.get("height")),
        seed=_seed(body.get("seed")),
        cost=credits_used,
        cost_unit=None if credits_used is None else "credits",
        upstream_id=_job_id(creation.get("id")),
    )


# Find


def to_found(
    sent: httpx.Request,
    response: httpx.Response,
    correlation: str,
    since: datetime,
    page: Mapping[str, Any],
) -> Found:
    """Look for a submit in one page of the listing.

    That the provider has no such job is said only when the listing certainly was read to its end,
    and every job in its window told its `payload`.

    Args:
        sent: The question.
        response: The page.
        correlation: What the submit carried as `payload`.
        since: Where the window of the listing begins.
        page: Which page was asked for: its number, or its token.

    Raises:
        ProviderProtocolError: It does not say.
    """
    body = parse_object(response) if response.is_success else None
    if body is None:
        error = None if response.is_success else read_error(sent, response)
        raise _unclear(sent, response, error.code if error else "no listing")
    jobs = body.get("tasks")
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise _unclear(sent, response, "a listing without tasks")
    for job in jobs:
        if job.get("payload") == correlation:
            return _match(sent, response, job)
    if any(not isinstance(job.get("payload"), str) and _is_within(job, since) for job in jobs):
        raise _unclear(sent, response, "a listed task without its payload")
    return _next(sent, response, jobs, body.get("next_page_token"), page)


def _match(sent: httpx.Request, response: httpx.Response, job: Mapping[str, Any]) -> Found:
    job_id = _job_id(job.get("id")) or _job_id(job.get("task_id"))
    if job_id is None:
        raise _unclear(sent, response, "a listed task without an id")
    return Found(UpstreamRef(job_id))


def _is_within(job: Mapping[str, Any], since: datetime) -> bool:
    """Whether a job may be as young as the submit that is looked for."""
    created_at = job.get("created_at")
    if not isinstance(created_at, str):
        return True
    try:
        return datetime.fromisoformat(created_at) >= since
    except (ValueError, TypeError):
        return True


def _next(
    sent: httpx.Request,
    response: httpx.Response,
    jobs: list[dict[str, Any]],
    token: Any,
    page: Mapping[str, Any],
) -> Found:
    if token not in (None, ""):
        if not isinstance(token, str) or not token.isprintable() or token == page.get("token"):
            raise _unclear(sent, response, "a listing that does not go on")
        return Found(None, next_page={"token": token})
    if "token" in page:
        return Found(None)
    first = clean(str(jobs[0].get("id")), sent, limit=64) if jobs else None
    if first is not None and first == page.get("first"):
        raise _unclear(sent, response, "a listing that does not turn its pages")
    # The page's size goes by two names in the documentation. Below the smaller of both possible
    # sizes it is the last one whichever the server reads; otherwise the next one tells.
    if len(jobs) < _DEFAULT_PAGE_SIZE:
        return Found(None)
    number = page.get("page")
    following = number + 1 if isinstance(number, int) else 1
    return Found(None, next_page={"page": following, "first": first})


# Single values


def _unclear(sent: httpx.Request, response: httpx.Response, what: str) -> ProviderProtocolError:
    return ProviderProtocolError(
        f"Vidu answered {response.status_code}, {what}: {told(sent, response)}.",
        retry_after_seconds=retry_after_seconds(response),
    )


def _job_id(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_SEED * 2:
        value = str(value)
    if isinstance(value, str) and _UPSTREAM_ID.fullmatch(value):
        return value
    return None


def _progress(value: Any) -> int | None:
    is_percent = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100  # noqa: PLR2004 - percent
    return value if is_percent else None


def _seed(value: Any) -> int | None:
    is_seed = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_SEED
    return value if is_seed else None


def _credits(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value)[:40])
    except (InvalidOperation, ValueError):
        return None
    if not amount.is_finite() or not 0 <= amount < _MAX_CREDITS:
        return None
    text = format(abs(amount).quantize(Decimal("0.000001")), "f")
    return text.rstrip("0").rstrip(".")


def _measure(value: Any) -> float | None:
    """Read a positive number; the vendor writes 0 where it does not know."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value < _MAX_MEASURE else None


def _pixels(value: Any) -> int | None:
    number = _measure(value)
    return int(number) if number is not None and number == int(number) else None


def _is_url(value: Any) -> bool:
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _url_or_none(value: Any) -> str | None:
    return value if _is_url(value) else None


def _expires_at(url: str, asked_at: datetime) -> datetime:
    """When a result URL ends: what its signature says, else a day after it was asked for."""
    query = parse_qs(urlsplit(url).query)

    def digits(name: str, pattern: str) -> str | None:
        value = query.get(name, [""])[0]
        return value if re.fullmatch(pattern, value) else None

    signed_at = digits("X-Amz-Date", r"[0-9]{8}T[0-9]{6}Z")
    lifetime = digits("X-Amz-Expires", r"[0-9]{1,7}")
    if signed_at and lifetime:
        try:
            begin = datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return begin + timedelta(seconds=int(lifetime))
        except (ValueError, OverflowError):
            pass
    if epoch := digits("Expires", r"[0-9]{10}"):
        return datetime.fromtimestamp(int(epoch), tz=UTC)
    return asked_at + _URL_LIFETIME
