"""Jobs, in the words of either generation of Kling's API.

They are read field by field, not through models: a job is paid for, so an odd duration or price
beside a good URL must not make the video unreadable.

Source: the query sections of https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

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
from vidgate.providers.answers import NO_LINK, to_words
from vidgate.providers.fields import to_number
from vidgate.providers.kling.envelope import (
    REVIEWED,
    sentence,
    to_integer,
)

__all__ = ["Job", "job_id", "read_legacy_job", "read_new_job"]

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

_RESULT_LIFETIME = timedelta(days=30)
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_URL_EXPIRY = re.compile(r"[?&]Expires=([0-9]{9,11})(?:[&#]|$)")
_URL = re.compile(r"https?://[!-~]+")
_LATEST_SECOND = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


def job_id(value: Any) -> str | None:
    """Read an id, which is text, 18 digits as a rule; `None` for anything that cannot be one."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and _JOB_ID.fullmatch(value) else None


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
        return Unreadable(f"Kling's status {self.status[:40]!r} is not known.")

    def _finished(self) -> Outcome:
        if self.videos is None:
            return Unreadable("The results of a finished job are not a list.")
        for video in self.videos:
            url = _url(video.get("url"))
            if url:
                return Succeeded(self._result(url, video))
        return Failed(
            Fault(
                kind=FaultKind.FAULT,
                code="no_url",
                message="The job is finished and has no video.",
                safe_message=NO_LINK,
            ),
            doubtful=True,
        )

    def _fault(self) -> Fault:
        is_policy = _POLICY.search(self.message) is not None
        words = "" if _ADVICE.search(self.message) else self.message
        return Fault(
            kind=FaultKind.CONTENT_POLICY if is_policy else FaultKind.FAULT,
            code=_FAILED,
            message=self.message,
            safe_message=REVIEWED if is_policy else sentence("Kling failed", words),
        )

    def _result(self, url: str, video: Mapping[str, Any]) -> VideoResult:
        return VideoResult(
            url=url,
            watermarked_url=_url(video.get("watermark_url")),
            expires_at=_expires_at(url, self.updated_at),
            duration_seconds=_seconds(video.get("duration")),
            cost=None if self.cost is None else self.cost[0],
            cost_unit=None if self.cost is None else self.cost[1],
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
    if value is None or value == {}:
        return []
    if not isinstance(value, list):
        return None
    return [item for item in value if isinstance(item, Mapping)]


def _url(value: Any) -> str | None:
    return value if isinstance(value, str) and _URL.fullmatch(value) else None


def _expires_at(url: str, updated_at: Any) -> datetime | None:
    """What the signed URL says, else 30 days after the last change."""
    in_url = _URL_EXPIRY.search(url)
    if in_url:
        return datetime.fromtimestamp(int(in_url[1]), UTC)
    milliseconds = to_integer(updated_at)
    if milliseconds is None or not 0 < milliseconds < _LATEST_SECOND * 1000:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC) + _RESULT_LIFETIME


def _seconds(value: Any) -> float | None:
    """A duration, which Kling writes as text."""
    seconds = to_number(value)
    return seconds if seconds is not None and seconds > 0 else None


def _amount(value: Any) -> str | None:
    """A price in units, which Kling writes as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and _AMOUNT.fullmatch(value) else None


def _billed(billing: Any) -> Cost | None:
    """What `billing` adds up to: in units, else in the one currency that it is in."""
    entries = _objects(billing) or []
    units = [entry for entry in entries if entry.get("charge_type") == "unit"]
    if units:
        return _total(units, _UNITS)
    cash = [entry for entry in entries if entry.get("charge_type") == "cash"]
    currencies = {to_words(entry.get("currency")) for entry in cash}
    return _total(cash, currencies.pop() or _BALANCE) if len(currencies) == 1 else None


def _total(entries: Sequence[Mapping[str, Any]], unit: str) -> Cost | None:
    amounts = [_amount(entry.get("amount")) for entry in entries]
    if None in amounts:
        return None
    return str(sum((Decimal(amount) for amount in amounts if amount), Decimal(0))), unit[:20]


def _deducted(data: Mapping[str, Any]) -> Cost | None:
    """Units, or for accounts without a pack the part of a balance, whose currency is not told."""
    units = _amount(data.get("final_unit_deduction"))
    balance = data.get("final_balance_deduction")
    quota = _amount(balance.get("quota")) if isinstance(balance, Mapping) else None
    if quota is not None and (units is None or not Decimal(units)) and Decimal(quota):
        return quota, _BALANCE
    return None if units is None else (units, _UNITS)
