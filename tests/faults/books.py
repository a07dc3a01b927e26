"""The books of a storm: what was seen, and what must be true of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from tests.faults.schedule import Order
from tests.support.receiver import Received

from vidgate.models.attempts import Attempt
from vidgate.models.tasks import AttemptStatus, TaskSnapshot

__all__ = ["Answer", "Books", "Sighting"]

_RANKS: Final = {
    word: rank
    for rank, words in enumerate(
        (
            ("queued", "submitted", "created", "queueing"),
            ("in_progress", "processing"),
            ("succeeded", "completed", "succeed", "success", "failed"),
        )
    )
    for word in words
}
"""How far a task is, by what the dialects call its state."""

_COARSE: Final = "processing"
"""What the new-api dialect calls everything unfinished: it says only that the task is not final."""

_FINAL: Final = 2
_TELL_BY_ID: Final = frozenset({"kling", "vidu"})
"""Providers that can be asked for a job by an id of ours: there nothing stays unknown."""

_SERVER_ERROR: Final = 500
_OK: Final = 200
_NOT_FOUND: Final = 404
_GATEWAY_TIMEOUT: Final = 504


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of our gateways answered."""

    method: str
    path: str
    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """The state in which a task was seen.

    Attributes:
        reader: Who saw it and where, such as `gateway 1`.
        word: The state, as the dialect calls it.
    """

    reader: str
    word: str

    @property
    def rank(self) -> int:
        return _RANKS[self.word]

    @property
    def is_final(self) -> bool:
        return self.rank == _FINAL

    @property
    def has_succeeded(self) -> bool:
        return self.is_final and self.word != "failed"


@dataclass
class Books:
    """Everything that was seen of a storm.

    Attributes:
        orders: What was asked.
        secret: What signs webhooks.
        ledger: The jobs that the stand-ins made and were paid for.
        tasks: As they are stored, by their public ids.
        attempts: Likewise.
        received: The webhooks that came.
        exits: The exit statuses of gateways that were asked to end.
        imbalance: What is wrong with money and budgets, empty for nothing.
    """

    orders: Sequence[Order]
    secret: str = ""
    ledger: Sequence[Mapping[str, Any]] = ()
    tasks: dict[str, TaskSnapshot] = field(default_factory=dict)
    attempts: dict[str, Sequence[Attempt]] = field(default_factory=dict)
    received: Sequence[Received] = ()
    exits: list[int] = field(default_factory=list)
    imbalance: str = ""
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    _ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _refusals: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _sightings: dict[str, list[Sighting]] = field(default_factory=lambda: defaultdict(list))
    _bad_answers: list[Answer] = field(default_factory=list)

    # Writing down

    def answered(self, answer: Answer) -> None:
        """Note an answer of a gateway."""
        self.statuses[answer.method, answer.status] += 1
        is_bad = answer.status == _SERVER_ERROR
        is_late = answer.method == "POST" and answer.status == _GATEWAY_TIMEOUT
        # Whoever reads has the id of a task.
        is_lost = answer.method == "GET" and answer.status == _NOT_FOUND
        if is_bad or is_late or is_lost:
            self._bad_answers.append(answer)

    def placed(self, label: str, status: int, text: str) -> str | None:
        """Note the last answer to an order; returns the id of its task, `None` if refused."""
        if status == _OK:
            task = _id_in(orjson.loads(text))
            self._ids[label].add(task)
            return task
        self._refusals[label].append(f"{status} {text[:300]}")
        return None

    def is_followed(self, task: str) -> bool:
        """Whether somebody reads a task already; who asks does so from now on."""
        known = task in self._sightings
        self._sightings[task]  # a default
        return known

    def accepted(self) -> list[str]:
        """The ids that clients were given."""
        return [task for ids in self._ids.values() for task in ids]

    def seen(self, task: str, reader: str, *, status: int, text: str) -> Sighting | None:
        """Note the state in which a reader saw a task."""
        if status != _OK:
            return None
        sighting = Sighting(reader, _word_in(orjson.loads(text)))
        self._sightings[task].append(sighting)
        return sighting

    # Closing

    def errors(self) -> list[str]:
        """Say everything that is not as it must be."""
        return [
            error
            for check in (
                self._bad,
                self._crashed,
                self._twice_accepted,
                self._unfinished,
                self._blamed,
                self._gone_back,
                self._paid_twice,
                self._paid_and_lost,
                self._refused_and_paid,
                self._untold,
                self._badly_signed,
                self._out_of_balance,
            )
            for error in check()
        ]

    def _out_of_balance(self) -> Iterator[str]:
        if self.imbalance:
            yield self.imbalance

    def summary(self) -> str:
        """What happened, in a few lines."""
        ends = Counter(
            f"{task.status.value} {task.error.code if task.error else ''}".strip()
            for task in self.tasks.values()
        )
        unknown = sum(
            attempt.status is AttemptStatus.UNKNOWN
            for attempts in self.attempts.values()
            for attempt in attempts
        )
        return "\n".join(
            (
                f"{len(self.orders)} orders: {len(self.accepted())} accepted",
                f"refused: {dict(self._refusals)}",
                f"{len(self.ledger)} jobs, {unknown} attempts are unknown",
                f"tasks: {dict(ends)}",
                f"answers: {dict(sorted(self.statuses.items()))}",
                f"{len(self.received)} webhooks, {len({one.id for one in self.received})} events",
            )
        )

    def _bad(self) -> Iterator[str]:
        for answer in self._bad_answers:
            yield (
                f"{answer.method} {answer.path} was answered {answer.status}: {answer.text[:500]}"
            )

    def _crashed(self) -> Iterator[str]:
        if any(self.exits):
            yield f"gateways that were asked to end did so with {self.exits}"

    def _twice_accepted(self) -> Iterator[str]:
        by_prompt = Counter(_label_of(task.asked) for task in self.tasks.values())
        for order in self.orders:
            if len(self._ids[order.label]) > 1:
                yield f"{order.label}: several tasks for one key: {self._ids[order.label]}"
            if by_prompt[order.label] > 1:
                yield f"{order.label}: {by_prompt[order.label]} tasks are stored"

    def _unfinished(self) -> Iterator[str]:
        for public_id, task in self.tasks.items():
            if not task.status.is_final:
                attempts = [
                    (one.status.value, one.provider, one.due_at, one.last_reason)
                    for one in self.attempts[public_id]
                ]
                yield f"{_label_of(task.asked)} {public_id} is {task.status.value}: {attempts}"
        for public_id in self.accepted():
            if public_id not in self.tasks:
                yield f"{public_id} was accepted and is not stored"

    def _blamed(self) -> Iterator[str]:
        """Every order was good: none that is left alone ends as if its client were to blame."""
        plain = {order.label for order in self.orders if not order.word}
        for public_id, task in self.tasks.items():
            is_plain = _label_of(task.asked) in plain
            if is_plain and task.error and task.error.code == "invalid_parameter":
                attempts = [
                    (one.status.value, one.provider, one.tries, one.fault_message, one.last_reason)
                    for one in self.attempts[public_id]
                ]
                yield f"{_label_of(task.asked)} ({task.dialect}): {task.error}: {attempts}"

    def _gone_back(self) -> Iterator[str]:
        """For one reader no state goes back, and no final state changes anywhere."""
        for task, sightings in self._sightings.items():
            furthest: dict[str, int] = {}
            for sighting in sightings:
                before = furthest.get(sighting.reader, 0)
                # A coarse word goes with every state but a final one.
                least = _FINAL if sighting.word == _COARSE else sighting.rank + 1
                if before >= least:
                    yield f"{task} went back at {sighting.reader}: {sightings}"
                    break
                if sighting.word != _COARSE:
                    furthest[sighting.reader] = max(before, sighting.rank)
            ends = {one.has_succeeded for one in sightings if one.is_final}
            if len(ends) > 1:
                yield f"{task} ended in two ways: {sightings}"
                continue
            stored = self.tasks.get(task)
            if stored and ends and ends != {stored.status.value == "succeeded"}:
                yield f"{task} was seen otherwise than it is stored ({stored.status}): {sightings}"

    def _paid_twice(self) -> Iterator[str]:
        jobs = Counter(_label_of(job["body"]) for job in self.ledger)
        for order in self.orders:
            if jobs[order.label] > order.n:
                yield f"{order.label}: {jobs[order.label]} jobs were paid for {order.n} videos"
        correlations = Counter(
            (job["provider"], job["correlation"]) for job in self.ledger if job["correlation"]
        )
        for one, count in correlations.items():
            if count > 1:
                yield f"{count} jobs of one attempt: {one}"
        for public_id, attempts in self.attempts.items():
            made = Counter(one.position for one in attempts if one.ref is not None)
            for position, count in made.items():
                if count > 1:
                    yield f"{public_id}: output {position} has {count} attempts with a job"

    def _paid_and_lost(self) -> Iterator[str]:
        every = [one for attempts in self.attempts.values() for one in attempts]
        known = {(one.provider, one.ref.id) for one in every if one.ref is not None}
        unknown = Counter(
            (public_id, one.provider)
            for public_id, attempts in self.attempts.items()
            for one in attempts
            if one.status is AttemptStatus.UNKNOWN and one.ref is None
        )
        by_label = {_label_of(task.asked): name for name, task in self.tasks.items()}
        for job in self.ledger:
            if (job["provider"], job["id"]) in known:
                continue
            place = by_label.get(_label_of(job["body"]), ""), job["provider"]
            if unknown[place] == 0:
                yield f"a job that nobody knows: {job['provider']} {job['id']} of {place[0]}"
            elif job["provider"] in _TELL_BY_ID:
                yield f"a job that could be found is unknown: {job['provider']} {job['id']}"
            unknown[place] -= 1

    def _refused_and_paid(self) -> Iterator[str]:
        """An error is answered only where it is certain that no job exists or will exist."""
        paid = {_label_of(job["body"]) for job in self.ledger}
        for label, refusals in self._refusals.items():
            if label in paid and not self._ids[label]:
                yield f"{label} was refused and paid: {refusals}"

    def _untold(self) -> Iterator[str]:
        told = defaultdict(set)
        for one in self.received:
            told[one.path.removeprefix("/")].add(one.id)
        for order in self.orders:
            if not order.has_webhook or not self._ids[order.label]:
                continue
            events = told[order.label]
            if len(events) != 1:
                yield f"{order.label}: {len(events)} webhooks were received: {events}"

    def _badly_signed(self) -> Iterator[str]:
        for one in self.received:
            if not one.is_signed_with(self.secret):
                yield f"a webhook to {one.path} has no right signature"


def _label_of(body: Mapping[str, Any]) -> str:
    return str(body.get("prompt", "")).partition(" ")[0]


def _id_in(body: Mapping[str, Any]) -> str:
    """Our id in the answer to a POST of any dialect."""
    data = body.get("data")
    members = {**body, **(data if isinstance(data, dict) else {})}
    return str(members.get("id") or members["task_id"])


def _word_in(body: Mapping[str, Any]) -> str:
    """The state in the answer to a GET of any dialect."""
    data = body.get("data")
    if isinstance(data, dict) and "task_status" in data:
        return str(data["task_status"])
    return str(body.get("status") or body["state"])
