"""From a compatible server's answers to jobs, and to the videos of finished ones."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

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
from vidgate.providers.answers import (
    MAY_EXIST,
    Answer,
    by_code,
    probe_sentence,
    to_id,
    to_measure,
    to_pixels,
    to_progress,
    to_seed,
    to_time,
    to_url,
)
from vidgate.providers.base import ProbeAnswer
from vidgate.providers.openai_compatible import faults
from vidgate.providers.openai_compatible.faults import ErrorBody
from vidgate.providers.openai_compatible.follow_ups import is_follow_up

__all__ = ["to_outcome", "to_probe_answer", "to_submission"]

T = TypeVar("T")

_WAITING = (
    *("queued", "queueing", "queuing", "in_queue", "pending", "submitted", "accepted"),
    *("created", "not_start", "not_started", "waiting", "scheduled", "preparing"),
)
_WORKING = ("in_progress", "processing", "running", "generating", "started", "rendering", "working")
_DONE = ("completed", "complete", "succeeded", "success", "succeed", "finished", "done")
_FAILED = ("failed", "failure")
_ENDED = by_code(
    {"cancelled canceled": FaultKind.CANCELLED, "expired timeout timed_out": FaultKind.EXPIRED}
)
_MEANINGS: Mapping[str, str] = {
    **dict.fromkeys((*_WAITING, *_WORKING), "pending"),
    **dict.fromkeys(_DONE, "done"),
    # A gateway without a word for a cancelled or an expired job says that it failed.
    **dict.fromkeys((*_FAILED, *_ENDED), "failed"),
}

_ENVELOPE_WORDS = frozenset({"success", "ok"})
"""What `status` says where it is about the call, and the job's own is in `data`."""

_CERTAIN_WITHOUT_WORDS = frozenset({401, 403, 404, 405, 413, 414, 415, 429, 431})
"""Also as the HTML page of a proxy these are given before anything is passed on."""

_URLS = ("url", "video_url", "result_url", "output_url", "download_url")
_PLACES = ("output", "outputs", "result", "results", "video", "videos", "content", "metadata")
"""Where servers lay what was made; in this order, and then in what lies in it."""

_COVERS = ("cover_url", "thumbnail_url", "cover_image_url")
_DEEPEST = 3

_SIZE = re.compile(r"([1-9][0-9]{0,4})[xX*]([1-9][0-9]{0,4})")


def _layers(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The body, and what is in its envelope if it has one: an object, or a list of one.

    What lies deeper is the answer of somebody behind the server.
    """
    inner = body.get("data")
    if isinstance(inner, list) and len(inner) == 1:
        inner = inner[0]
    return [body, inner] if isinstance(inner, Mapping) else [body]


# Submit


def to_submission(answer: Answer) -> Submission | Rejected:
    """Read the answer to a submit.

    Raises:
        ProviderProtocolError: A job may exist.
    """
    error = faults.read_error(answer, answer.body)
    response = answer.response
    if response.is_success:
        return _accepted(answer, error)
    follows = is_follow_up(answer.sent.url.path)
    read = faults.to_follow_up_fault if follows else faults.to_fault
    told = error.told if error is not None else ""
    # A conflict with the video's state, and not with another call of ours.
    is_conflict = answer.status == httpx.codes.CONFLICT and "in progress" not in told
    if follows and error is not None and is_conflict and "idempoten" not in told:
        return Rejected(read(error, answer))
    # Our key was used for other words: an earlier submit of ours arrived, and may run.
    has_met_our_key = answer.status == httpx.codes.UNPROCESSABLE_ENTITY and "idempoten" in told
    if response.is_client_error and answer.status not in MAY_EXIST and not has_met_our_key:
        if error is not None:
            return Rejected(read(error, answer))
        if answer.status in _CERTAIN_WITHOUT_WORDS:
            return Rejected(read(ErrorBody(), answer))
    if response.is_server_error and error and faults.is_refused_for_certain(error, answer):
        return Rejected(faults.to_fault(error, answer))
    raise answer.unclear("no certain refusal")


def _accepted(answer: Answer, error: ErrorBody | None) -> Submission | Rejected:
    body = answer.body or {}
    if (found := _submitted_id(body)) is not None:
        # A job that is "failed" from the start exists all the same, and the poll says why.
        return Submission(ref=UpstreamRef(found))
    if error is not None and faults.is_refusal(error, body):
        return Rejected(faults.to_fault(error, answer))
    raise answer.unclear("a success without an id")


def _submitted_id(body: Mapping[str, Any]) -> str | None:
    outer, *inner = _layers(body)
    candidates = [outer.get("id"), outer.get("task_id")]
    # Inside an envelope `id` may be the row's number, which no question can be asked by.
    candidates += [layer.get(name) for layer in inner for name in ("task_id", "id")]
    if body.get("code") == "success":
        candidates.append(body.get("data"))
    return next((found for value in candidates if (found := to_id(value, faults.JOB_ID))), None)


# Poll


def to_outcome(answer: Answer, ref: UpstreamRef) -> Outcome:
    """Read the answer to the question about one job.

    Its id is not compared: gateways put their own in front of it, or take it away.

    Raises:
        ProviderProtocolError: We could not ask.
    """
    body = answer.body
    is_success = answer.response.is_success
    words = list(_status_words(body or {}))
    if is_success and body is not None and words:
        return _by_status(answer, body, ref, words)
    error = faults.read_error(answer, body)
    if error is not None and faults.says_no_such_job(error, answer):
        code = error.code or "not_found"
        fault = Fault(FaultKind.NOT_FOUND, code=code, message=error.message)
        return Failed(fault, doubtful=True)
    if is_success and body is not None:
        return Unreadable(f"The answer has no status: {answer.said}")
    raise answer.unclear("no job")


def _by_status(
    answer: Answer, body: Mapping[str, Any], ref: UpstreamRef, words: Sequence[str]
) -> Outcome:
    word = words[-1]
    # An envelope's own word is about the call; any other pair must mean the same.
    outer, meaning = words[0], _MEANINGS.get(word)
    if outer not in _ENVELOPE_WORDS and _MEANINGS.get(outer, outer) != (meaning or word):
        return Unreadable("The answer has two statuses that contradict each other.")
    if meaning == "pending":
        progress = _first(to_progress, reversed(_layers(body)), "progress")
        return Pending(started=word in _WORKING, progress=progress)
    if meaning is not None:
        return _ended(answer, body, word, ref)
    return Unreadable(f"The status {answer.words(word, limit=60)!r} is unknown.", is_new_word=True)


def _ended(answer: Answer, body: Mapping[str, Any], word: str, ref: UpstreamRef) -> Outcome:
    # "success" and "failed" alone may be about the call.
    is_about_a_job = any(
        to_id(layer.get(name), faults.JOB_ID)
        for layer in _layers(body)
        for name in ("id", "task_id")
    )
    if not is_about_a_job and (word not in _DONE or _find_url(answer, body) is None):
        return Unreadable("The answer ends something, but names no job.")
    if word in _DONE:
        # A job makes one video, and its id is the video's.
        return Succeeded(replace(_result(answer, body), upstream_id=ref.id))
    return Failed(_fault(answer, body, word))


def _status_words(body: Mapping[str, Any]) -> Iterator[str]:
    for layer in _layers(body):
        for name in ("status", "task_status", "state"):
            value = layer.get(name)
            if isinstance(value, str) and value.strip():
                yield value.strip().lower().replace("-", "_").replace(" ", "_")
                break


def _fault(answer: Answer, body: Mapping[str, Any], word: str) -> Fault:
    if word in _ENDED:
        return Fault(_ENDED[word], code=word, message=word)
    for layer in _layers(body):
        if layer.get("error"):
            return faults.to_job_fault(faults.read_error(answer, {"error": layer["error"]}), word)
    reasons = (layer.get("fail_reason") for layer in _layers(body))
    message = next((text for reason in reasons if (text := answer.words(reason))), "")
    return faults.to_job_fault(ErrorBody(code=word, message=message), word)


# The video


def _result(answer: Answer, body: Mapping[str, Any]) -> VideoResult:
    """Read a finished job. Without a URL the video is at the job's content endpoint."""
    url = _find_url(answer, body)
    is_protected = url is None or _is_content(answer, url)
    parts = list(_parts(body))
    width, height = _first(to_pixels, parts, "width"), _first(to_pixels, parts, "height")
    if width is None or height is None:
        width, height = _first(_to_size, parts, "size") or (None, None)
    return VideoResult(
        url=f"{answer.sent.url}/content" if url is None or is_protected else url,
        protected=is_protected,
        cover_url=_first(lambda value: to_url(value, str(answer.sent.url)), parts, *_COVERS),
        expires_at=_first(to_time, parts, "expires_at"),
        duration_seconds=_first(to_measure, parts, "duration")
        or _first(to_measure, parts, "seconds"),
        fps=_first(to_measure, parts, "fps"),
        width=width,
        height=height,
        seed=_first(to_seed, parts, "seed"),
    )


def _first(
    read: Callable[[Any], T | None], parts: Iterable[Mapping[str, Any]], *names: str
) -> T | None:
    """The first value that can be read, of the parts in their order."""
    told = (read(part.get(name)) for part in parts for name in names)
    return next((value for value in told if value is not None), None)


def _find_url(answer: Answer, body: Mapping[str, Any]) -> str | None:
    """The first URL of a video in an answer, made absolute, or `None`."""
    values = (value for layer in _layers(body) for value in _candidates(layer, 0))
    return next((url for value in values if (url := to_url(value, str(answer.sent.url)))), None)


def _candidates(value: Any, depth: int) -> Iterator[Any]:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _candidates(item, depth + 1)
    elif isinstance(value, Mapping):
        for name in _URLS:
            inner = value.get(name)
            # OpenAI writes some URLs as {"url": …}.
            yield inner.get("url") if isinstance(inner, Mapping) else inner
        for name in _PLACES:
            yield from _candidates(value.get(name), depth + 1)


def _parts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where facts of the video may stand: what was made before what was asked for."""
    for layer in _layers(body):
        metadata = layer.get("metadata")
        if isinstance(metadata, Mapping):
            yield metadata
    for layer in _layers(body):
        for name in ("video", "videos", "output", "outputs"):
            value = layer.get(name)
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, Mapping):
                yield value
    yield from _layers(body)


def _to_size(value: Any) -> tuple[int, int] | None:
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return (int(found[1]), int(found[2])) if found else None


def _is_content(answer: Answer, url: str) -> bool:
    """Whether a URL is the server's own content endpoint, which wants the key.

    Behind a proxy a server may think that it is reached by plain http.
    """
    theirs = urlsplit(url)
    return (
        theirs.netloc == urlsplit(str(answer.sent.url)).netloc
        and theirs.path.endswith("/content")
        and "/videos/" in theirs.path
        and not theirs.query
    )


# The channel's test

_NO_LIST = frozenset({404, 405, 501})


def to_probe_answer(answer: Answer) -> ProbeAnswer:
    """Say what the question for models tells of a channel."""
    body, status, where = answer.body, answer.status, answer.address
    if body is None:
        return ProbeAnswer.bad(
            f"{where} answers {status}, and not with JSON; check the base URL: its path, or /v1 "
            "where it has none, is the server's whole prefix."
        )
    if answer.response.is_success:
        models = body.get("data")
        if not isinstance(models, list):
            return ProbeAnswer.bad(f"{where} answers, but not as an OpenAI-compatible server does.")
        return ProbeAnswer.good(f"The key is right; {len(models)} models listed.")
    if status in _NO_LIST:
        return ProbeAnswer.good(
            "The server answers but lists no models, so that the key could not be checked; the "
            f"first video will tell. {where} answers {status}: check the base URL."
        )
    error = faults.read_error(answer, body)
    kind = faults.to_fault(error, answer).kind if error else None
    return ProbeAnswer.bad(probe_sentence(answer, kind))
