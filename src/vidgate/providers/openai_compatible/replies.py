"""From a compatible server's answers to outcomes."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import (
    Failed,
    Fault,
    FaultKind,
    Outcome,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
)
from vidgate.providers.answers import parse_object, retry_after_seconds
from vidgate.providers.openai_compatible.faults import (
    MAY_EXIST,
    ErrorBody,
    clean,
    error_of,
    is_refusal,
    is_refused_for_certain,
    says_no_such_job,
    to_fault,
    to_follow_up_fault,
    to_job_fault,
    told,
)
from vidgate.providers.openai_compatible.following import is_follow_up
from vidgate.providers.openai_compatible.results import find_url, to_result
from vidgate.providers.openai_compatible.values import job_id, layers, to_progress

__all__ = ["to_outcome", "to_submission"]

_WAITING = frozenset(
    {
        *("queued", "queueing", "queuing", "in_queue", "pending", "submitted", "accepted"),
        *("created", "not_start", "not_started", "waiting", "scheduled", "preparing"),
    }
)
_WORKING = frozenset(
    {"in_progress", "processing", "running", "generating", "started", "rendering", "working"}
)
_DONE = frozenset({"completed", "complete", "succeeded", "success", "succeed", "finished", "done"})
_FAILED = frozenset({"failed", "failure"})
_ENDED: Mapping[str, FaultKind] = {
    "cancelled": FaultKind.CANCELLED,
    "canceled": FaultKind.CANCELLED,
    "expired": FaultKind.EXPIRED,
    "timeout": FaultKind.EXPIRED,
    "timed_out": FaultKind.EXPIRED,
}

_ENVELOPE_WORDS = frozenset({"success", "ok"})
"""What `status` says where it is about the call, and the job's own is in `data`."""

_CERTAIN_WITHOUT_WORDS = frozenset({401, 403, 404, 405, 413, 414, 415, 429, 431})
"""Also as the HTML page of a proxy these are given before anything is passed on."""


# Submit


def to_submission(sent: httpx.Request, response: httpx.Response) -> Submission | Rejected:
    """Read the answer to a submit.

    Raises:
        ProviderProtocolError: A job may exist.
    """
    body = parse_object(response)
    error = error_of(sent, body) if body is not None else None
    if response.is_success:
        return _accepted(sent, response, body, error)
    follows = is_follow_up(sent.url.path)
    read = to_follow_up_fault if follows else to_fault
    if follows and error is not None and _is_about_the_video(error, response):
        return Rejected(read(error, sent, response))
    is_certain = response.status_code not in MAY_EXIST and not _met_our_key(error, response)
    if response.is_client_error and is_certain:
        if error is not None:
            return Rejected(read(error, sent, response))
        if response.status_code in _CERTAIN_WITHOUT_WORDS:
            return Rejected(read(ErrorBody(code="", words=(), message=""), sent, response))
    if response.is_server_error and error and is_refused_for_certain(error, response):
        return Rejected(to_fault(error, sent, response))
    raise _unclear(sent, response, "no certain refusal")


def _met_our_key(error: ErrorBody | None, response: httpx.Response) -> bool:
    """Whether our key was used for other words: an earlier submit of ours arrived, and may run."""
    told = " ".join((*error.words, error.message)).lower() if error is not None else ""
    return response.status_code == httpx.codes.UNPROCESSABLE_ENTITY and "idempoten" in told


def _is_about_the_video(error: ErrorBody, response: httpx.Response) -> bool:
    """Whether a conflict is one with the video's state, and not with another call of ours."""
    told = " ".join((*error.words, error.message)).lower()
    is_about_a_call = "idempoten" in told or "in progress" in told
    return response.status_code == httpx.codes.CONFLICT and not is_about_a_call


def _accepted(
    sent: httpx.Request,
    response: httpx.Response,
    body: dict[str, Any] | None,
    error: ErrorBody | None,
) -> Submission | Rejected:
    found = _submitted_id(body) if body is not None else None
    if found is not None:
        # A job that is "failed" from the start exists all the same, and the poll says why.
        return Submission(ref=UpstreamRef(found))
    if body is not None and error is not None and is_refusal(error, body):
        return Rejected(to_fault(error, sent, response))
    raise _unclear(sent, response, "a success without an id")


def _submitted_id(body: Mapping[str, Any]) -> str | None:
    outer, *inner = layers(body)
    candidates = [outer.get("id"), outer.get("task_id")]
    # Inside an envelope `id` may be the row's number, which no question can be asked by.
    candidates += [layer.get(name) for layer in inner for name in ("task_id", "id")]
    if body.get("code") == "success":
        candidates.append(body.get("data"))
    return next((found for value in candidates if (found := job_id(value))), None)


# Poll


def to_outcome(sent: httpx.Request, response: httpx.Response) -> Outcome:
    """Read the answer to the question about one job.

    Its id is not compared: gateways put their own in front of it, or take it away.

    Raises:
        ProviderProtocolError: We could not ask.
    """
    body = parse_object(response)
    error = error_of(sent, body) if body is not None else None
    has_status = response.is_success and body is not None and any(_status_words(body))
    if body is not None and has_status:
        return _by_status(sent, body)
    if error is not None and says_no_such_job(error, response):
        code = error.code or "not_found"
        fault = Fault(FaultKind.NOT_FOUND, code=code, message=error.message)
        return Failed(fault, doubtful=True)
    if response.is_success and body is not None:
        return Unreadable(f"The answer has no status: {told(sent, response)}")
    raise _unclear(sent, response, "no job")


def _by_status(sent: httpx.Request, body: Mapping[str, Any]) -> Outcome:
    words = list(_status_words(body))
    word = words[-1]
    # An envelope's own word is about the call; any other pair must mean the same.
    outer = words[0]
    if outer not in _ENVELOPE_WORDS and _meaning(outer) != _meaning(word):
        return Unreadable("The answer has two statuses that contradict each other.")
    if word in _WAITING or word in _WORKING:
        return Pending(started=word in _WORKING, progress=to_progress(body))
    if word in _DONE or word in _FAILED or word in _ENDED:
        return _ended(sent, body, word)
    return Unreadable(f"The status {clean(word, sent, limit=60)!r} is unknown.")


def _ended(sent: httpx.Request, body: Mapping[str, Any], word: str) -> Outcome:
    # "success" and "failed" alone may be about the call.
    is_about_a_job = any(
        job_id(layer.get(name)) for layer in layers(body) for name in ("id", "task_id")
    )
    if not is_about_a_job and (word not in _DONE or find_url(sent, body) is None):
        return Unreadable("The answer ends something, but names no job.")
    if word in _DONE:
        return Succeeded(to_result(sent, body))
    return Failed(_fault(sent, body, word))


def _status_words(body: Mapping[str, Any]) -> Iterator[str]:
    for layer in layers(body):
        for name in ("status", "task_status", "state"):
            value = layer.get(name)
            if isinstance(value, str) and value.strip():
                yield value.strip().lower().replace("-", "_").replace(" ", "_")
                break


def _meaning(word: str) -> str:
    if word in _WAITING or word in _WORKING:
        return "pending"
    if word in _DONE:
        return "done"
    # A gateway without a word for a cancelled or an expired job says that it failed.
    return "failed" if word in _FAILED or word in _ENDED else word


def _fault(sent: httpx.Request, body: Mapping[str, Any], word: str) -> Fault:
    if word in _ENDED:
        return Fault(_ENDED[word], code=word, message=word)
    for layer in layers(body):
        if layer.get("error"):
            return to_job_fault(error_of(sent, {"error": layer["error"]}), word)
    reasons = (layer.get("fail_reason") for layer in layers(body))
    message = next((text for reason in reasons if (text := clean(reason, sent))), "")
    return to_job_fault(ErrorBody(code=word, words=(), message=message), word)


def _unclear(sent: httpx.Request, response: httpx.Response, what: str) -> ProviderProtocolError:
    return ProviderProtocolError(
        f"The server answered {response.status_code}, {what}: {told(sent, response)}",
        retry_after_seconds=retry_after_seconds(response),
    )
