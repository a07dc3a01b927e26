"""Jimeng: the stand-in's actions and answers.

Rules enforced here: `CVSync2AsyncSubmitTask` and `CVSync2AsyncGetResult` (2022-08-31), for
OmniHuman `CVSubmitTask`, `CVGetResult` and `CVProcess` instead, `CVCancelTask` (2024-06-06), the
action in the query; a task is read by the action that goes with the one that created it; both error
layers; `req_key` required in the poll and, in strict mode, the submitted one; `req_json` a string
of JSON; one slot per unfinished job (429/50430); an unknown id, or one older than 12 h, is
`not_found` in a successful answer; a failed job is a code on the poll, never a status; OmniHuman is
`processing` before it is `in_queue`; links live one hour; ids have 19 or 20 digits, some beyond
2^63; optional members come and go; motion imitation 2.0 calls back at its end, unsigned. Not
served: the actions named after models, video translation, the video agents.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import orjson
from typing_extensions import override

from vidgate.sandbox.callbacks import Subscription
from vidgate.sandbox.jimeng_fields import Order, ServiceError, invalid, read_order
from vidgate.sandbox.jimeng_options import ACCESS_KEY, SECRET_KEY, JimengOptions
from vidgate.sandbox.jimeng_people import PEOPLE_KEYS, detect, is_omni, read_people_order
from vidgate.sandbox.jimeng_signing import REGION, SERVICE, GatewayError, verify
from vidgate.sandbox.jobs import Job, Phase
from vidgate.sandbox.stand_in import StandIn, is_switch
from vidgate.sandbox.wire import Call, Operation, Reply, json_reply
from vidgate.sandbox.words import (
    AUDIT,
    LATE_AUDIT,
    LATE_ERROR,
    NO_URL,
    UNKNOWN_STATE,
    UNKNOWN_STATE_WORD,
    texts_of,
    words_of,
)
from vidgate.sandbox.world import World

__all__ = ["Jimeng"]

_NAME = "jimeng"
_SUCCESS = 10000
_LINK_SECONDS = 3600.0
_LIFE_SECONDS = 12 * 3600.0
_SILENT_EVERY = 10
"""One poll in so many has no `message`."""

_TWENTY_DIGITS = 10**19
_EXPIRED = "expired"

_ACTIONS: Mapping[tuple[str, str], str] = {
    ("CVSync2AsyncSubmitTask", "2022-08-31"): "submit",
    ("CVSync2AsyncGetResult", "2022-08-31"): "poll",
    ("CVSubmitTask", "2022-08-31"): "submit",
    ("CVGetResult", "2022-08-31"): "poll",
    ("CVProcess", "2022-08-31"): "other",
    ("CVCancelTask", "2024-06-06"): "cancel",
}

_GENERAL = "CVSync2AsyncSubmitTask"
_OMNI = "CVSubmitTask"
_READS: Mapping[str, str] = {_GENERAL: "CVSync2AsyncGetResult", _OMNI: "CVGetResult"}
"""The action that reads what each action created."""

_AT_SUBMIT: Mapping[int, tuple[int, str]] = {
    50411: (400, "Pre Img Risk Not Pass"),
    50412: (400, "Text Risk Not Pass"),
    50413: (400, "Post Text Risk Not Pass"),
    50400: (400, "Access Denied"),
    50513: (400, "Pre Video Risk Not Pass"),
    50514: (400, "Pre Audio Risk Not Pass"),
    50518: (400, "Pre Img Risk Not Pass: Copyright"),
    50520: (400, "Risk Internal Error"),
    50521: (400, "Antidirt Internal Error"),
    50522: (400, "Image Copyright Internal Error"),
    50429: (429, "Request Has Reached API Limit, Please Try Later"),
    50430: (429, "Request Has Reached API Concurrent Limit, Please Try Later"),
}
"""HTTP status and message of the codes a submit may get; each is a magic word too."""

_AT_POLL: Mapping[int, tuple[int, str]] = {
    50215: (400, "Input invalid for this service."),
    50500: (500, "Internal Error"),
    50501: (500, "Internal RPC Error"),
    50511: (400, "Post Img Risk Not Pass"),
    50512: (400, "Post Text Risk Not Pass"),
    50516: (400, "Post Video Risk Not Pass"),
    50517: (400, "Post Audio Risk Not Pass"),
    50519: (400, "Post Img Risk Not Pass: Copyright"),
}
"""The same for the codes in which a job may end."""

_LATE: Mapping[str, int] = {LATE_AUDIT: 50516, LATE_ERROR: 50215}

_REFUSALS: Mapping[int, str] = {
    401: "SignatureDoesNotMatch",
    429: "FlowLimitExceeded",
    500: "InternalError",
    503: "ServiceUnavailableTemp",
    504: "InternalServiceTimeout",
}


_TEXTS = ("prompt", "video_url", "image_url", "audio_url", "image_urls")
"""Where magic words may stand."""


class Jimeng(StandIn):
    """Plays Jimeng."""

    name = _NAME
    key = f"{ACCESS_KEY}|{SECRET_KEY}"
    job_seconds = 90.0
    options = JimengOptions
    changeable: ClassVar = {"strict": is_switch}

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._answers = 0

    @override
    def classify(self, call: Call) -> Operation:
        """Say what the call is."""
        kind = _ACTIONS.get(_action(call), "other") if call.method == "POST" else "other"
        task_id = call.fields().get("task_id") if kind == "poll" else None
        return Operation(kind, (task_id,) if isinstance(task_id, str) else ())

    @override
    def handle(self, call: Call) -> Reply:
        """Answer a call."""
        self._answers += 1
        try:
            data = self._data(call)
        except GatewayError as error:
            return self._refused(call, error)
        except ServiceError as error:
            return self._answer(error.status, error.code, str(error), None)
        return self._answer(200, _SUCCESS, "Success", data)

    @override
    def refusal(self, status: int) -> Reply:
        """The service's own 429, or the gateway's answer for another status."""
        if status == 429:  # noqa: PLR2004 - HTTP's
            return self._answer(429, 50429, _AT_SUBMIT[50429][1], None)
        return _gateway_reply(GatewayError(_REFUSALS[status]), "", "", self._request_id())

    @override
    def nothing_found(self, _call: Call) -> Reply:
        """The service's answer for an unknown task."""
        return self._answer(200, _SUCCESS, "Success", {"status": "not_found"})

    @override
    def prompt(self, call: Call) -> str:
        """The prompt of a submit, and the URLs that stand for one where there is none."""
        return texts_of(call.fields(), *_TEXTS)

    @override
    def claims_root(self, call: Call) -> bool:
        """The vendor's SDK can set a host but no path; what it calls has an action."""
        return "Action=" in call.query

    def _data(self, call: Call) -> dict[str, Any]:
        action, version = _action(call)
        if not action or not version:
            raise GatewayError("MissingParameter", "Action, Version")
        if call.method != "POST" or call.route != "/" or (action, version) not in _ACTIONS:
            raise GatewayError("InvalidActionOrVersion")
        account = verify(call, self._world.settings.of(JimengOptions))
        body = call.json()
        if not isinstance(body, dict):
            raise invalid("the body is not a JSON object")
        match _ACTIONS[action, version]:
            case "submit":
                return self._submit(account, body, call)
            case "poll":
                return self._poll(account, body, call)
            case "cancel":
                return self._cancel(account, body)
            case _:
                resp_data = detect(body)
                _refuse_by_word(words_of(self.prompt(call)))
                return {"resp_data": resp_data}

    def _submit(self, account: str, body: Mapping[str, Any], call: Call) -> dict[str, Any]:
        world = self._world
        action, _ = _action(call)
        req_key = str(body.get("req_key"))
        if is_omni(req_key) != (action == _OMNI):
            raise invalid("req_key")
        closed = world.settings.of(JimengOptions).closed
        order = (
            read_people_order(body, world.clip_at, closed)
            if req_key in PEOPLE_KEYS
            else read_order(body, closed)
        )
        words = words_of(self.prompt(call))
        _refuse_by_word(words)
        if world.is_full(_NAME, account):
            raise ServiceError(429, 50430, _AT_SUBMIT[50430][1])
        job = self._open(order, account, body, words, action)
        if order.callback_url is not None:
            self._follow(job, order.callback_url, call.base_url)
        return {"task_id": job.job_id}

    def _follow(self, job: Job, url: str, base_url: str) -> None:
        """Tell `url` of the job's end."""
        self._world.callbacks.follow(
            job,
            Subscription(
                url=url,
                phases=frozenset({Phase.SUCCEEDED, Phase.FAILED}),
                body=lambda at: self._told(job, at, base_url),
                headers=lambda _body, _now, _flaws: {},
            ),
        )

    def _told(self, job: Job, at: float, base_url: str) -> dict[str, Any]:
        """The body of a callback: what a poll answers, and the task's id."""
        try:
            phase = job.phase(at)
            _raise_failure(job, phase)
            data = self._progress(job, phase, at, base_url, tagged=False)
            envelope = self._envelope(_SUCCESS, "Success", {"resp_data": "", **data})
        except ServiceError as error:
            envelope = self._envelope(error.code, str(error), {"resp_data": ""})
        return {**envelope, "task_id": job.job_id}

    def _open(
        self,
        order: Order,
        account: str,
        body: Mapping[str, Any],
        words: frozenset[str],
        action: str,
    ) -> Job:
        number = self._world.next_number() * 10
        if number // 10 % 2:
            number += _TWENTY_DIGITS
        late = [_LATE[word] for word in words if word in _LATE]
        late += [int(word) for word in words if word.isdecimal() and int(word) in _AT_POLL]
        return self._world.open_job(
            provider=_NAME,
            job_id=str(number),
            account=account,
            pool=account,
            endpoint=action,
            model=order.req_key,
            correlation=None,
            body=body,
            clip=order.clip,
            words=words,
            charge=order.charge,
            late_failure=str(late[0]) if late else None,
            details={"pool": account, "resp_data": order.resp_data},
        )

    def _poll(self, account: str, body: Mapping[str, Any], call: Call) -> dict[str, Any]:
        task_id, req_key = body.get("task_id"), body.get("req_key")
        if not isinstance(req_key, str) or not req_key:
            raise invalid("req_key")
        if not isinstance(task_id, str) or not task_id:
            raise invalid("task_id")
        tagged = _is_tagged(body.get("req_json"))
        job = self._world.ledger.owned(_NAME, account, task_id)
        if job is None or call.now - job.created_at > _LIFE_SECONDS:
            return {"status": "not_found"}
        is_other = req_key != job.model or _action(call)[0] != _READS[job.endpoint]
        if self._world.settings.of(JimengOptions).strict and is_other:
            raise invalid("req_key")
        phase = job.phase(call.now)
        _raise_failure(job, phase)
        return self._progress(job, phase, call.now, call.base_url, tagged=tagged)

    def _progress(
        self, job: Job, phase: Phase, now: float, base_url: str, *, tagged: bool
    ) -> dict[str, Any]:
        if phase is Phase.CANCELLED:
            return {"status": "not_found"}
        if phase is Phase.QUEUED:
            is_before = job.endpoint == _OMNI and now < job.created_at + job.queue_seconds / 2
            return {"status": "processing" if is_before else "in_queue"}
        if phase is Phase.RUNNING:
            is_odd = UNKNOWN_STATE in job.words
            return {"status": UNKNOWN_STATE_WORD if is_odd else "generating"}
        if _EXPIRED in job.words:
            return {"status": "expired"}
        if job.details["resp_data"] is not None:
            return {"status": "done", "resp_data": job.details["resp_data"]}
        data: dict[str, Any] = {"status": "done", "aigc_meta_tagged": tagged}
        if NO_URL not in job.words:
            data["video_url"] = self._world.result_url(
                job, "video.mp4", _LINK_SECONDS, base_url, job.changed_at(now)
            )
        if self._answers % 2:
            data |= {"resp_data": "", "image_urls": None, "binary_data_base64": []}
        return data

    def _cancel(self, account: str, body: Mapping[str, Any]) -> dict[str, Any]:
        job = self._world.ledger.owned(_NAME, account, str(body.get("task_id")))
        if job is None or body.get("req_key") != job.model:
            raise invalid("task_id")
        if job.phase(self._world.now()) is not Phase.QUEUED:
            raise invalid("the task cannot be cancelled")
        self._world.cancel(job, account)
        return {}

    def _answer(self, status: int, code: int, message: str, data: Any) -> Reply:
        envelope = self._envelope(code, message, data)
        is_submit = isinstance(data, dict) and "task_id" in data
        if is_submit and self._answers % 2:
            del envelope["status"]
        elif code == _SUCCESS and self._answers % _SILENT_EVERY == 0:
            del envelope["message"]
        return json_reply(status, envelope)

    def _envelope(self, code: int, message: str, data: Any) -> dict[str, Any]:
        return {
            "code": code,
            "data": data,
            "message": message,
            "request_id": self._request_id(),
            "status": code,
            "time_elapsed": f"{20 + self._answers % 40}.{self._answers % 10}ms",
        }

    def _request_id(self) -> str:
        local = datetime.fromtimestamp(self._world.now(), UTC) + timedelta(hours=8)
        unique = hashlib.sha256(f"{id(self)}/{self._answers}".encode()).hexdigest()[:20].upper()
        return f"{local:%Y%m%d%H%M%S}{unique}"

    def _refused(self, call: Call, error: GatewayError) -> Reply:
        return _gateway_reply(error, *_action(call), self._request_id())


def _gateway_reply(error: GatewayError, action: str, version: str, request_id: str) -> Reply:
    return json_reply(
        error.status,
        {
            "ResponseMetadata": {
                "RequestId": request_id,
                "Action": action,
                "Version": version,
                "Service": SERVICE,
                "Region": REGION,
                "Error": {"CodeN": error.number, "Code": error.code, "Message": str(error)},
            }
        },
    )


def _action(call: Call) -> tuple[str, str]:
    query = parse_qs(call.query)
    return query.get("Action", [""])[0], query.get("Version", [""])[0]


def _refuse_by_word(words: frozenset[str]) -> None:
    for word in words:
        code = 50412 if word == AUDIT else int(word) if word.isdecimal() else 0
        if code in _AT_SUBMIT:
            status, message = _AT_SUBMIT[code]
            raise ServiceError(status, code, message)


def _raise_failure(job: Job, phase: Phase) -> None:
    if phase is Phase.FAILED:
        code = int(job.late_failure or 50500)
        status, message = _AT_POLL[code]
        raise ServiceError(status, code, message)


def _is_tagged(req_json: Any) -> bool:
    """Whether the poll asks for a valid label in the file."""
    if req_json is None:
        return False
    if not isinstance(req_json, str):
        raise invalid("req_json")
    try:
        asked = orjson.loads(req_json)
    except orjson.JSONDecodeError as error:
        raise invalid("req_json") from error
    meta = asked.get("aigc_meta") if isinstance(asked, dict) else None
    return isinstance(meta, dict) and all(
        isinstance(meta.get(name), str) and meta[name]
        for name in ("producer_id", "content_propagator")
    )
