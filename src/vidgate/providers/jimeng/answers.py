"""What the answers to a submit, a poll and a cancellation mean, in no provider's words."""

import re
from collections.abc import Mapping
from datetime import datetime
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
    VideoResult,
)
from vidgate.providers.answers import NO_LINK, NO_SUCH_PLACE, Answer, to_id, to_url
from vidgate.providers.base import CancelAnswer
from vidgate.providers.jimeng.faults import (
    AMBIGUOUS,
    BAD_INPUT,
    COULD_NOT_ASK,
    KINDS,
    NO_SUCH_ACTION,
    SUCCESS,
    GatewayError,
    ServiceReply,
    read_reply,
    to_fault,
    to_refusal,
    unclear,
    unread,
)
from vidgate.providers.jimeng.models import LINK_LIFETIME
from vidgate.providers.jimeng.polls import Question, write_kind

__all__ = ["read_cancel", "read_poll", "read_submission"]

_TASK_ID = re.compile(r"[!-~]{1,200}")


def read_submission(answer: Answer, question: Question) -> Submission | Rejected:
    """Read the answer to a submit.

    Args:
        answer: To the submit.
        question: How to ask about the job, which the answer does not say.

    Raises:
        ProviderProtocolError: It does not tell whether a job exists.
    """
    if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise unread(answer)
    try:
        reply = read_reply(answer)
    except ProviderProtocolError:
        if answer.status in NO_SUCH_PLACE:
            return Rejected(answer.not_the_api())
        if answer.status != httpx.codes.TOO_MANY_REQUESTS:
            raise
        # Whoever counts requests refused this one, also where it did so in HTML.
        wait = answer.retry_after_seconds
        return Rejected(Fault(FaultKind.RATE, "429", "", retry_after_seconds=wait))
    if isinstance(reply, ServiceReply) and reply.code == SUCCESS:
        task_id = to_id(reply.data.get("task_id"), _TASK_ID)
        if task_id is None:
            raise ProviderProtocolError("Jimeng accepted the job and gave no task id.")
        return Submission(UpstreamRef(task_id, write_kind(question)))

    kind = to_refusal(answer, question.req_key, reply)
    if kind is None or (isinstance(reply, ServiceReply) and "task_id" in reply.data):
        raise unclear(answer, reply)
    if answer.status in NO_SUCH_PLACE and kind is FaultKind.FAULT:
        return Rejected(answer.not_the_api(str(reply.code)))
    return Rejected(to_fault(kind, reply, answer.retry_after_seconds))


# Polling


def read_poll(answer: Answer, asked_at: datetime) -> Outcome:
    """Read the answer to a question about one job.

    Raises:
        ProviderProtocolError: We could not ask.
    """
    is_busy = answer.status == httpx.codes.TOO_MANY_REQUESTS
    if is_busy or answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise unread(answer)
    reply = read_reply(answer)
    if isinstance(reply, GatewayError) or reply.code in COULD_NOT_ASK:
        raise unclear(answer, reply)
    if reply.code == SUCCESS:
        return _read_status(answer, reply.data, asked_at)
    kind = None if reply.code == AMBIGUOUS else KINDS.get(reply.code)
    if kind is None:
        return Unreadable(f"code {reply.code} {reply.message}".rstrip())
    return Failed(to_fault(kind, reply), doubtful=kind is FaultKind.FAULT)


def _read_status(answer: Answer, data: Mapping[str, Any], asked_at: datetime) -> Outcome:
    match data.get("status"):
        case "processing" | "in_queue":  # OmniHuman says the first before the second
            return Pending(started=False)
        case "generating":
            return Pending(started=True)
        case "done":
            return _read_video(answer, data.get("video_url"), asked_at)
        case "not_found":
            return Failed(Fault(FaultKind.NOT_FOUND, "not_found", ""), doubtful=True)
        case "expired":
            return Failed(Fault(FaultKind.EXPIRED, "expired", ""), doubtful=True)
        case other:
            word = other if isinstance(other, str) else type(other).__name__
            return Unreadable(f"unknown status {answer.words(word, limit=60)!r}")


def _read_video(answer: Answer, said: Any, asked_at: datetime) -> Outcome:
    url = to_url(said)
    if url is None:
        fault = Fault(FaultKind.FAULT, "done", "The job is done and has no video_url.", NO_LINK)
        return Failed(fault, doubtful=True)
    try:
        expires_at = (answer.answered_at or asked_at) + LINK_LIFETIME
    except OverflowError:
        return Succeeded(VideoResult(url=url))
    return Succeeded(VideoResult(url=url, expires_at=expires_at))


# Cancelling


_CANCEL_WORDS: Mapping[object, CancelAnswer] = {
    "generating": CancelAnswer.TOO_LATE,
    "processing": CancelAnswer.TOO_LATE,
    "done": CancelAnswer.TOO_LATE,
    "not_found": CancelAnswer.UNKNOWN,
    "expired": CancelAnswer.UNKNOWN,
}
"""Nobody has written down what a cancellation answers; these are the words of a poll."""


def read_cancel(answer: Answer) -> CancelAnswer:
    """Read the answer to a cancellation.

    Only a task in the queue can be cancelled, and a refusal has no code of its own: every definite
    one is taken for that, so that nothing is called cancelled that runs on.

    Raises:
        ProviderProtocolError: It does not say.
    """
    if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise unread(answer)
    reply = read_reply(answer)
    if isinstance(reply, ServiceReply):
        if reply.code == SUCCESS:
            word = reply.data.get("status")
            return _CANCEL_WORDS.get(word if isinstance(word, str) else "", CancelAnswer.ACCEPTED)
        is_definite = reply.code in BAD_INPUT or answer.status == httpx.codes.BAD_REQUEST
        if is_definite and reply.code not in COULD_NOT_ASK:
            return CancelAnswer.TOO_LATE
    elif reply.word == NO_SUCH_ACTION:
        return CancelAnswer.TOO_LATE
    raise unclear(answer, reply)
