"""Vidu: the stand-in's routes and answers.

Rules enforced here: `Token` authentication; the order of checks (body parses, credential, path,
fields, balance, concurrency), but a task id that is no number is `CODEC` before the credential; a
body over 20 MB is refused; the error shape with `code`, `reason`, `message`, `metadata`; defaults
filled in and echoed; ids as 18-digit strings; `created_at` with 6 or 9 fractional digits;
`created`, `queueing`, `processing`, `success`, `failed` with `err_code`; cancelling ends in
`UserCancelled` and no credits; the list with its filters and pages; links live 24 h. Over the
concurrency of the organisation jobs queue or are refused with 429, as set. Not served yet:
multiframe, extend, upscale, lip-sync, templates, subjects, callbacks.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from vidgate.sandbox.jobs import Job, Phase
from vidgate.sandbox.vidu_fields import ENDPOINTS, ViduError, read_order
from vidgate.sandbox.wire import Call, Operation, Reply, json_reply
from vidgate.sandbox.words import (
    AUDIT,
    LATE_AUDIT,
    LATE_ERROR,
    NO_URL,
    UNKNOWN_STATE,
    UNKNOWN_STATE_WORD,
    words_of,
)
from vidgate.sandbox.world import World

__all__ = ["Vidu"]

_NAME = "vidu"
_PREFIX = "/ent/v2/"
_LARGEST_BODY = 20 * 1024 * 1024
_LINK_SECONDS = 24 * 3600.0
_WINDOW_SECONDS = 7 * 24 * 3600.0
_DEFAULT_PAGE = 10
_LARGEST_PAGE = 100
_OFF_PEAK_STRETCH = 3.0
"""Off-peak work takes longer, though not the real two days."""

_TASK_PARTS = 3

_TYPES: Mapping[str, str] = {
    "text2video": "text2video",
    "img2video": "img2video",
    "start-end2video": "headtailimg2video",
    "reference2video": "character2video",
}

_REASONS: Mapping[str, int] = {
    "BadRequest": 400,
    "FieldInvalid": 400,
    "FieldUnwanted": 400,
    "ImageDownloadFailure": 400,
    "ImageFormatInvalid": 400,
    "OperationInProcess": 400,
    "TaskPromptPolicyViolation": 400,
    "AuditSubmitIllegal": 400,
    "CreationPolicyViolation": 400,
    "CreditInsufficient": 400,
    "ModelUnavailable": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "QuotaExceeded": 429,
    "TooManyRequests": 429,
    "SystemThrottling": 429,
    "InternalServiceFailure": 500,
}
"""HTTP status of each reason that a magic word may ask for."""

_REFUSALS: Mapping[int, str] = {
    401: "Unauthorized",
    429: "TooManyRequests",
    500: "InternalServiceFailure",
    503: "InternalServiceFailure",
    504: "InternalServiceFailure",
}

_LATE: Mapping[str, str] = {
    LATE_AUDIT: "CreationPolicyViolation",
    LATE_ERROR: "InternalServiceFailure",
}


class Vidu:
    """Plays Vidu."""

    name = _NAME

    def __init__(self, world: World) -> None:
        self._world = world
        self._answers = 0
        self._created = 0

    def classify(self, call: Call) -> Operation:
        """Say what the call is."""
        parts = call.route.removeprefix(_PREFIX).split("/")
        if call.method == "POST" and parts[0] in ENDPOINTS:
            return Operation("submit")
        if parts[0] != "tasks":
            return Operation("other")
        if len(parts) == 1:
            return Operation("find")
        return Operation("cancel" if parts[-1] == "cancel" else "poll", (parts[1],))

    def handle(self, call: Call) -> Reply:
        """Answer a call."""
        self._answers += 1
        try:
            return self._reply(200, self._data(call))
        except ViduError as error:
            return self._refused(error)

    def refusal(self, status: int) -> Reply:
        """Vidu's own answer for a status."""
        reason = _REFUSALS[status]
        return self._refused(ViduError(status, reason, reason))

    def nothing_found(self, call: Call) -> Reply:
        """Vidu's own answer for an unknown task: an empty list, or 404."""
        if call.route == f"{_PREFIX}tasks":
            return self._reply(200, {"next_page_token": "", "tasks": []})
        return self._refused(_not_found("TaskNotFound"))

    def prompt(self, call: Call) -> str:
        """The prompt of a create call."""
        return str(call.fields().get("prompt") or "")

    def _data(self, call: Call) -> dict[str, Any]:
        name = call.route.removeprefix(_PREFIX)
        parts = name.split("/")
        if parts[0] == "tasks" and len(parts) == _TASK_PARTS and not parts[1].isdecimal():
            raise ViduError(400, "CODEC", f'parsing field "id": {parts[1]}: invalid syntax')
        if call.method == "POST" and call.body and call.json() is None:
            raise ViduError(400, "CODEC", "parse error")
        account = self._account(call)
        self._world.slots(_NAME, account)
        match call.method, parts:
            case "POST", [endpoint] if endpoint in ENDPOINTS and call.route.startswith(_PREFIX):
                return self._create(endpoint, call, account)
            case "GET", ["tasks", task_id, "creations"]:
                return self._creations(self._job(account, task_id), call)
            case "POST", ["tasks", task_id, "cancel"]:
                return self._cancel(self._job(account, task_id))
            case "GET", ["tasks"]:
                return self._list(call, account)
            case "GET", ["credits"]:
                return self._credits(account)
            case _:
                raise _not_found("NotFound")

    def _account(self, call: Call) -> str:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        account = self._world.settings.vidu_keys.get(key)
        if scheme != "Token" or account is None:
            raise ViduError(401, "Unauthorized", "unauthorized")
        return account

    def _create(self, endpoint: str, call: Call, account: str) -> dict[str, Any]:
        world = self._world
        if len(call.body) > _LARGEST_BODY:
            raise ViduError(413, "BadRequest", "bad request: the body is too large")
        body = call.json()
        if not isinstance(body, dict):
            raise ViduError(400, "CODEC", "parse error")
        order = read_order(endpoint, body, strict=world.settings.vidu_strict)
        words = words_of(order.prompt)
        _refuse_by_word(words)
        if self._balance(account, order.cost) < order.cost:
            raise ViduError(400, "CreditInsufficient", "insufficient credits")
        if world.settings.vidu_over_limit == "refuse" and world.is_full(_NAME, account):
            raise ViduError(429, "QuotaExceeded", "quota exceeded")
        late = [_LATE[word] for word in words if word in _LATE]
        late += [word.removeprefix("err-") for word in words if word.startswith("err-")]
        number = world.next_number()
        self._created += 1
        echo = order.echo
        echo["seed"] = echo["seed"] or number * 48271 % (2**31 - 1)
        job = world.open_job(
            provider=_NAME,
            job_id=str(number),
            account=account,
            pool=account,
            endpoint=f"{_PREFIX}{endpoint}",
            model=order.model,
            correlation=order.payload or None,
            body=body,
            clip=order.clip,
            words=words,
            charge=order.cost,
            late_failure=late[0] if late else None,
            details={
                "pool": account,
                "echo": echo,
                "type": _TYPES[endpoint],
                "creation_id": str(world.next_number()),
                "is_odd": bool(self._created % 2),
            },
            stretch=_OFF_PEAK_STRETCH if order.off_peak else 1.0,
        )
        return {
            "task_id": job.job_id,
            "type": job.details["type"],
            "state": "created",
            **echo,
            "credits": order.cost,
            "created_at": _timestamp(job),
        }

    def _job(self, account: str, task_id: str) -> Job:
        job = self._world.ledger.owned(_NAME, account, task_id)
        if job is None:
            raise _not_found("TaskNotFound")
        return job

    def _creations(self, job: Job, call: Call) -> dict[str, Any]:
        phase = job.phase(call.now)
        echo = job.details["echo"]
        error = _err_code(job, phase)
        return {
            "id": job.job_id,
            "state": _state(job, phase, call.now),
            "err_code": error,
            "err_msg": error,
            "credits": 0 if error else job.charge,
            "payload": echo["payload"],
            "bgm": echo["bgm"],
            "off_peak": echo["off_peak"],
            "progress": _progress(job, call.now),
            "type": job.details["type"],
            "model": job.model,
            "creations": [self._creation(job, call)] if phase is Phase.SUCCEEDED else [],
        }

    def _creation(self, job: Job, call: Call) -> dict[str, Any]:
        clip = job.clip
        video = {
            "duration": round(clip.seconds, 2),
            "fps": clip.fps,
            "resolution": {"width": clip.width, "height": clip.height},
        }
        url = "" if NO_URL in job.words else self._url(job, "video.mp4", call)
        marked = job.details["echo"]["watermark"]
        return {
            "id": job.details["creation_id"],
            "url": url,
            "cover_url": "",
            "watermarked_url": self._url(job, "watermarked.mp4", call) if marked else "",
            "video": video,
            "attachments": [],
        }

    def _url(self, job: Job, name: str, call: Call) -> str:
        changed_at = job.changed_at(call.now)
        return self._world.result_url(job, name, _LINK_SECONDS, call.base_url, changed_at)

    def _cancel(self, job: Job) -> dict[str, Any]:
        now = self._world.now()
        if job.is_final(now):
            raise ViduError(409, "Conflict", "resource conflict")
        if job.phase(now) is Phase.RUNNING and not job.details["echo"]["off_peak"]:
            raise ViduError(409, "Conflict", "resource conflict")
        self._world.cancel(job, job.account)
        return {}

    def _list(self, call: Call, account: str) -> dict[str, Any]:
        query = parse_qs(call.query)
        size = _whole(query, ("pager.pagesz", "paper.pagesz"), _DEFAULT_PAGE)
        page = _whole(query, ("pager.page", "paper.page"), 0)
        if not 1 <= size <= _LARGEST_PAGE:
            raise ViduError(400, "PageSizeOutOfRange", "page size out of range")
        oldest = _moment(query, "created_at.from", call.now - _WINDOW_SECONDS)
        newest = _moment(query, "created_at.to", call.now)
        token = query.get("pager.page_token", [""])[0]
        skip = 0 if token else page * size
        found: list[Job] = []
        for job in self._world.ledger.newest_first(_NAME, account):
            if job.created_at < oldest:
                break
            if job.created_at > newest or (token and int(job.job_id) >= _number(token)):
                continue
            if not self._is_wanted(job, query, call.now):
                continue
            if skip:
                skip -= 1
                continue
            found.append(job)
            if len(found) > size:
                break
        shown = found[:size]
        return {
            "next_page_token": shown[-1].job_id if len(found) > size else "",
            "tasks": [self._listed(job, call) for job in shown],
        }

    def _is_wanted(self, job: Job, query: Mapping[str, list[str]], now: float) -> bool:
        values = {
            "task_ids": job.job_id,
            "states": _state(job, job.phase(now), now),
            "resolutions": job.details["echo"]["resolution"],
            "model_versions": job.model.removeprefix("vidu"),
        }
        for name, value in values.items():
            wanted = query.get(f"{name}[]", []) + query.get(name, [])
            if wanted and value not in wanted:
                return False
        return True

    def _listed(self, job: Job, call: Call) -> dict[str, Any]:
        full = self._creations(job, call)
        creations: Any = full["creations"]
        # The page that documents the list calls this an object; elsewhere it is an array.
        if job.details["is_odd"]:
            creations = creations[0] if creations else {}
        return {
            "id": job.job_id,
            "key_id": f"key-{job.account}",
            "type": full["type"],
            "state": full["state"],
            **job.details["echo"],
            "err_code": full["err_code"],
            "credits": full["credits"],
            "created_at": _timestamp(job),
            "creations": creations,
        }

    def _balance(self, account: str, needed: int) -> float:
        """What the account has left, counted only as exactly as the question needs."""
        credit = self._world.settings.vidu_credits
        jobs = (
            list(self._world.ledger.newest_first(_NAME, account)) if credit < needed * 10**5 else []
        )
        now = self._world.now()
        return credit - sum(job.charge for job in jobs if not _err_code(job, job.phase(now)))

    def _credits(self, account: str) -> dict[str, Any]:
        slots = self._world.slots(_NAME, account)
        remaining = self._balance(account, self._world.settings.vidu_credits)
        return {
            "remains": [
                {
                    "type": "metered",
                    "credit_remain": remaining,
                    "concurrency_limit": self._world.settings.concurrency[_NAME],
                    "current_concurrency": slots.busy(),
                    "queue_count": slots.waiting(),
                }
            ],
            "packages": [],
        }

    def _reply(self, status: int, content: Any) -> Reply:
        return json_reply(status, content, (("x-md-trace-id", self._trace_id()),))

    def _refused(self, error: ViduError) -> Reply:
        metadata = {"trace_id": self._trace_id()}
        if error.fields:
            metadata["fields"] = error.fields
        return self._reply(
            error.status,
            {
                "code": error.code,
                "reason": error.reason,
                "message": str(error),
                "metadata": metadata,
            },
        )

    def _trace_id(self) -> str:
        return hashlib.sha256(f"{id(self)}/{self._answers}".encode()).hexdigest()[:32]


def _not_found(reason: str) -> ViduError:
    return ViduError(404, reason, "not found")


def _refuse_by_word(words: frozenset[str]) -> None:
    if AUDIT in words:
        raise ViduError(400, "AuditSubmitIllegal", "submit is illegal")
    if "code-string" in words:
        reason = "CreditInsufficient"
        raise ViduError(402, reason, "insufficient credits", code=reason)
    for word in words:
        reason = word.removeprefix("reason-")
        if reason != word and reason in _REASONS:
            raise ViduError(_REASONS[reason], reason, reason)


def _err_code(job: Job, phase: Phase) -> str:
    if phase is Phase.CANCELLED:
        return "UserCancelled"
    return job.late_failure or "" if phase is Phase.FAILED else ""


def _state(job: Job, phase: Phase, now: float) -> str:
    match phase:
        case Phase.QUEUED:
            is_new = now < job.created_at + job.queue_seconds / 2
            return "created" if is_new else "queueing"
        case Phase.RUNNING:
            return UNKNOWN_STATE_WORD if UNKNOWN_STATE in job.words else "processing"
        case Phase.SUCCEEDED:
            return "success"
        case Phase.FAILED | Phase.CANCELLED:
            return "failed"


def _progress(job: Job, now: float) -> int:
    if now >= job.ends_at:
        return 100
    return max(0, int(99 * (now - job.started_at) / job.run_seconds)) if now > job.started_at else 0


def _timestamp(job: Job) -> str:
    moment = datetime.fromtimestamp(job.created_at, UTC)
    fraction = "428" if job.details["is_odd"] else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}{fraction}Z"


def _moment(query: Mapping[str, list[str]], name: str, default: float) -> float:
    if name not in query:
        return default
    try:
        moment = datetime.fromisoformat(query[name][0])
    except ValueError as error:
        raise ViduError(400, "CODEC", f"parsing field {name}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _whole(query: Mapping[str, list[str]], names: tuple[str, ...], default: int) -> int:
    for name in names:
        if name in query:
            return _number(query[name][0])
    return default


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ViduError(400, "CODEC", f"parse error: {text}")
    return int(text)
