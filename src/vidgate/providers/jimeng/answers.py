"""What Jimeng answers, in the envelopes of its gateway and of the service behind it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
from vidgate.providers.answers import (
    NO_SUCH_PLACE,
    Answer,
    to_id,
    to_object,
    to_safe_sentence,
    to_url,
    without_video,
)
from vidgate.providers.base import CancelAnswer, ProbeAnswer
from vidgate.providers.jimeng.keys import SYNC2ASYNC
from vidgate.providers.jimeng.models import LINK_LIFETIME

__all__ = [
    "PROBE_BODY",
    "SUCCESS",
    "Question",
    "Reply",
    "answer_of",
    "read_cancel",
    "read_kind",
    "read_poll",
    "read_probe",
    "read_reply",
    "read_submission",
    "to_fault",
    "write_kind",
]

SUCCESS = 10000

_NOT_OPENED = frozenset({30403, 30404, 50400})
"""The account has not been given the key in the console."""

_AMBIGUOUS = 50200
"""Something in what was sent is wrong: at a poll that may be the question, and not the job."""

_BAD_INPUT = frozenset({_AMBIGUOUS, 50215})

_TOO_MANY: Mapping[int | str, FaultKind] = {50429: FaultKind.RATE, 50430: FaultKind.CONCURRENCY}

_INTERNAL = frozenset({50500, 50501})

_NO_SUCH_ACTION = "InvalidActionOrVersion"
"""Of a gateway that speaks this format and lacks what was asked for."""

_COULD_NOT_ASK = {*_TOO_MANY, *_INTERNAL, *_NOT_OPENED}
"""Codes that say nothing about the job that was polled.

Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20
"""

_GATEWAY_CODES: Mapping[str, tuple[int, FaultKind | None]] = {
    # A clock is wrong, ours or theirs: signing again at once would not help.
    "InvalidTimestamp": (100006, FaultKind.FAULT),
    "MissingParameter": (100002, FaultKind.FAULT),
    "MissingRequestInfo": (100004, FaultKind.FAULT),
    "ServiceNotFound": (100007, FaultKind.FAULT),
    _NO_SUCH_ACTION: (100008, FaultKind.FAULT),
    "InvalidAccessKey": (100009, FaultKind.CREDENTIAL),
    "SignatureDoesNotMatch": (100010, FaultKind.CREDENTIAL),
    "LackPolicy": (100012, FaultKind.CREDENTIAL),
    "AccessDenied": (100013, FaultKind.CREDENTIAL),
    "FlowLimitExceeded": (100018, FaultKind.RATE),
    "InvalidAuthorization": (100024, FaultKind.CREDENTIAL),
    "InvalidCredential": (100025, FaultKind.CREDENTIAL),
    "InvalidSecretToken": (100026, FaultKind.CREDENTIAL),
    "InternalError": (100014, None),
    "InternalServiceTimeout": (100016, None),
    "ServiceUnavailableTemp": (100019, None),
    "InternalServiceError": (100023, None),
}
"""Codes before the service sees a call, by word and by number; `None`: it may have seen it.

Source: https://www.volcengine.com/docs/6369/68677, read 2026-11-20
"""

_GATEWAY_WORDS = {number: word for word, (number, _) in _GATEWAY_CODES.items()}

_MODERATION: Mapping[int, str] = {
    50411: "The provider's moderation refused a picture of the request.",
    50412: "The provider's moderation refused the prompt.",
    50413: "The provider's moderation found sensitive or protected words in the prompt.",
    50511: "The provider's moderation refused the pictures that were made.",
    50512: "The provider's moderation refused the text that was made.",
    50513: "The provider's moderation refused the video of the request.",
    50514: "The provider's moderation refused the audio of the request.",
    50516: "The provider's moderation refused the video that was made.",
    50517: "The provider's moderation refused the audio that was made.",
    50518: "The provider's moderation found a protected work in a picture of the request.",
    50519: "The provider's moderation found a protected work in what was made.",
}
"""Codes that refuse content, and what a client reads.

Some are called retryable; that would be a new job, so it is left to the client.

Source: https://www.volcengine.com/docs/85621/1777001, /1829013, read 2026-11-20
"""

_SERVER_ERRORS = frozenset({5, 505})
"""The hundreds of codes of the service's own failures, and of HTTP's."""
_FAILED_INSIDE = re.compile(r"internal|timeout|timed out|unavailable|unknown", re.IGNORECASE)

_KINDS: Mapping[int | str, FaultKind | None] = {
    **{word: kind for word, (_, kind) in _GATEWAY_CODES.items()},
    **dict.fromkeys(_MODERATION, FaultKind.CONTENT_POLICY),
    **dict.fromkeys((50520, 50521, 50522), FaultKind.FAULT),  # the moderation itself failed
    **dict.fromkeys(_BAD_INPUT, FaultKind.BAD_PARAMETER),
    **dict.fromkeys(_NOT_OPENED, FaultKind.MODEL_UNAVAILABLE),
    **_TOO_MANY,
    **dict.fromkeys(_INTERNAL, None),
}
"""What codes mean. No job exists, or the one that did has failed; `None`: nobody can tell."""

_BAD_SENTENCE = "Invalid Input Parameters"
"""How the service begins a sentence of which the rest tells more."""

_ADVICE = re.compile(r"\bagain\b|retry|resubmit|重试|重新提交", re.IGNORECASE)

_FIELDS = re.compile(
    r"\b(req_key|prompt|seed|frames|aspect_ratio|image_urls?|binary_data_base64|template_id"
    r"|camera_strength|video_url|audio_url|mask_url|output_resolution|pe_fast_mode"
    r"|cut_result_first_second_switch)\b"
)
"""Fields that a refusal may name to a client, since they are words of the public documentation."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the gateway says, or the service behind it.

    Attributes:
        code: The gateway's word, or its number as text where it has no word; the service's number.
        key: The same as the tables have it, empty for an unknown one of the gateway.
        message: For the operator.
        sentence: The service's for clients, empty where it might tell too much.
        data: The service's, empty where it was null or no object.
    """

    code: int | str
    key: int | str
    message: str
    sentence: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> FaultKind | None:
        """What its code means; `None` where a job may exist, or the code is unknown."""
        return _KINDS.get(self.key)

    @property
    def is_gateways(self) -> bool:
        """Whether the gateway refused the call."""
        return isinstance(self.code, str)


def answer_of(sent: httpx.Request, response: httpx.Response) -> Answer:
    """An answer, which may repeat what is secret: the gateway shows what it calculated with."""
    authorization = sent.headers.get("authorization", "")
    secrets = re.findall(r"(?:Credential|Signature)=([^/,\s]+)", authorization)
    token = sent.headers.get("x-security-token")
    return Answer("Jimeng", sent, response, tuple([*secrets, token] if token else secrets))


def _unread(answer: Answer) -> ProviderProtocolError:
    """The error for an answer that is in neither envelope."""
    return answer.unclear("nothing that can be read as its answer")


def _unclear(answer: Answer, reply: Reply) -> ProviderProtocolError:
    """The error for one that is, and does not say what was asked."""
    return answer.unclear("nothing certain", f"{reply.code} {reply.message}".rstrip())


def read_reply(answer: Answer) -> Reply:
    """Read either envelope, the service's also where the gateway's is around it.

    Raises:
        ProviderProtocolError: It is neither.
    """
    body = answer.body
    if body is None:
        raise _unread(answer)
    envelope = body.get("ResponseMetadata")
    if isinstance(envelope, dict):
        if envelope.get("Error"):
            return _read_gateway_error(answer, envelope)
        if isinstance(body.get("Result"), dict):
            body = body["Result"]
    code = _whole_number(body.get("code"))
    if code is None:
        raise _unread(answer)
    message = _message(answer, body.get("message"), body.get("request_id"))
    sentence = to_safe_sentence(body.get("message"), *answer.secrets)
    return Reply(code, code, message, sentence, to_object(body.get("data")))


def _read_gateway_error(answer: Answer, envelope: Mapping[str, Any]) -> Reply:
    error = envelope["Error"]
    if not isinstance(error, dict):
        raise _unread(answer)
    number = _whole_number(error.get("CodeN"))
    message = _message(answer, error.get("Message"), envelope.get("RequestId"))
    code = answer.words(error.get("Code")) or str(number)
    word = code if code in _GATEWAY_CODES else _GATEWAY_WORDS.get(number or 0, "")
    if code == "None":
        raise _unread(answer)
    return Reply(code, word, message)


def _whole_number(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and abs(value) < 10**9 else None


def _message(answer: Answer, message: Any, request_id: Any) -> str:
    """The provider's words and its id of the call, without what is secret of ours."""
    text = message if isinstance(message, str) else ""
    if isinstance(request_id, str) and request_id:
        text = f"{text} [request {request_id}]"
    return answer.words(text)


# Meaning


def _to_refusal(answer: Answer, req_key: str, reply: Reply) -> FaultKind | None:
    """What a refusal is, `None` where a job may exist."""
    if reply.kind is FaultKind.BAD_PARAMETER:
        fields = _fields_in(reply.message)
        # A service without the field's name may tell the key that it was given.
        is_key = fields[0] == "req_key" if fields else req_key in reply.message
        return FaultKind.MODEL_UNAVAILABLE if is_key else reply.kind
    if reply.key in _KINDS:
        return reply.kind
    # One that nobody documents may be of a failure on their side: a job may exist.
    told = reply.code if isinstance(reply.code, str) else reply.message
    is_theirs = _FAILED_INSIDE.search(told) is not None
    is_theirs |= isinstance(reply.code, int) and reply.code // 100 in _SERVER_ERRORS
    if answer.status == httpx.codes.TOO_MANY_REQUESTS:
        return FaultKind.RATE
    response = answer.response
    is_refusal = response.is_client_error or (response.is_success and not is_theirs)
    return FaultKind.FAULT if is_refusal else None


def to_fault(kind: FaultKind, reply: Reply, retry_after: float | None = None) -> Fault:
    """A refusal or failure, with what a client may read about it.

    That is about the client's own request: its fields are named, and the service's sentence added
    where nothing in it could be of ours.
    """
    safe_message, fields = "", []
    if kind is FaultKind.CONTENT_POLICY and isinstance(reply.code, int):
        safe_message = _with_sentence(_MODERATION[reply.code], reply.sentence)
    if kind is FaultKind.BAD_PARAMETER:
        fields = _fields_in(reply.message)
        sentence = reply.sentence.removeprefix(_BAD_SENTENCE).lstrip(": ")
        if fields:
            what = f"The provider refused the value of {', '.join(fields)}."
            safe_message = _with_sentence(what, "" if sentence in fields else sentence)
        elif sentence:
            safe_message = _with_sentence("The provider refused the request.", sentence)
    param = fields[0] if fields else ""
    return Fault(kind, str(reply.code), reply.message, safe_message, retry_after, param)


def _with_sentence(what: str, sentence: str) -> str:
    """Add the service's own words to a sentence of ours, unless they advise to pay once more."""
    if _ADVICE.search(sentence):
        return what
    return f"{what.rstrip('.')}: {sentence.rstrip('.')}." if sentence else what


def _fields_in(message: str) -> list[str]:
    return list(dict.fromkeys(_FIELDS.findall(message)))


# Submitting

_TASK_ID = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How to ask about a job.

    Attributes:
        req_key: The same that it was made with.
        action: Of the pair that it was made with.
        req_json: Asks for a label in the video, empty for none.
    """

    req_key: str
    action: str = SYNC2ASYNC.poll
    req_json: str = ""


def write_kind(question: Question) -> str:
    """Write it as `UpstreamRef.kind`: the bare `req_key` where that says all, else JSON."""
    usual = asdict(Question(req_key=""))
    told = {n: one for n, one in asdict(question).items() if n == "req_key" or one != usual[n]}
    is_bare = len(told) == 1 and not question.req_key.startswith("{")
    return question.req_key if is_bare else json.dumps(told, separators=(",", ":"))


def read_kind(kind: str) -> Question:
    """Read what `write_kind` wrote, or a bare `req_key`."""
    return Question(**json.loads(kind)) if kind.startswith("{") else Question(req_key=kind)


def read_submission(answer: Answer, question: Question) -> Submission | Rejected:
    """Read the answer to a submit.

    Args:
        answer: To the submit.
        question: How to ask about the job, which the answer does not say.

    Raises:
        ProviderProtocolError: It does not tell whether a job exists.
    """
    if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise _unread(answer)
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
    if reply.code == SUCCESS:
        task_id = to_id(reply.data.get("task_id"), _TASK_ID)
        if task_id is None:
            raise ProviderProtocolError("Jimeng accepted the job and gave no task id.")
        return Submission(UpstreamRef(task_id, write_kind(question)))

    kind = _to_refusal(answer, question.req_key, reply)
    if kind is None or "task_id" in reply.data:
        raise _unclear(answer, reply)
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
        raise _unread(answer)
    reply = read_reply(answer)
    if reply.is_gateways or reply.code in _COULD_NOT_ASK:
        raise _unclear(answer, reply)
    if reply.code == SUCCESS:
        return _read_status(answer, reply.data, asked_at)
    kind = None if reply.code == _AMBIGUOUS else reply.kind
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
            return Unreadable(f"unknown status {answer.words(word, limit=60)!r}", is_new_word=True)


def _read_video(answer: Answer, said: Any, asked_at: datetime) -> Outcome:
    url = to_url(said)
    if url is None:
        return without_video("done", "The job is done and has no video_url.")
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
        raise _unread(answer)
    reply = read_reply(answer)
    if reply.code == SUCCESS:
        word = reply.data.get("status")
        return _CANCEL_WORDS.get(word if isinstance(word, str) else "", CancelAnswer.ACCEPTED)
    is_bad = answer.status == httpx.codes.BAD_REQUEST and not reply.is_gateways
    is_definite = is_bad or reply.code in _BAD_INPUT or reply.key == _NO_SUCH_ACTION
    if is_definite and reply.code not in _COULD_NOT_ASK:
        return CancelAnswer.TOO_LATE
    raise _unclear(answer, reply)


# The channel's test

PROBE_BODY = {"req_key": "jimeng_ti2v_v30_pro", "task_id": "1000000000000000000"}
"""A question about a task that nobody has, of the key that is documented best."""

_FAILED = "The provider itself failed; try again later"
_UNREADABLE_SIGNATURE = (
    "The provider cannot read the signature; check that the key is written as"
    " ACCESS|SECRET and that no proxy changes the request"
)
_NO_SUCH_API = "What answers at the base URL does not know this API; check the channel's base URL"
_NO_POLICY = (
    "The key is right, but its user lacks the permission for Visual (cv); attach the policy to it"
    " in the console's access control"
)

_GATEWAY_SENTENCES: Mapping[str, str] = {
    "InvalidAccessKey": "The access key is unknown or disabled; copy it from the console again",
    "SignatureDoesNotMatch": (
        "The access key exists, but the secret key is not its own; copy it from the console again"
    ),
    "InvalidSecretToken": (
        "The session token is wrong or has expired; give the channel a new temporary key"
    ),
    "InvalidTimestamp": (
        "The clock of this machine is more than 15 minutes away from the provider's; set it"
    ),
    **dict.fromkeys(("MissingParameter", "MissingRequestInfo"), _UNREADABLE_SIGNATURE),
    **dict.fromkeys(("InvalidAuthorization", "InvalidCredential"), _UNREADABLE_SIGNATURE),
    **dict.fromkeys(("LackPolicy", "AccessDenied"), _NO_POLICY),
    **dict.fromkeys(("ServiceNotFound", _NO_SUCH_ACTION), _NO_SUCH_API),
    "FlowLimitExceeded": "The provider's flow limit is reached; try again in a minute",
}


def read_probe(answer: Answer) -> ProbeAnswer:
    """Say in one sentence whether the channel works; never raises."""
    try:
        reply = read_reply(answer)
    except ProviderProtocolError:
        return ProbeAnswer.bad(_read_nobody(answer))
    if not reply.is_gateways:
        return _probed(reply, answer.status)
    if reply.key in _KINDS and reply.kind is None:
        return ProbeAnswer.bad(f"{_FAILED} ({reply.code}).")
    sentence = _GATEWAY_SENTENCES.get(str(reply.key), "The provider refused the call")
    where = f": {answer.address}" if sentence == _NO_SUCH_API else ""
    return ProbeAnswer.bad(f"{sentence}{where} ({reply.code}).")


def _probed(reply: Reply, status: int) -> ProbeAnswer:
    if reply.code in _TOO_MANY:
        return ProbeAnswer.good("The key is right; the account is at its limit at the moment.")
    if reply.code in _INTERNAL or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return ProbeAnswer.bad(f"{_FAILED} ({reply.code}).")
    if reply.code == SUCCESS or reply.code in _BAD_INPUT:
        return ProbeAnswer.good("The key is right and the service answers.")
    if reply.code in _NOT_OPENED:
        # Whether the channel is meant for that model nobody knows here.
        return ProbeAnswer.good(
            f"The key is right; its account or user may not use {PROBE_BODY['req_key']}, which"
            " was asked about: each model that the channel is to serve has to be opened in the"
            f" console ({reply.code})."
        )
    return ProbeAnswer.bad(f"The provider refused the call ({reply.code}).")


def _read_nobody(answer: Answer) -> str:
    code = f"(HTTP {answer.status})."
    if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return f"{_FAILED} {code}"
    if answer.status == httpx.codes.TOO_MANY_REQUESTS:
        return f"{_GATEWAY_SENTENCES['FlowLimitExceeded']} {code}"
    says = f"What answers at {answer.address} is not the provider's API;"
    return f"{says} check the channel's base URL {code}"
