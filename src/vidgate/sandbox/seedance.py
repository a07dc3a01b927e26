"""Seedance on Ark and ModelArk: video generation tasks, as the reference and operators have them.

What breaks the rules of a first frame, or of what 2.5 takes for an edit, fails later. DELETE ends a
queued task, refuses a running one, and deletes the record of a finished one. One list a second, no
flex tasks unless they are asked for. Callbacks are not signed; the last one is tried four times.
Links live 24 h, records 7 days; a task ends as `expired` in its time. Words: `#quota-trial`,
`#quota-queue`, `#quota-plan` mean `QuotaExceeded`; `#expired`; `#odd-ratio` is in no list.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from typing_extensions import override

from vidgate.sandbox import words
from vidgate.sandbox.callbacks import Subscription
from vidgate.sandbox.jobs import FINAL, Job, Phase
from vidgate.sandbox.stand_in import StandIn
from vidgate.sandbox.video import FPS, Clip
from vidgate.sandbox.wire import OK, Call, Operation, Reply, json_reply

__all__ = ["Seedance"]

_NAME, _TASKS = "seedance", "/api/v3/contents/generations/tasks"
_DAY = 86400
_MODELS: Mapping[str, tuple[range, int, tuple[int, int, int]]] = {
    "2-5-260628": (range(4, 31), 3, (30, 10, 10)),
    "2-0-260128": (range(4, 16), 4, (9, 3, 3)),
    "2-0-fast-260128": (range(4, 16), 2, (9, 3, 3)),
    "2-0-mini-260615": (range(4, 16), 2, (9, 3, 3)),
    "1-0-pro-250528": (range(2, 13), 3, (0, 0, 0)),
    "1-0-pro-fast-251015": (range(2, 13), 3, (0, 0, 0)),
}
"""Seconds, how many of the tiers, and the most reference pictures, videos and sounds."""
_ID = re.compile(r"(?:doubao-|dreamina-(?=seedance-2)|(?=seedance-1))seedance-(.+)")
_SHAPES = {"16:9": 16 / 9, "4:3": 4 / 3, "1:1": 1, "3:4": 3 / 4, "9:16": 9 / 16, "21:9": 21 / 9}
_SIDES = {"480p": 640, "720p": 960, "1080p": 1440, "4k": 2880}
_OF_FIRST, _OF_LATER = ("frames", "camera_fixed"), ("generate_audio", "priority", "tools")
_ENDS, _REFERS = ("first_frame", "last_frame"), ("reference_image", "video_url", "audio_url")
_AGAIN = {"ratio", "duration", "seed", "generate_audio", "omni_reference_task_type"}
_OF_2_5 = ("draft", "output_format", "omni_reference_task_type")
_VERBS = re.compile(r"\b(?:add|remove|replace)\b", re.IGNORECASE)
_QUOTAS = {
    "quota-trial": "The free trial of this model is used up; open the paid service.",
    "quota-queue": "The queue of your tasks is full; wait until some have finished.",
    "quota-plan": "The 5-hour limit of your plan is reached; wait for the next window.",
}
_NOT_FOUND = (404, "NotFound.Task", "The task is not found.")
_CODES = {401: "AuthenticationError", 429: "RateLimitExceeded.EndpointRPMExceeded"}


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str = "refused", param: str = "") -> None:
        told = f"{message} Request id: 0217640000000000000000000000000000000000"
        error = {"code": code, "message": told, "param": param, "type": "BadRequest"}
        self.reply = json_reply(status, {"error": error})


def _check(is_good: object, param: str, detail: str = "") -> None:
    if not is_good:
        says = f"The parameter {param} is not valid."
        raise _RefusedError(400, f"InvalidParameter{detail}", says, param)


class Seedance(StandIn):
    """Plays either cloud."""

    name = _NAME
    key = "5eeda9ce-0000-4000-8000-000000000001"
    job_seconds = 90.0

    @override
    def classify(self, call: Call) -> Operation:
        job_id = call.route.removeprefix(_TASKS).strip("/")
        if not job_id:
            return Operation("submit" if call.method == "POST" else "find")
        return Operation("cancel" if call.method == "DELETE" else "poll", (job_id,))

    @override
    def handle(self, call: Call) -> Reply:
        try:
            return json_reply(OK, self._answer(call))
        except _RefusedError as error:
            return error.reply

    @override
    def refusal(self, status: int) -> Reply:
        return _RefusedError(status, _CODES.get(status, "InternalServiceError")).reply

    @override
    def nothing_found(self, call: Call) -> Reply:
        return _RefusedError(*_NOT_FOUND).reply

    @override
    def prompt(self, call: Call) -> str:
        return " ".join(str(item.get("text", "")) for item in _items(call.fields()))

    def _answer(self, call: Call) -> dict[str, Any]:
        if call.headers.get("authorization") != f"Bearer {self.key}":
            raise _RefusedError(401, "AuthenticationError", "The API key is missing or wrong.")
        self._world.slots(_NAME, "main")
        job_id = call.route.removeprefix(_TASKS).strip("/")
        if not job_id:
            return self._create(call) if call.method == "POST" else self._list(call)
        job = self._world.ledger.get(_NAME, job_id)
        status = _status(job, call.now) if job else ""
        if job is None or not status:
            raise _RefusedError(*_NOT_FOUND)
        if call.method != "DELETE":
            return self._task(job, call.now, call.base_url)
        if status == "queued":
            self._world.cancel(job, "main")
        elif status in {"running", "cancelled"}:
            raise _RefusedError(400, "InvalidAction", f"The task is {status}.")
        job.details["is_deleted"] = status != "queued"
        return {}

    def _create(self, call: Call) -> dict[str, Any]:
        body, said = call.fields(), words.words_of(self.prompt(call))
        for word in said & {*_QUOTAS}:
            raise _RefusedError(429, "QuotaExceeded", _QUOTAS[word])
        told, late = _order(body, self.prompt(call))
        if words.AUDIT in said:
            raise _RefusedError(400, "InputTextSensitiveContentDetected", "The text is refused.")
        shape = _SHAPES.get(told["ratio"], 16 / 9)
        side = _SIDES[told["resolution"]]
        width, height = (round(side * one**0.5 / 2) * 2 for one in (shape, 1 / shape))
        seconds = told["frames"] / FPS if "frames" in told else max(told["duration"], 4)
        clip = Clip.lasting(width, height, seconds)
        told["ratio"] = "7:5" if "odd-ratio" in said else told["ratio"].replace("adaptive", "16:9")
        job = self._world.open_job(
            provider=_NAME,
            job_id=f"cgt-20261128091500-{self._world.next_number():x}",
            account="main",
            pool="main",
            endpoint=_TASKS,
            model=str(body["model"]),
            correlation=None,
            body=body,
            clip=clip,
            words=said,
            charge=float(width * height * clip.frames // 1024),
            late_failure=late or ("expired" if "expired" in said else None),
            details={"told": told, "wants_frame": body.get("return_last_frame") is True},
        )
        if body.get("callback_url"):
            told_to = Subscription(
                url=str(body["callback_url"]),
                phases=FINAL - {Phase.CANCELLED} | {Phase.QUEUED, Phase.RUNNING},
                body=lambda at: self._task(job, at, call.base_url),
                headers=lambda *_: {},
                tries=4,
            )
            self._world.callbacks.follow(job, told_to)
        return {"id": job.job_id}

    def _list(self, call: Call) -> dict[str, Any]:
        shelf, query = self._world.shelf(_NAME), parse_qs(call.query)
        if call.now - shelf.get("listed_at", 0.0) < 1:
            raise _RefusedError(429, "APIAccountRpmRateLimitExceeded", "One list a second.")
        shelf["listed_at"] = call.now
        model, tiers = query.get("filter.model"), query.get("filter.service_tier", ["default"])
        number, size = (int(query.get(n, [d])[0]) for n, d in (("page_num", 1), ("page_size", 20)))
        _check(number in range(1, 501) and size in range(1, 501), "page_size")
        jobs = self._world.ledger.newest_first(_NAME, "main")
        every = (self._task(job, call.now, call.base_url) for job in jobs)
        found = [one for one in every if one["status"] and one["service_tier"] in tiers]
        found = [one for one in found if model is None or one["model"] in model]
        return {"total": len(found), "items": found[(number - 1) * size : number * size]}

    def _task(self, job: Job, now: float, base_url: str) -> dict[str, Any]:
        status, changed_at = _status(job, now), job.changed_at(now)
        task: dict[str, Any] = {"id": job.job_id, "model": job.model, "status": status}
        task |= {"created_at": int(job.created_at), "updated_at": int(changed_at)}
        task |= {"framespersecond": FPS, "error": None, **job.details["told"]}
        if status == "failed":
            audit = "OutputVideoSensitiveContentDetected" if words.LATE_AUDIT in job.words else None
            code = job.late_failure or audit or "InternalServiceError"
            task["error"] = {"code": code, "message": "The task failed."}
        if status == "succeeded":
            url = self._world.result_url(job, "video.mp4", _DAY, base_url, changed_at)
            task["content"] = {} if words.NO_URL in job.words else {"video_url": url}
            task["content"] |= {"last_frame_url": url} if job.details["wants_frame"] else {}
            task["usage"] = dict.fromkeys(("completion_tokens", "total_tokens"), int(job.charge))
        return task


def _status(job: Job, now: float) -> str:
    """The word for it; empty where its record is gone."""
    is_over = job.cancelled_at is not None and now > job.cancelled_at + _DAY
    if is_over or now > job.created_at + 7 * _DAY or job.details.get("is_deleted"):
        return ""
    phase = job.phase(now)
    is_late = now >= job.created_at + job.details["told"]["execution_expires_after"]
    if job.late_failure == "expired" if phase in FINAL else is_late:
        return "expired"
    is_odd = phase is Phase.RUNNING and words.UNKNOWN_STATE in job.words
    return words.UNKNOWN_STATE_WORD if is_odd else phase.value


def _items(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in body.get("content") or () if isinstance(one, dict)]


def _order(body: Mapping[str, Any], prompt: str) -> tuple[dict[str, Any], str | None]:
    """What a create call asks for, defaults filled in, and the code that it will fail with."""
    found = _ID.fullmatch(str(body.get("model")))
    if found is None or found[1] not in _MODELS:
        raise _RefusedError(404, "InvalidEndpointOrModel.NotFound", "no such model", "model")
    (lengths, tiers, most), is_first = _MODELS[found[1]], found[1].startswith("1")
    is_2_5, items = found[1].startswith("2-5"), _items(body)
    roles = (one.get("role", _ENDS[0]) if "image_url" in one else one.get("type") for one in items)
    has = Counter(map(str, roles))
    ends, refers = [has[one] for one in _ENDS], [has[one] for one in _REFERS]
    is_final, is_bare = bool(has["draft_task"]), is_first and not any(ends)
    for name in (*(_OF_LATER if is_first else _OF_FIRST), *(() if is_2_5 else _OF_2_5)):
        _check(name not in body, name, ".UnsupportedParameter")
    _check(is_first or body.get("service_tier") != "flex", "service_tier", ".UnsupportedParameter")
    told: dict[str, Any] = {"resolution": "1080p" if is_first or is_final else "720p"}
    told |= {"ratio": "16:9" if is_bare else "adaptive", "duration": -1 if is_2_5 else 5}
    told |= {"service_tier": "default", "execution_expires_after": 2 * _DAY, "priority": 0}
    told |= {"seed": 81234, "generate_audio": not is_first, "draft": False}
    told |= {name: body[name] for name in (*told, "safety_identifier", "frames") if name in body}
    asked, frames = body.get("omni_reference_task_type", "auto"), told.get("frames", 29)
    good = {
        "resolution": told["resolution"] in [*_SIDES][: 1 if told["draft"] else tiers],
        "ratio": told["ratio"] in (*_SHAPES, *(() if is_bare else ("adaptive",))),
        "duration": told["duration"] in (lengths if is_first else (-1, *lengths)),
        "frames": frames in range(29, 290, 4),
        "seed": told["seed"] in range(-1, 2**31) and told["priority"] in range(10),
        "watermark": {type(told["generate_audio"]), type(body.get("watermark", False))} == {bool},
        "execution_expires_after": told["execution_expires_after"] in range(3600, 3 * _DAY + 1),
        "omni_reference_task_type": asked in ("auto", "reference", "edit", "extend"),
        "content": items and (prompt.strip() or {*has} > {"text"} or "text" not in has),
        "content.role": ends in ([0, 0], [1, 0], [1, "fast-251015" not in found[1]]),
        "content.type": all(count <= limit for count, limit in zip(refers, most, strict=True)),
        "content.audio_url": is_2_5 or not refers[2] or any(refers[:2]),
        "content.mix": not (any(ends) and any(refers)) and "'data:video" not in str(items),
        "content.draft_task": not is_final or (len(items) == 1 and not _AGAIN & {*body}),
    }
    _check(all(good.values()), next((name for name, is_good in good.items() if not is_good), ""))
    is_edit = asked == "edit" or bool(asked == "auto" and refers[1] and _VERBS.search(prompt))
    is_wrong = told["ratio"] != "adaptive" and (any(ends) or is_edit or asked == "extend")
    is_wrong |= is_edit and told["duration"] != -1
    is_source = asked not in {"edit", "extend"} or (refers[1] and prompt.strip())
    _check(is_source and not (is_wrong and asked != "auto"), "ratio", ".TaskTypeConstraint")
    return told, "InvalidParameter.TaskTypeConstraint" if is_2_5 and is_wrong else None
