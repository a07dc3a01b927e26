"""Kling's answers: what is around every one, what its error codes mean, and the jobs in them.

Jobs are read field by field, not through models: a job is paid for, so an odd duration or price
beside a good URL must not make the video unreadable.

Source: https://kling.ai/document-api/api/get-started/error-codes and the query sections of
https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeAlias

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import (
    Failed,
    Fault,
    FaultKind,
    Outcome,
    Pending,
    Succeeded,
    Unreadable,
    VideoResult,
)
from vidgate.providers.answers import (
    Answer,
    link_ends_at,
    secret_of,
    to_id,
    to_measure,
    to_safe_sentence,
    to_time,
    to_url,
    to_words,
    without_video,
)
from vidgate.providers.kling.generations import objects
from vidgate.providers.kling.models import LINK_LIFETIME

__all__ = [
    "NOT_SERVED",
    "Envelope",
    "Job",
    "answer_of",
    "job_id",
    "read_envelope",
    "read_legacy_job",
    "read_new_job",
    "to_integer",
]

_ACCEPTED = 0
_INVALID_VALUE = 1201
"""Also a duplicate external id, and a job that does not exist: only the text tells."""

_FAULTS = {
    **dict.fromkeys((1000, 1001, 1002, 1003, 1004, 1100, 1304), FaultKind.CREDENTIAL),
    **dict.fromkeys((1101, 1102), FaultKind.BALANCE),
    **dict.fromkeys((1103, 1203), FaultKind.MODEL_UNAVAILABLE),
    **dict.fromkeys((1200, _INVALID_VALUE), FaultKind.BAD_PARAMETER),
    1202: FaultKind.FAULT,
    **dict.fromkeys((1300, 1301), FaultKind.CONTENT_POLICY),
    1302: FaultKind.RATE,
    1303: FaultKind.CONCURRENCY,
}
"""Codes after which no job exists. 429 is the status of six of them; two may be retried;
5000, 5001 and 5002 are absent, because after them a job may exist."""

_REFUSING_STATUSES = frozenset({200, 201, 400, 401, 403, 404, 405, 413, 415, 422, 429})
"""With one of these, a code we do not know is a refusal too; 408 and 409 leave doubt."""

_THEIR_ERRORS = 5000
"""Where the codes of Kling's own failures begin."""

_ALREADY_EXISTS = re.compile(r"external.{0,8}id.*\b(exist|duplicat)", re.IGNORECASE | re.DOTALL)
_NO_SUCH_MODEL = re.compile(
    r"\bmodel(?:_name)?\b(?! ?/).{0,80}\b(?:is invalid|not supported for this|not exist|not found"
    r"|discontinued|no longer available)",
    re.IGNORECASE | re.DOTALL,
)
"""Legacy endpoints say 1201 of a model that they do not have, and 1203 of one that is retired."""

_FIELD = re.compile(
    r"(?:^|[\s'`\"(])(?P<name>[a-z][a-z0-9]*(?:_[a-z0-9]+)*(?:\[[0-9]{1,4}\])?(?:\.[a-z_]{1,40})*)['`\"]?"
    r"(?:\s+(?:parameter|field))?(?::|\s+(?:value|is (?:invalid|required)|must|cannot|can not)\b)"
)
"""The field that a text is about, by what the vendor says of one."""

_FIELD_WORDS = frozenset(
    {
        *("prompt", "image", "mode", "duration", "sound", "input", "settings", "options"),
        *("contents", "resolution", "audio", "model", "text", "url"),
    }
)
"""Fields whose names are ordinary words; the others have an underscore."""

_NO_SUCH_TASK = re.compile(r"task\s+(is\s+)?not\s+found", re.IGNORECASE)

_FIELD_PATH = re.compile(
    r"\b(settings|options|contents|[a-z]+_(?:info|list|prompt))(\[[0-9]+\])?\.[a-z_]+"
)
"""A field inside another, which only looks like a host."""

_ACCOUNT = re.compile(r"\b(access|ak|sk|host|ip|key|pack|uid|user)\b", re.IGNORECASE)
"""Words of Kling's beside which an account or a key may be named."""

_REVIEWED = "Kling's content review refused the prompt, a picture or the video."

NOT_SERVED = "Kling does not serve this model here."

_SENTENCES = {
    FaultKind.CONTENT_POLICY: _REVIEWED,
    FaultKind.MODEL_UNAVAILABLE: NOT_SERVED,
    FaultKind.CONCURRENCY: "Kling has no free slot at the moment.",
    FaultKind.RATE: "Kling was asked too often.",
}


class Envelope(Answer):
    """An answer with what is around every one."""

    @cached_property
    def code(self) -> int:
        """The vendor's, which says more than the HTTP status."""
        code = to_integer((self.body or {}).get("code"))
        if code is None:
            raise self.unclear("which cannot be read")
        return code

    @cached_property
    def message(self) -> str:
        """The vendor's words, without our key should they repeat it."""
        return self.words((self.body or {}).get("message"))

    @property
    def data(self) -> Any:
        """Anything; absent from some errors."""
        return (self.body or {}).get("data")

    @property
    def is_accepted(self) -> bool:
        """Whether the vendor did what was asked."""
        return self.code == _ACCEPTED

    @property
    def is_known(self) -> bool:
        """Whether the code is one of the vendor's that are documented."""
        return self.code in _FAULTS

    @property
    def says_no_such_task(self) -> bool:
        """Whether the legacy API says that it has no such job, and is neither busy nor broken."""
        is_calm = self.status < 500 and self.status not in (408, 429)  # noqa: PLR2004 - HTTP's
        is_missing = self.code == _INVALID_VALUE and _NO_SUCH_TASK.search(self.message)
        return is_calm and bool(is_missing)

    def error(self, reason: str) -> ProviderProtocolError:
        """The error for an answer that says nothing certain."""
        return self.unclear(reason, f"code {self.code}, {self.message!r}")

    def refusal(self) -> Fault | None:
        """Why a submit made no job, or `None` where it may have made one."""
        if self.code == _INVALID_VALUE and _ALREADY_EXISTS.search(self.message):
            return None
        kind = _FAULTS.get(self.code)
        is_theirs = self.code >= _THEIR_ERRORS or self.code // 100 == 5  # noqa: PLR2004 - HTTP's
        if kind is None and not is_theirs and self.status in _REFUSING_STATUSES:
            kind = FaultKind.FAULT
        if kind is FaultKind.BAD_PARAMETER and _NO_SUCH_MODEL.search(self.message):
            kind = FaultKind.MODEL_UNAVAILABLE
        if kind is None:
            return None
        sentence, param = _SENTENCES.get(kind, "Kling did not take the request."), ""
        if kind is FaultKind.BAD_PARAMETER:
            sentence = _sentence("Kling refused a value of the request", self.message)
            param = _field(self.message)
        return self.fault(kind, sentence, param)

    def fault(self, kind: FaultKind, sentence: str = "", param: str = "") -> Fault:
        """The fault that it tells of, with a sentence for the client."""
        wait = self.retry_after_seconds
        return Fault(kind, str(self.code), self.message, sentence, wait, param)


def answer_of(sent: httpx.Request, response: httpx.Response) -> Envelope:
    """An answer of Kling's, which must not repeat our key; it may have no code."""
    return Envelope("Kling", sent, response, (secret_of(sent),))


def read_envelope(sent: httpx.Request, response: httpx.Response) -> Envelope:
    """Read what is around an answer, whatever its status.

    Raises:
        ProviderProtocolError: It is no JSON object with a code.
    """
    envelope = answer_of(sent, response)
    _ = envelope.code
    return envelope


def _sentence(beginning: str, message: str) -> str:
    """Add the vendor's words where they name nothing that a client may not see."""
    words = " ".join(message.split()).rstrip(".")
    words = words.removeprefix(f"{beginning}: ")  # a gateway in between has said it already
    # A field inside another only looks like a host.
    is_safe = words.isascii() and not _ACCOUNT.search(words)
    is_safe = is_safe and bool(to_safe_sentence(_FIELD_PATH.sub("", words) or words))
    return f"{beginning}: {words}." if is_safe else f"{beginning}."


def to_integer(value: Any) -> int | None:
    """A whole number, also one written as text; `None` for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _field(message: str) -> str:
    """The field that a refusal names, empty where it names none."""
    for match in _FIELD.finditer(message):
        name = match["name"]
        root = name.partition(".")[0].partition("[")[0]
        if "_" in name or root in _FIELD_WORDS:
            return name
    return ""


# Jobs

_POLICY = re.compile(
    r"risk.?control|content (review|policy)|audit|moderation|sensitive|violat|风控|审核|敏感|违规",
    re.IGNORECASE,
)
"""A failed job has no code, only a text that is not an enumeration."""

_ADVICE = re.compile(
    r"\b(?:retry|re-?try|re-?submit|(?:try|submit|send|generate|run)\b.{0,20}\bagain)\b|重试|再试|重新",
    re.IGNORECASE,
)
"""To repeat a job, which a client may have paid for."""

_PENDING = {"submitted": Pending(started=False), "processing": Pending(started=True)}
_SUCCEEDED = frozenset({"succeed", "succeeded"})
_FAILED = "failed"

Cost: TypeAlias = tuple[str, str]
"""A decimal number as text, and what it counts."""

_UNITS = "units"
_BALANCE = "balance"

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


def job_id(value: Any) -> str | None:
    """Read an id, which is text, 18 digits as a rule; `None` for anything that cannot be one."""
    return to_id(value, _JOB_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job in the words of either generation.

    Attributes:
        external_id: Ours, `None` where it is not repeated.
        videos: `None` where the answer has something else in their place.
        cost: How much of what; units of resource packs as a rule.
    """

    id: str | None
    external_id: Any
    status: Any
    message: str
    updated_at: Any
    videos: list[Mapping[str, Any]] | None
    cost: Cost | None

    def outcome(self) -> Outcome:
        """What it comes to."""
        if not isinstance(self.status, str):
            return Unreadable("The answer has no status.")
        if self.status in _PENDING:
            return _PENDING[self.status]
        if self.status == _FAILED:
            return Failed(self._fault())
        if self.status in _SUCCEEDED:
            return self._finished()
        return Unreadable(f"Kling's status {self.status[:40]!r} is not known.", is_new_word=True)

    def _finished(self) -> Outcome:
        if self.videos is None:
            return Unreadable("The results of a finished job are not a list.")
        for video in self.videos:
            if url := to_url(video.get("url")):
                return Succeeded(self._result(url, video))
        return without_video("no_url", "The job is finished and has no video.")

    def _fault(self) -> Fault:
        if _POLICY.search(self.message):
            return Fault(FaultKind.CONTENT_POLICY, _FAILED, self.message, _REVIEWED)
        words = "" if _ADVICE.search(self.message) else self.message
        return Fault(FaultKind.FAULT, _FAILED, self.message, _sentence("Kling failed", words))

    def _result(self, url: str, video: Mapping[str, Any]) -> VideoResult:
        changed_at, (cost, cost_unit) = to_time(self.updated_at), self.cost or (None, None)
        return VideoResult(
            url=url,
            watermarked_url=to_url(video.get("watermark_url")),
            expires_at=link_ends_at(url) or (changed_at and changed_at + LINK_LIFETIME),
            duration_seconds=to_measure(video.get("duration")),
            cost=cost,
            cost_unit=cost_unit,
            upstream_id=job_id(video.get("id")),
        )


def read_new_job(data: Mapping[str, Any]) -> Job:
    """Read an entry of `/tasks`."""
    outputs = _objects(data.get("outputs"))
    return Job(
        id=job_id(data.get("id")),
        external_id=data.get("external_id"),
        status=data.get("status"),
        message=to_words(data.get("message")),
        updated_at=data.get("update_time"),
        videos=outputs and [output for output in outputs if output.get("type") == "video"],
        cost=_billed(data.get("billing")),
    )


def read_legacy_job(data: Mapping[str, Any]) -> Job:
    """Read the answer of `GET <path>/{id}`."""
    info, result = data.get("task_info"), data.get("task_result")
    videos = result.get("videos") if isinstance(result, Mapping) else result
    return Job(
        id=job_id(data.get("task_id")),
        external_id=info.get("external_task_id") if isinstance(info, Mapping) else None,
        status=data.get("task_status"),
        message=to_words(data.get("task_status_msg")),
        updated_at=data.get("updated_at"),
        videos=_objects(videos),
        cost=_deducted(data),
    )


def _objects(value: Any) -> list[Mapping[str, Any]] | None:
    """The objects of a list; none of it where there is no list, `None` where it is no list."""
    return objects(value) if isinstance(value, list) or value in (None, {}) else None


def _amount(value: Any) -> str | None:
    """A price in units, which Kling writes as text."""
    text = str(value) if isinstance(value, str | int | float) else ""
    return text if _AMOUNT.fullmatch(text) else None


def _billed(billing: Any) -> Cost | None:
    """What `billing` adds up to: in units, else in the one currency that it is in."""
    entries = objects(billing)
    units = [entry for entry in entries if entry.get("charge_type") == "unit"]
    cash = [entry for entry in entries if entry.get("charge_type") == "cash"]
    currencies = {to_words(entry.get("currency")) for entry in cash}
    if not units and len(currencies) != 1:
        return None
    amounts = [_amount(entry.get("amount")) for entry in units or cash]
    if None in amounts:
        return None
    unit = _UNITS if units else currencies.pop() or _BALANCE
    return str(sum((Decimal(amount) for amount in amounts if amount), Decimal(0))), unit[:20]


def _deducted(data: Mapping[str, Any]) -> Cost | None:
    """Units, or for accounts without a pack the part of a balance in an unstated currency."""
    units = _amount(data.get("final_unit_deduction"))
    balance = data.get("final_balance_deduction")
    quota = _amount(balance.get("quota")) if isinstance(balance, Mapping) else None
    if quota is not None and (units is None or not Decimal(units)) and Decimal(quota):
        return quota, _BALANCE
    return None if units is None else (units, _UNITS)
