"""The four providers as a router plays them, each in the words of its documentation."""

import inspect
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import httpx
import respx

from vidgate.models.outcomes import FaultKind

__all__ = [
    "BLIND",
    "LOST",
    "MODELS",
    "NAMES",
    "UNCLEAR",
    "UNREADABLE",
    "Answer",
    "Reply",
    "Upstream",
    "refusal",
    "refusals",
    "state",
]


@dataclass(frozen=True)
class Reply:
    """An answer that can be given more than once."""

    body: Any = None
    status: int = 200
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> httpx.Response:
        content = self.text if self.text is not None else json.dumps(self.body)
        return httpx.Response(self.status, headers=dict(self.headers), content=content.encode())


Answer: TypeAlias = (
    Reply | Exception | Callable[[httpx.Request], "Answer"] | Callable[[httpx.Request], Any]
)

NAMES: Final = ("kling", "jimeng", "vidu", "openai_compatible")
BLIND: Final = frozenset({"jimeng", "openai_compatible"})
"""Those that cannot tell what became of a submit."""

MODELS: Final = {
    "kling": "kling-v2-6",
    "jimeng": "jimeng_t2v_v30",
    "vidu": "viduq3-turbo",
    "openai_compatible": "clip-1",
}
VIDEO: Final = "http://127.0.0.1:9/a.mp4?sig=%2Fx"
"""Nothing is there, and the guard refuses to look."""

_PATHS: Final = {
    "openai_compatible": ("/v1/videos", r"/v1/videos/\w+$", r"/nowhere"),
    "kling": ("/v1/videos/text2video", r"/v1/videos/text2video/(?!vg_)", r"/v1/videos/\w+/vg_"),
    "vidu": ("/ent/v2/text2video", r"/ent/v2/tasks/\w+/creations", r"/ent/v2/tasks\?"),
}

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


def state(name: str, word: str, job: str) -> Reply:
    """What a provider answers about a job: `running`, `succeeded`, `failed`, and odder ones."""
    return _STATES[name](word, job)


def _kling_state(word: str, job: str) -> Reply:
    data: dict[str, Any] = {"task_id": job, "task_status": "processing", "task_status_msg": ""}
    match word:
        case "running":
            pass
        case "queued":
            data["task_status"] = "submitted"
        case "succeeded":
            data["task_status"] = "succeed"
            video = {"id": "v1", "url": VIDEO, "duration": "5.041"}
            data["task_result"] = {"videos": [video]}
        case "without url":
            data |= {"task_status": "succeed", "task_result": {"videos": []}}
        case "failed":
            data |= {"task_status": "failed", "task_status_msg": "internal generation error"}
        case "unknown":
            data["task_status"] = "dreaming"
        case "not found":
            message = f"Task not found by id/external id: {job}"
            return Reply({"code": 1201, "message": message, "request_id": "r"}, 400)
        case _:
            raise ValueError(word)
    return Reply({"code": 0, "message": "SUCCEED", "request_id": "r", "data": data})


def _jimeng_state(word: str, _: str) -> Reply:
    data: dict[str, Any] = {"status": "generating"}
    match word:
        case "running":
            pass
        case "queued":
            data["status"] = "in_queue"
        case "succeeded":
            data |= {"status": "done", "video_url": VIDEO}
        case "without url":
            data |= {"status": "done", "video_url": ""}
        case "failed":
            return _jimeng(50511, "Post Img Risk Not Pass", 400)
        case "unknown":
            data["status"] = "dreaming"
        case "not found":
            data["status"] = "not_found"
        case _:
            raise ValueError(word)
    return Reply({"code": 10000, "data": data, "message": "Success", "status": 10000})


def _jimeng(code: int, message: str, status: int) -> Reply:
    body = {"code": code, "data": None, "message": message, "request_id": "r", "status": code}
    return Reply(body, status)


def _vidu_state(word: str, job: str) -> Reply:
    body: dict[str, Any] = {"id": job, "state": "processing", "err_code": "", "credits": 5}
    match word:
        case "running":
            pass
        case "queued":
            body["state"] = "queueing"
        case "succeeded":
            video = {"duration": 5.04, "fps": 24, "resolution": {"width": 1280, "height": 720}}
            body |= {"state": "success", "creations": [{"id": "c", "url": VIDEO, "video": video}]}
        case "without url":
            body |= {"state": "success", "creations": []}
        case "failed":
            body |= {"state": "failed", "err_code": "InternalServiceFailure"}
        case "unknown":
            body["state"] = "dreaming"
        case "not found":
            return _vidu("TaskNotFound", 404)
        case _:
            raise ValueError(word)
    return Reply(body)


def _openai_state(word: str, job: str) -> Reply:
    body: dict[str, Any] = {"id": job, "object": "video", "status": "in_progress", "progress": 1}
    match word:
        case "running":
            pass
        case "queued":
            body["status"] = "queued"
        case "succeeded":
            body |= {"status": "completed", "url": VIDEO, "seconds": "5", "size": "1280x720"}
        case "failed":
            error = {"code": "video_generation_failed", "message": "It went wrong."}
            body |= {"status": "failed", "error": error}
        case "unknown":
            body["status"] = "dreaming"
        case "not found":
            return _openai("video_not_found", 404)
        case _:
            raise ValueError(word)
    return Reply(body)


def _openai(code: str, status: int) -> Reply:
    return Reply({"error": {"message": code, "type": "t", "param": None, "code": code}}, status)


def _vidu(reason: str, status: int, **headers: str) -> Reply:
    body = {"code": status, "reason": reason, "message": reason, "metadata": {"trace_id": "t"}}
    return Reply(body, status, headers=headers)


def _kling(code: int, status: int) -> Reply:
    return Reply({"code": code, "message": "no", "request_id": "r"}, status)


_STATES: Final = {
    "kling": _kling_state,
    "jimeng": _jimeng_state,
    "vidu": _vidu_state,
    "openai_compatible": _openai_state,
}

_SIGNATURE: Final = Reply(
    {"ResponseMetadata": {"Error": {"CodeN": 100010, "Code": "SignatureDoesNotMatch"}}}, 401
)

_REFUSALS: Final[Mapping[str, Mapping[FaultKind, Reply]]] = {
    "kling": {
        FaultKind.BAD_PARAMETER: _kling(1200, 400),
        FaultKind.CONTENT_POLICY: _kling(1301, 400),
        FaultKind.CREDENTIAL: _kling(1002, 401),
        FaultKind.BALANCE: _kling(1102, 429),
        FaultKind.MODEL_UNAVAILABLE: _kling(1203, 404),
        FaultKind.FAULT: _kling(1202, 400),
        FaultKind.CONCURRENCY: _kling(1303, 429),
        FaultKind.RATE: _kling(1302, 429),
    },
    "jimeng": {
        FaultKind.BAD_PARAMETER: _jimeng(50200, "bad parameter: seed", 400),
        FaultKind.CONTENT_POLICY: _jimeng(50412, "Text Risk Not Pass", 400),
        FaultKind.CREDENTIAL: _SIGNATURE,
        FaultKind.MODEL_UNAVAILABLE: _jimeng(50400, "Access Denied", 400),
        FaultKind.FAULT: _jimeng(50520, "Internal RPC Error", 400),
        FaultKind.CONCURRENCY: _jimeng(50430, "API Concurrent Limit", 429),
        FaultKind.RATE: _jimeng(50429, "API Limit", 429),
    },
    "vidu": {
        FaultKind.BAD_PARAMETER: _vidu("FieldInvalid", 400),
        FaultKind.CONTENT_POLICY: _vidu("AuditSubmitIllegal", 400),
        FaultKind.CREDENTIAL: _vidu("Unauthorized", 401),
        FaultKind.BALANCE: _vidu("CreditInsufficient", 400),
        FaultKind.MODEL_UNAVAILABLE: _vidu("ModelUnavailable", 400),
        FaultKind.CONCURRENCY: _vidu("QuotaExceeded", 429),
        FaultKind.RATE: _vidu("TooManyRequests", 429),
    },
    "openai_compatible": {
        FaultKind.BAD_PARAMETER: _openai("invalid_value", 400),
        FaultKind.CONTENT_POLICY: _openai("content_policy_violation", 400),
        FaultKind.CREDENTIAL: _openai("invalid_api_key", 401),
        FaultKind.BALANCE: _openai("insufficient_quota", 429),
        FaultKind.MODEL_UNAVAILABLE: _openai("model_not_found", 404),
        FaultKind.CONCURRENCY: _openai("concurrency_limit_exceeded", 429),
        FaultKind.RATE: _openai("rate_limit_exceeded", 429),
    },
}


def refusal(name: str, kind: FaultKind, **headers: str) -> Reply:
    """How a provider refuses a submit for this reason."""
    reply = _REFUSALS[name][kind]
    return Reply(reply.body, reply.status, headers=headers)


def refusals(*kinds: FaultKind) -> list[tuple[str, FaultKind]]:
    """Each provider with each of these reasons that it has words for."""
    return [(name, kind) for name in NAMES for kind in kinds if kind in _REFUSALS[name]]


_SERVER_ERRORS: Final = {
    "kling": _kling(5000, 500),
    "jimeng": _jimeng(50500, "Internal Error", 500),
    "vidu": _vidu("InternalServiceFailure", 500),
    "openai_compatible": _openai("server_error", 500),
}


def _unclear(name: str) -> dict[str, Answer]:
    return {
        **LOST,
        "5xx": _SERVER_ERRORS[name],
        "html": HTML,
        "html 200": HTML_200,
        "truncated": TRUNCATED,
        "garbage": GARBAGE,
        "empty": Reply(text=""),
        "array": Reply([]),
    }


UNCLEAR: Final[Sequence[tuple[str, str, Answer]]] = [
    (name, what, answer) for name in NAMES for what, answer in _unclear(name).items()
]
"""Answers to a submit after which a job may exist."""


def _unreadable(name: str) -> dict[str, Answer]:
    return {
        **_unclear(name),
        "refused": httpx.ConnectError("refused"),
        "429": _REFUSALS[name][FaultKind.RATE],
        "credential": _REFUSALS[name][FaultKind.CREDENTIAL],
        "unknown": lambda request: state(name, "unknown", _job(name, request)),
    }


UNREADABLE: Final[Sequence[tuple[str, str, Answer]]] = [
    (name, what, answer) for name in NAMES for what, answer in _unreadable(name).items()
]
"""Answers to a poll that say nothing certain."""


def _job(name: str, request: httpx.Request) -> str:
    if name == "jimeng":
        return str(json.loads(request.content)["task_id"])
    path = request.url.path.removesuffix("/creations")
    return path.rpartition("/")[2]


class Upstream:
    """One provider at `http://HOST.test`, which keeps jobs and answers as it is told to.

    By default it accepts every submit, says that every job is running, and finds what it accepted.

    Attributes:
        on_submit: What it answers; of several answers each is given once, the last one for ever.
        on_poll: Likewise; or one of the words of `state`.
        on_find: Likewise; `None` to look among `jobs`.
        jobs: Accepted ones: by id, the correlation they carried.
    """

    def __init__(self, router: respx.MockRouter, name: str, host: str | None = None) -> None:
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
        base = f"http://{self.host}.test"
        if name == "jimeng":
            router.post(base, params__contains={"Action": "CVSync2AsyncSubmitTask"}).mock(
                side_effect=self._submit
            )
            router.post(base, params__contains={"Action": "CVSync2AsyncGetResult"}).mock(
                side_effect=self._poll
            )
            return
        submit, poll, find = _PATHS[name]
        router.post(f"{base}{submit}").mock(side_effect=self._submit)
        router.get(url__regex=f"^{base}{poll}").mock(side_effect=self._poll)
        router.get(url__regex=f"^{base}{find}").mock(side_effect=self._find)

    def accept(self, request: httpx.Request) -> Reply:
        """Make a job."""
        job = f"{self.host.replace('-', '')}{next(self._numbers)}"
        self.jobs[job] = self.correlation(request)
        match self.name:
            case "kling":
                return Reply({"code": 0, "message": "SUCCEED", "data": {"task_id": job}})
            case "jimeng":
                return Reply({"code": 10000, "data": {"task_id": job}, "message": "Success"})
            case "openai_compatible":
                return state(self.name, "queued", job)
            case _:
                return Reply({"task_id": job, "state": "created", "credits": 5})

    def then(self, answer: Answer) -> Callable[[httpx.Request], Answer]:
        """Make a job and answer something else, as when an answer is lost on its way."""

        def accepted(request: httpx.Request) -> Answer:
            self.accept(request)
            return answer

        return accepted

    def correlation(self, request: httpx.Request) -> str:
        """Our id in a submit, empty where the provider knows none."""
        if self.name in BLIND:
            return ""
        body = json.loads(request.content)
        return str(body.get("external_task_id") or body.get("payload") or "")

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
                answer = state(self.name, answer, _job(self.name, request))
            else:
                answer = answer(request)
            if inspect.isawaitable(answer):
                answer = await _awaited(answer)
        return answer.response()

    def _look(self, request: httpx.Request) -> Reply:
        if self.name == "vidu":
            tasks = [
                {"id": job, "payload": payload, "state": "processing"}
                for job, payload in self.jobs.items()
            ]
            return Reply({"tasks": tasks, "next_page_token": ""})
        wanted = request.url.path.rpartition("/")[2]
        for job, correlation in self.jobs.items():
            if correlation == wanted:
                return state(self.name, "running", job)
        return state(self.name, "not found", wanted)


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer
