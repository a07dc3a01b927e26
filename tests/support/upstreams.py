"""Every provider as a router plays it, by its situations in `tests/data/<name>/situations.json`."""

import inspect
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import httpx
import respx
from tests.support.adapters import ADAPTERS, DATA
from tests.support.clock import FixedClock
from typing_extensions import override

from vidgate.models.outcomes import FaultKind
from vidgate.providers.base import Finds
from vidgate.testing.situations import (
    CORRELATION,
    FindRequest,
    Reply,
    SentRequest,
    Situations,
    SituationsError,
    read_situations,
)

__all__ = [
    "BLIND",
    "DATA",
    "FINDING",
    "GARBAGE",
    "HTML",
    "LOST",
    "MODELS",
    "NAMES",
    "PROVING",
    "SITUATIONS",
    "UNCLEAR",
    "UNREADABLE",
    "VIDEO",
    "Answer",
    "Reply",
    "Upstream",
    "refusal",
    "refusals",
    "state",
]

Answer: TypeAlias = (
    Reply | Exception | Callable[[httpx.Request], "Answer"] | Callable[[httpx.Request], Any]
)


def _read() -> Iterator[tuple[str, Situations]]:
    for name in ADAPTERS:
        try:
            yield name, read_situations(DATA / name)
        except SituationsError:
            continue  # its test in test_contract fails and says what is missing


SITUATIONS: Final[Mapping[str, Situations]] = dict(_read())
NAMES: Final = tuple(SITUATIONS)
MODELS: Final[Mapping[str, str]] = {name: one.model for name, one in SITUATIONS.items()}
FINDING: Final = tuple(name for name in NAMES if isinstance(ADAPTERS[name], Finds))
"""Those that can be asked what became of a submit."""

PROVING: Final = tuple(
    name
    for name, one in ADAPTERS.items()
    if name in NAMES and isinstance(one, Finds) and one.proves_absence
)
"""Those of them that can say that it made no job."""

BLIND: Final = tuple(name for name in NAMES if name not in FINDING)
"""Those that cannot tell."""

VIDEO: Final = "http://127.0.0.1:9/a.mp4?sig=%2Fx"
"""Nothing is there, and the guard refuses to look."""

HTML: Final = Reply(status=502, text="<html><body>502 Bad Gateway</body></html>")
HTML_200: Final = Reply(text="<html><body>maintenance</body></html>")
TRUNCATED: Final = Reply(text='{"code": 0, "data": {"task_')
GARBAGE: Final = Reply(text="\x00\x01[[[{")

LOST: Final[Mapping[str, Exception]] = {
    "reset": httpx.ReadError("reset"),
    "closed": httpx.RemoteProtocolError("closed"),
    "timeout": httpx.ReadTimeout("slow"),
    "write": httpx.WriteError("broken pipe"),
}
"""Failures after which the request may have arrived."""


def state(name: str, word: str, job: str, correlation: str = CORRELATION) -> Reply:
    """What a provider answers about a job.

    Args:
        name: The provider's.
        word: What it says, a field of `Situations`: `running`, `succeeded`, `not found`, ...
        job: Its id.
        correlation: Our id of its submit.
    """
    about = SITUATIONS[name]
    named = getattr(about, word.replace(" ", "_")) or about.running
    reply = about.reply(named if isinstance(named, str) else named[0])
    return reply.with_values({about.job.id: job, about.video: VIDEO, CORRELATION: correlation})


def refusal(name: str, kind: FaultKind, **headers: str) -> Reply:
    """How a provider refuses a submit for this reason, with these headers alone."""
    about = SITUATIONS[name]
    return replace(about.reply(about.rejected[kind]), headers=headers)


def refusals(*kinds: FaultKind) -> list[tuple[str, FaultKind]]:
    """Each provider with each of these reasons that it has words for."""
    return [(name, kind) for name in NAMES for kind in kinds if kind in SITUATIONS[name].rejected]


def _unclear(name: str) -> dict[str, Answer]:
    about = SITUATIONS[name]
    return {
        **LOST,
        "5xx": about.reply(about.server_error),
        "html": HTML,
        "html 200": HTML_200,
        "truncated": TRUNCATED,
        "garbage": GARBAGE,
        "empty": Reply(text=""),
        "array": Reply(body=[]),
    }


UNCLEAR: Final[Sequence[tuple[str, str, Answer]]] = [
    (name, what, answer) for name in NAMES for what, answer in _unclear(name).items()
]
"""Answers to a submit after which a job may exist."""


def _unreadable(name: str) -> dict[str, Answer]:
    return {
        **_unclear(name),
        "refused": httpx.ConnectError("refused"),
        "429": refusal(name, FaultKind.RATE),
        "credential": refusal(name, FaultKind.CREDENTIAL),
        "unknown": lambda request: state(name, "unknown status", _job(name, request)),
    }


UNREADABLE: Final[Sequence[tuple[str, str, Answer]]] = [
    (name, what, answer) for name in NAMES for what, answer in _unreadable(name).items()
]
"""Answers to a poll that say nothing certain."""


def _job(name: str, request: httpx.Request) -> str:
    return (SITUATIONS[name].requests.poll.read(request) or {}).get("job", "")


class _SentTo(respx.patterns.Pattern):
    """A request to a host that is the one which the situations describe."""

    key = "sent_to"
    value: tuple[str, SentRequest]

    @override
    def __hash__(self) -> int:
        host, sent = self.value
        return hash((host, sent.model_dump_json()))

    @override
    def parse(self, request: httpx.Request) -> httpx.Request:
        return request

    @override
    def match(self, request: httpx.Request) -> respx.patterns.Match:
        host, sent = self.value
        return respx.patterns.Match(request.url.host == host and sent.read(request) is not None)


class Upstream:
    """One provider at `http://HOST.test`, which keeps jobs and answers as it is told to.

    By default it accepts every submit, says that every job is running, and finds what it accepted.

    Attributes:
        on_submit: What it answers; of several answers each is given once, the last one for ever.
        on_poll: Likewise; or one of the words of `state`.
        on_find: Likewise; `None` to look among `jobs`.
        jobs: Accepted ones: by id, the correlation they carried.
    """

    def __init__(
        self,
        router: respx.MockRouter,
        name: str,
        host: str | None = None,
        clock: FixedClock | None = None,
    ) -> None:
        self.name = name
        self.host = host or name
        self.on_submit: list[Answer] = [self.accept]
        self.on_poll: list[Answer | str] = ["running"]
        self.on_find: list[Answer] | None = None
        self.jobs: dict[str, str] = {}
        self.submits: list[httpx.Request] = []
        self.polls: list[httpx.Request] = []
        self.finds: list[httpx.Request] = []
        self._numbers = itertools.count(1)
        self._clock = clock or FixedClock()
        self._sent: dict[str, tuple[datetime, httpx.Request]] = {}
        self._requests = SITUATIONS[name].requests
        self._route(router, self._requests.submit, self._submit)
        self._route(router, self._requests.poll, self._poll)
        if self._requests.find is not None:
            self._route(router, self._requests.find, self._find)

    def _route(
        self,
        router: respx.MockRouter,
        sent: SentRequest,
        answer: Callable[[httpx.Request], Awaitable[httpx.Response]],
    ) -> None:
        router.route(_SentTo((f"{self.host}.test", sent))).mock(side_effect=answer)

    def accept(self, request: httpx.Request) -> Reply:
        """Make a job."""
        job = f"{self.host.replace('-', '')}{next(self._numbers)}"
        self.jobs[job] = self.correlation(request)
        self._sent[job] = (self._clock.now(), request)
        return state(self.name, "submitted", job, self.jobs[job])

    def then(self, answer: Answer) -> Callable[[httpx.Request], Answer]:
        """Make a job and answer something else, as when an answer is lost on its way."""

        def accepted(request: httpx.Request) -> Answer:
            self.accept(request)
            return answer

        return accepted

    def correlation(self, request: httpx.Request) -> str:
        """Our id in a submit, empty where the provider knows none."""
        return (self._requests.submit.read(request) or {}).get("correlation", "")

    async def _submit(self, request: httpx.Request) -> httpx.Response:
        self.submits.append(request)
        return await self._give(self.on_submit, request)

    async def _poll(self, request: httpx.Request) -> httpx.Response:
        self.polls.append(request)
        return await self._give(self.on_poll, request)

    async def _find(self, request: httpx.Request) -> httpx.Response:
        self.finds.append(request)
        return await self._give(self.on_find or [self._look], request)

    async def _give(
        self, answers: Sequence[Answer | str], request: httpx.Request
    ) -> httpx.Response:
        answer: Any = answers[0]
        if len(answers) > 1 and isinstance(answers, list):
            del answers[0]
        while not isinstance(answer, Reply):
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, str):
                job = _job(self.name, request)
                answer = state(self.name, answer, job, self.jobs.get(job, ""))
            else:
                answer = answer(request)
            if inspect.isawaitable(answer):
                answer = await _awaited(answer)
        return answer.response()

    def _look(self, request: httpx.Request) -> Reply:
        find = self._requests.find
        assert find is not None
        if find.listed is not None:
            return self._list(find, find.listed)
        wanted = (find.read(request) or {}).get("correlation", "")
        for job, correlation in self.jobs.items():
            if correlation == wanted:
                return state(self.name, "running", job, correlation)
        return state(self.name, "not found", wanted, wanted)

    def _list(self, find: FindRequest, listed: str) -> Reply:
        about = SITUATIONS[self.name]
        reply = about.reply(listed)
        assert find.items is not None
        [example] = reply.body[find.items]
        jobs = [self._listed(find, example, job) for job in self.jobs]
        return replace(reply, body={**reply.body, find.items: jobs})

    def _listed(self, find: FindRequest, example: Mapping[str, Any], job: str) -> Mapping[str, Any]:
        values = {SITUATIONS[self.name].job.id: job, CORRELATION: self.jobs[job]}
        listed = dict(Reply(body=example).with_values(values).body)
        made, request = self._sent.get(job, (self._clock.now(), None))
        listed |= {name: _like(example[name], made) for name in find.created}
        if request is not None:
            sent = json.loads(request.content)
            listed |= {name: sent[theirs] for name, theirs in find.sent.items() if theirs in sent}
        return listed


def _like(example: Any, moment: datetime) -> int | str:
    """A moment in the form of another one: seconds, milliseconds, or ISO 8601."""
    if isinstance(example, str):
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return int(moment.timestamp() * (1000 if example > 10**11 else 1))


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer
