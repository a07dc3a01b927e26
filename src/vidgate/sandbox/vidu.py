"""Vidu: the stand-in's routes and answers.

Rules enforced here: `Token` authentication; the order of checks (body parses, credential, path,
fields, balance, concurrency), but a task id that is no number is `CODEC` before the credential; a
body over 20 MB is refused; the error shape with `code`, `reason`, `message`, `metadata`; defaults
filled in and echoed; ids as 18-digit strings; `created_at` with 6 or 9 fractional digits;
`created`, `queueing`, `processing`, `success`, `failed` with `err_code`; cancelling ends in
`UserCancelled` and no credits; the list with its filters and pages; links live 24 h. Over the
concurrency of the organisation jobs queue or are refused with 429, as set. Not served: the legacy
upscale, the older name of the templates, images and sound.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs

from typing_extensions import override

from vidgate.sandbox.jobs import Job, Phase
from vidgate.sandbox.stand_in import StandIn, is_number, is_switch
from vidgate.sandbox.video import Clip
from vidgate.sandbox.vidu_common import ViduError
from vidgate.sandbox.vidu_edits import Sources
from vidgate.sandbox.vidu_fields import ENDPOINTS, read_order
from vidgate.sandbox.vidu_tasks import (
    creations_of,
    err_code,
    follow,
    is_wanted,
    listed,
    timestamp,
)
from vidgate.sandbox.vidu_templates import SUBJECT_CREDITS, read_subject
from vidgate.sandbox.wire import Call, Operation, Reply, json_reply
from vidgate.sandbox.words import AUDIT, LATE_AUDIT, LATE_ERROR, texts_of, words_of
from vidgate.sandbox.world import World

__all__ = ["Vidu", "ViduOptions"]

_NAME = "vidu"
_PREFIX = "/ent/v2/"
_LARGEST_BODY = 20 * 1024 * 1024
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


_TEXTS = ("prompt", "video_url", "text", "template", "images", "image_settings.prompt")
"""Where magic words may stand."""


_KEY = "vda_sandbox_0000000000000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViduOptions:
    """What can be chosen.

    Attributes:
        over_limit: Whether what exceeds the concurrency is queued or refused.
        credits: Opening balance of each organisation; high, so that its end is met on demand only.
        strict: Whether fields that the called endpoint does not take are refused.
        keys: Accepted keys and the organisation each belongs to.
    """

    over_limit: Literal["queue", "refuse"] = "refuse"
    credits: int = 1_000_000_000
    strict: bool = False
    keys: Mapping[str, str] = field(
        default_factory=lambda: {_KEY: "main", f"{_KEY[:-1]}2": "second"}
    )


class Vidu(StandIn):
    """Plays Vidu."""

    name = _NAME
    key = _KEY
    options = ViduOptions
    changeable: ClassVar = {
        "over_limit": lambda value: value in ("queue", "refuse"),
        "credits": is_number,
        "strict": is_switch,
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._answers = 0
        self._created = 0

    @override
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

    @override
    def handle(self, call: Call) -> Reply:
        """Answer a call."""
        self._answers += 1
        try:
            return self._reply(200, self._data(call))
        except ViduError as error:
            return self._refused(error)

    @override
    def refusal(self, status: int) -> Reply:
        """Vidu's own answer for a status."""
        reason = _REFUSALS[status]
        return self._refused(ViduError(status, reason, reason))

    @override
    def nothing_found(self, call: Call) -> Reply:
        """Vidu's own answer for an unknown task: an empty list, or 404."""
        if call.route == f"{_PREFIX}tasks":
            return self._reply(200, {"next_page_token": "", "tasks": []})
        return self._refused(_not_found("TaskNotFound"))

    @override
    def prompt(self, call: Call) -> str:
        """The prompt of a create call, and what stands for one where there is none."""
        return texts_of(call.fields(), *_TEXTS)

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
            case "POST", ["subjects"]:
                return self._keep_subject(call, account)
            case "GET", ["tasks", task_id, "creations"]:
                job = self._job(account, task_id)
                return creations_of(self._world, job, call.now, call.base_url)
            case "POST", ["tasks", task_id, "cancel"]:
                return self._cancel(self._job(account, task_id))
            case "GET", ["tasks"]:
                return self._list(call, account)
            case "GET", ["credits"]:
                return self._credits(account)
            case _:
                raise _not_found("NotFound")

    @property
    def _options(self) -> ViduOptions:
        return self._world.settings.of(ViduOptions)

    def _account(self, call: Call) -> str:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        account = self._options.keys.get(key)
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
        sources = Sources(lambda name: self._creation(account, name), world.clip_at)
        order = read_order(endpoint, body, sources, strict=self._options.strict)
        words = words_of(self.prompt(call))
        _refuse_by_word(words)
        if self._balance(account, order.cost) < order.cost:
            raise ViduError(400, "CreditInsufficient", "insufficient credits")
        if self._options.over_limit == "refuse" and world.is_full(_NAME, account):
            raise ViduError(429, "QuotaExceeded", "quota exceeded")
        late = [_LATE[word] for word in words if word in _LATE]
        late += [word.removeprefix("err-") for word in words if word.startswith("err-")]
        late += [order.late_failure] if order.late_failure else []
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
                "type": _TYPES.get(endpoint, endpoint),
                "creation_id": str(world.next_number()),
                "is_odd": bool(self._created % 2),
            },
            stretch=_OFF_PEAK_STRETCH if order.off_peak else 1.0,
        )
        if body.get("callback_url"):
            _, _, key = call.headers["authorization"].partition(" ")
            follow(world, job, body["callback_url"], key, call.base_url)
        return {
            "task_id": job.job_id,
            "type": job.details["type"],
            "state": "created",
            **echo,
            "credits": order.cost,
            "created_at": timestamp(job),
        }

    def _keep_subject(self, call: Call, account: str) -> dict[str, Any]:
        body = call.json()
        if not isinstance(body, dict):
            raise ViduError(400, "CODEC", "parse error")
        shown = read_subject({name: value for name, value in body.items() if value is not None})
        if self._balance(account, SUBJECT_CREDITS) < SUBJECT_CREDITS:
            raise ViduError(400, "CreditInsufficient", "insufficient credits")
        subject = {"id": str(self._world.next_number()), **shown, "credits": SUBJECT_CREDITS}
        self._world.shelf("vidu-subjects").setdefault(account, []).append(subject)
        return subject

    def _creation(self, account: str, creation_id: str) -> Clip | None:
        """The video of a finished task, by the id of its creation."""
        now = self._world.now()
        for job in self._world.ledger.newest_first(_NAME, account):
            if job.details["creation_id"] == creation_id:
                return job.clip if job.phase(now) is Phase.SUCCEEDED else None
        return None

    def _job(self, account: str, task_id: str) -> Job:
        job = self._world.ledger.owned(_NAME, account, task_id)
        if job is None:
            raise _not_found("TaskNotFound")
        return job

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
            if not is_wanted(job, query, call.now):
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
            "tasks": [listed(self._world, job, call.now, call.base_url) for job in shown],
        }

    def _balance(self, account: str, needed: int) -> float:
        """What the account has left, counted only as exactly as the question needs."""
        credit = self._options.credits
        jobs = (
            list(self._world.ledger.newest_first(_NAME, account)) if credit < needed * 10**5 else []
        )
        now = self._world.now()
        kept = len(self._world.shelf("vidu-subjects").get(account, []))
        spent = sum(job.charge for job in jobs if not err_code(job, job.phase(now)))
        return credit - spent - kept * SUBJECT_CREDITS

    def _credits(self, account: str) -> dict[str, Any]:
        slots = self._world.slots(_NAME, account)
        remaining = self._balance(account, self._options.credits)
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
