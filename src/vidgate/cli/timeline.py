"""What happened to a task, in the order of time, each in one line."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from vidgate.logs import mask
from vidgate.models.acts import Act
from vidgate.models.attempts import Ask, Attempt
from vidgate.models.channels import Channel
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import AttemptStatus, TaskSnapshot
from vidgate.models.webhooks import Delivery, DeliveryTry

__all__ = ["timeline"]

_Event = tuple[datetime, str]


def timeline(
    task: TaskSnapshot,
    *,
    attempts: Sequence[Attempt],
    channels: Mapping[UUID, Channel],
    asks: Sequence[Ask],
    late: Mapping[UUID, VideoResult],
    deliveries: Sequence[tuple[Delivery, Sequence[DeliveryTry]]],
    acts: Sequence[Act],
) -> list[dict[str, Any]]:
    """Put together what is known of a task.

    Args:
        task: As it stands.
        attempts: At all of its outputs.
        channels: By their ids.
        asks: That brought news, attempt by attempt.
        late: Videos of attempts that count for nothing.
        deliveries: Its webhooks, with their tries.
        acts: On the task and on its deliveries.
    """
    events = [(task.created_at, f"The task was created for the model {task.model}.")]
    asked = {key: list(group) for key, group in groupby(asks, lambda ask: ask.attempt_id)}
    for attempt in attempts:
        channel = channels.get(attempt.channel_id)
        name = f"Attempt {attempt.number}"
        if len(task.outputs) > 1:
            name += f" at output {attempt.position}"
        where = channel.name if channel else attempt.provider
        events += _of_attempt(attempt, name, where, late.get(attempt.id))
        events += _of_asks(attempt, name, asked.get(attempt.id, []))
    for delivery, tries in deliveries:
        events += _of_delivery(delivery, tries)
    events += [(act.at, _of_act(act)) for act in acts if act.at is not None]
    if task.finished_at is not None:
        why = f": {task.error.code}, {task.error.message}" if task.error else "."
        events.append((task.finished_at, f"The task is final, {task.status.value}{why}"))
    events.sort(key=lambda event: event[0])  # what is of one moment stays in the order above
    return [{"at": int(at.timestamp()), "what": mask(what)} for at, what in events]


def _of_attempt(
    attempt: Attempt, name: str, where: str, late: VideoResult | None
) -> Iterator[_Event]:
    yield attempt.created_at, f"{name}: made for the channel {where}."
    if attempt.sent_at is not None:
        again = f", for the {attempt.doubts + 1}. time" if attempt.doubts else ""
        yield attempt.sent_at, f"{name}: submitted{again}."
    if attempt.accepted_at is not None:
        job = f" as {attempt.ref.id}" if attempt.ref else ""
        yield attempt.accepted_at, f"{name}: accepted{job}."
    if attempt.called_at is not None:
        times = f", the last of {attempt.calls}" if attempt.calls > 1 else ""
        yield attempt.called_at, f"{name}: called back about{times}."
    if attempt.finished_at is not None:
        yield attempt.finished_at, f"{name}: {attempt.status.value}{_why(attempt)}"
        if late is not None:
            yield attempt.finished_at, f"{name}: has a video that counts for nothing: {late.url}"


def _why(attempt: Attempt) -> str:
    said = [attempt.fault_kind, attempt.fault_code, attempt.fault_message]
    if attempt.status is not AttemptStatus.SUCCEEDED and any(said):
        return f": {', '.join(dict.fromkeys(one for one in said if one))}"
    return f": {attempt.last_reason}" if attempt.last_reason else "."


def _of_asks(attempt: Attempt, name: str, asks: Sequence[Ask]) -> Iterator[_Event]:
    """Each that brought news, with how often it was said again after that."""
    for index, ask in enumerate(asks):
        following = asks[index + 1] if index + 1 < len(asks) else None
        last = following.number if following else attempt.asks + 1
        last_at = following.before_at if following else attempt.asked_at
        again = last - ask.number - 1
        more = f" Said {again} times more, last at {_time(last_at)}." if again and last_at else ""
        yield ask.at, f"{name}: {ask.said}{more}"


def _of_delivery(delivery: Delivery, tries: Sequence[DeliveryTry]) -> Iterator[_Event]:
    name = f"Webhook {delivery.public_id} ({delivery.event.value})"
    yield delivery.created_at, f"{name}: for {delivery.url}."
    for tried in tries:
        status = f" with {tried.status}" if tried.status else ""
        outcome = tried.error or "delivered."
        yield tried.at, f"{name}: answered{status} after {tried.milliseconds} ms, {outcome}"
    if delivery.finished_at is not None and delivery.status.value == "parked":
        yield delivery.finished_at, f"{name}: parked: {delivery.last_reason}"


def _of_act(act: Act) -> str:
    reason = f" Reason: {act.author.reason}" if act.author.reason else ""
    after = ", ".join(f"{name} {value}" for name, value in (act.after or {}).items())
    return f"{act.author.actor} ({act.author.origin}): {act.name}, {after}.{reason}"


def _time(at: datetime) -> str:
    return at.strftime("%H:%M:%SZ")
