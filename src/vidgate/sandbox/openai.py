"""A server that speaks OpenAI's videos format, as the SDK's types and its guide describe it.

Rules enforced here: `Bearer` authentication; JSON and forms; `prompt` and a served `model`;
`seconds` is text with whole seconds, `size` is `WIDTHxHEIGHT`, `input_reference` a picture's file
or an object with one of `image_url` and `file_id`; `images`, as gateways take it, a list of URLs
and `data:` URIs; `queued`, `in_progress`, `completed`, `failed` with an `error`, `cancelled` as
gateways have it; no URL in a finished job but for `clip-1-link`, whose jobs name one as gateways
do; `/content` answers to the key alone, and to a finished job; an `Idempotency-Key` makes one job.
Vendor fields are taken at the top level and in `metadata`. A remix, an edit and an extension want
the id of a finished job of the same account, and take model, `seconds` and `size` of it where they
name none. Not served: the list, deletion.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from typing_extensions import override

from vidgate.sandbox.images import PictureError, read_picture
from vidgate.sandbox.jobs import Job, Phase
from vidgate.sandbox.links import file_reply
from vidgate.sandbox.stand_in import StandIn
from vidgate.sandbox.video import Clip
from vidgate.sandbox.wire import OK, Call, Operation, Reply, json_reply
from vidgate.sandbox.words import (
    AUDIT,
    LATE_AUDIT,
    NO_URL,
    UNKNOWN_STATE,
    UNKNOWN_STATE_WORD,
    texts_of,
    words_of,
)

__all__ = ["OpenAI", "OpenAIOptions"]

_NAME = "openai_compatible"
_FOLLOW_UPS = frozenset({"edits", "extensions"})
_API = "/v1"
_VIDEOS = "/videos"
_LINK_SECONDS = 3600.0
_LONGEST_SECONDS = 60
_SECONDS = re.compile(r"[1-9][0-9]?")
_SIZE = re.compile(r"([1-9][0-9]{1,3})x([1-9][0-9]{1,3})")
_DATA_URI = re.compile(r"data:image/[\w.+-]+;base64,")
_DEFAULT_SECONDS = "4"
_DEFAULT_SIZE = "720x1280"

_REFUSALS: Mapping[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("server_error", None),
    504: ("server_error", None),
}


class _RefusedError(Exception):
    """A call that the server refuses."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type_: str = "invalid_request_error",
    ) -> None:
        self.status = status
        self.body = {"message": message, "type": type_, "param": param, "code": code}
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Order:
    """A create call that passed every check, with its defaults filled in."""

    model: str
    prompt: str
    seconds: str
    size: str
    pictures: int


_KEY = "sk-sandbox-0000000000000001"
_LINK_MODEL = "clip-1-link"
"""The model whose finished jobs name a URL; those of the others have the content endpoint alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIOptions:
    """What can be chosen.

    Attributes:
        keys: Accepted keys and the account each belongs to.
    """

    keys: Mapping[str, str] = field(
        default_factory=lambda: {_KEY: "main", f"{_KEY[:-1]}2": "second"}
    )


def _below_prefix(call: Call) -> str:
    """What is called; servers have another prefix than `/v1`, too, and ours may have none."""
    return call.route.rstrip("/").removeprefix(_API)


class OpenAI(StandIn):
    """Plays a compatible server."""

    name = _NAME
    key = _KEY
    models = ("clip-1", "clip-1-pro", _LINK_MODEL)
    options = OpenAIOptions

    @override
    def classify(self, call: Call) -> Operation:
        """Say what the call is."""
        route = _below_prefix(call)
        below = route.removeprefix(_VIDEOS).split("/")[1:]
        if not route.startswith(_VIDEOS):
            return Operation("other")
        if call.method == "POST":
            return Operation("submit" if not below or _is_follow_up(below) else "other")
        if not below:
            return Operation("other")
        return Operation("poll" if len(below) == 1 else "other", (below[0],))

    @override
    def handle(self, call: Call) -> Reply:
        """Answer a call."""
        try:
            return self._answer(call)
        except _RefusedError as error:
            return _refused(error)

    @override
    def refusal(self, status: int) -> Reply:
        """The server's own answer for a status."""
        type_, code = _REFUSALS[status]
        return _refused(_RefusedError(status, "refused", code=code, type_=type_))

    @override
    def nothing_found(self, call: Call) -> Reply:
        """The server's own answer for an unknown job."""
        return _refused(_not_found(call.route.rpartition("/")[2]))

    @override
    def prompt(self, call: Call) -> str:
        """The prompt of a create call; empty if there is none that can be read."""
        try:
            return texts_of(_fields(call), "prompt")
        except _RefusedError:
            return ""

    @override
    def wanted_clip(self, call: Call) -> Clip | None:
        """The video whose content the call asks for, to be encoded before it is answered."""
        job_id, _, below = _below_prefix(call).removeprefix(f"{_VIDEOS}/").partition("/")
        job = self._world.ledger.get(_NAME, job_id) if below == "content" else None
        is_done = job is not None and job.phase(call.now) is Phase.SUCCEEDED
        return job.clip if job is not None and is_done else None

    def _answer(self, call: Call) -> Reply:
        account = self._account(call)
        self._world.slots(_NAME, account)
        route = _below_prefix(call)
        if (call.method, route) == ("POST", _VIDEOS):
            return json_reply(OK, self._create(call, account, _fields(call)))
        parts = route.removeprefix(f"{_VIDEOS}/").split("/")
        if call.method == "POST" and _is_follow_up(parts):
            return json_reply(OK, self._follow_up(call, account, parts[0]))
        if (call.method, route) == ("GET", "/models"):
            listed = [
                {"id": name, "object": "model", "created": 0, "owned_by": "sandbox"}
                for name in OpenAI.models
            ]
            return json_reply(OK, {"object": "list", "data": listed})
        job_id, _, below = route.removeprefix(f"{_VIDEOS}/").partition("/")
        if call.method in {"GET", "HEAD"} and route.startswith(f"{_VIDEOS}/"):
            job = self._world.ledger.owned(_NAME, account, job_id)
            if job is None:
                raise _not_found(job_id)
            if not below:
                return json_reply(OK, self._video(job, call))
            if below == "content":
                return self._content(job, call)
        raise _RefusedError(404, f"Invalid URL ({call.method} {call.route})")

    def _account(self, call: Call) -> str:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        account = self._world.settings.of(OpenAIOptions).keys.get(key)
        if scheme != "Bearer" or account is None:
            raise _RefusedError(401, "Incorrect API key provided.", code="invalid_api_key")
        return account

    def _follow_up(self, call: Call, account: str, first: str) -> dict[str, Any]:
        fields = dict(_fields(call))
        named: Any = first
        if first in _FOLLOW_UPS:
            video = fields.pop("video", {"id": fields.pop("video[id]", None)})
            named = video.get("id") if isinstance(video, dict) else None
            if not isinstance(named, str):
                raise _bad("video", "missing_required_parameter")
        source = self._world.ledger.owned(_NAME, account, named)
        if source is None:
            raise _not_found(named)
        if source.phase(call.now) is not Phase.SUCCEEDED:
            raise _RefusedError(
                409, "The video is not finished.", code="task_not_finished", param="video"
            )
        order: _Order = source.details["order"]
        own = {"model": order.model, "seconds": order.seconds, "size": order.size}
        return self._create(call, account, own | fields, source=source)

    def _create(
        self, call: Call, account: str, fields: Mapping[str, Any], *, source: Job | None = None
    ) -> dict[str, Any]:
        world = self._world
        order = _order(fields)
        key = call.headers.get("idempotency-key")
        known = world.ledger.correlated(_NAME, account, key) if key else None
        if known is not None:
            return self._video(known, call)
        words = words_of(order.prompt)
        if AUDIT in words:
            raise _RefusedError(
                400, "Your request was blocked by our moderation system.", code="moderation_blocked"
            )
        if world.is_full(_NAME, account):
            raise _RefusedError(429, "Too many videos at once.", code="concurrency_limit_exceeded")
        width, height = (int(side) // 2 * 2 for side in order.size.split("x"))
        job = world.open_job(
            provider=_NAME,
            job_id=f"video_{world.next_number():x}",
            account=account,
            pool=account,
            endpoint=call.route.rstrip("/"),
            model=order.model,
            correlation=key,
            body={
                name: f"({len(value)} bytes)" if isinstance(value, bytes) else value
                for name, value in fields.items()
            },
            clip=Clip.lasting(width, height, int(order.seconds)),
            words=words,
            charge=float(order.seconds),
            details={"pool": account, "order": order, "source": source and source.job_id},
        )
        return self._video(job, call)

    def _video(self, job: Job, call: Call) -> dict[str, Any]:
        now = call.now
        phase = job.phase(now)
        order: _Order = job.details["order"]
        is_done = phase is Phase.SUCCEEDED
        video: dict[str, Any] = {
            "id": job.job_id,
            "object": "video",
            "model": order.model,
            "status": _status(job, phase),
            "progress": _progress(job, now),
            "created_at": int(job.created_at),
            "completed_at": int(job.ends_at) if is_done else None,
            "expires_at": int(job.ends_at + _LINK_SECONDS) if is_done else None,
            "prompt": order.prompt,
            "seconds": order.seconds,
            "size": order.size,
            "remixed_from_video_id": job.details["source"],
            "error": _error(job) if phase is Phase.FAILED else None,
        }
        if is_done and order.model == _LINK_MODEL and NO_URL not in job.words:
            video["url"] = self._world.result_url(
                job, "video.mp4", _LINK_SECONDS, call.base_url, job.changed_at(now)
            )
        return video

    def _content(self, job: Job, call: Call) -> Reply:
        if job.phase(call.now) is not Phase.SUCCEEDED:
            raise _RefusedError(404, "The video is not ready.", code="video_not_ready")
        content = self._world.videos.prepare(job.clip).result()
        return file_reply(content, "video/mp4", call.headers.get("range"))


def _is_follow_up(below: list[str]) -> bool:
    match below:
        case [first]:
            return first in _FOLLOW_UPS
        case [_, "remix"]:
            return True
        case _:
            return False


def _status(job: Job, phase: Phase) -> str:
    match phase:
        case Phase.QUEUED:
            return "queued"
        case Phase.RUNNING:
            return UNKNOWN_STATE_WORD if UNKNOWN_STATE in job.words else "in_progress"
        case Phase.SUCCEEDED:
            return "completed"
        case Phase.FAILED:
            return "failed"
        case Phase.CANCELLED:
            return "cancelled"


def _progress(job: Job, now: float) -> int:
    if now >= job.ends_at:
        return 100
    return max(0, int(99 * (now - job.started_at) / job.run_seconds)) if now > job.started_at else 0


def _error(job: Job) -> dict[str, str]:
    if LATE_AUDIT in job.words:
        return {"code": "moderation_blocked", "message": "The video was blocked by moderation."}
    return {"code": "video_generation_failed", "message": "The video could not be made."}


# The create call


def _order(fields: Mapping[str, Any]) -> _Order:
    model = _text(fields, "model", "")
    if not model:
        raise _bad("model", "missing_required_parameter")
    if model not in OpenAI.models:
        raise _RefusedError(
            404, f"The model `{model}` does not exist.", code="model_not_found", param="model"
        )
    prompt = _text(fields, "prompt", "")
    if not prompt.strip():
        raise _bad("prompt", "missing_required_parameter")
    seconds = _text(fields, "seconds", _DEFAULT_SECONDS)
    if not _SECONDS.fullmatch(seconds) or int(seconds) > _LONGEST_SECONDS:
        raise _bad("seconds")
    size = _text(fields, "size", _DEFAULT_SIZE)
    if not _SIZE.fullmatch(size):
        raise _bad("size")
    if not isinstance(fields.get("metadata", {}), dict):
        raise _bad("metadata")
    return _Order(model, prompt, seconds, size, _pictures(fields))


def _text(fields: Mapping[str, Any], name: str, default: str) -> str:
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise _bad(name, "invalid_type")
    return value


def _pictures(fields: Mapping[str, Any]) -> int:
    """How many pictures there are, all of them checked."""
    reference = fields.get("input_reference")
    images = fields.get("images", [])
    images = [images] if isinstance(images, str) else images
    if not isinstance(images, list):
        raise _bad("images")
    for image in images:
        _check_image(image, "images")
    if isinstance(reference, bytes):
        _check_bytes(base64.b64encode(reference).decode(), "input_reference")
    elif isinstance(reference, dict):
        given = [reference.get(name) for name in ("image_url", "file_id")]
        if len([one for one in given if one is not None]) != 1:
            raise _bad("input_reference")
        if given[0] is not None:
            _check_image(given[0], "input_reference")
    elif reference is not None:
        raise _bad("input_reference", "invalid_type")
    return len(images) + (reference is not None)


def _check_image(value: Any, name: str) -> None:
    if isinstance(value, str):
        found = _DATA_URI.match(value)
        if found:
            _check_bytes(value[found.end() :], name)
            return
        if value.startswith(("http://", "https://")):
            return
    raise _bad(name)


def _check_bytes(encoded: str, name: str) -> None:
    try:
        read_picture(encoded)
    except PictureError as error:
        raise _bad(name, "invalid_image") from error


def _fields(call: Call) -> Mapping[str, Any]:
    """The members of a body, JSON or a form; a file is bytes."""
    content_type = call.headers.get("content-type", "")
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() == "multipart/form-data":
        return _form(call.body, rest.strip().removeprefix("boundary=").strip('"'))
    body = call.json()
    if kind.strip().lower() != "application/json" or not isinstance(body, dict):
        raise _RefusedError(400, "We could not parse the JSON body of your request.")
    return body


def _form(body: bytes, boundary: str) -> Mapping[str, Any]:
    """The parts of a form by name; those that come twice are a list.

    No picture or prompt has a boundary in it, so it may be cut at each.
    """
    mark = f"--{boundary}".encode()
    first, *parts = body.split(mark)
    if not boundary or first or not parts or parts[-1] != b"--\r\n":
        raise _RefusedError(400, "We could not parse the form of your request.")
    fields: dict[str, Any] = {}
    for part in parts[:-1]:
        head, separator, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        found = re.search(rb'form-data; name="([^"]*)"', head)
        if not separator or found is None or not content.endswith(b"\r\n"):
            raise _RefusedError(400, "We could not parse the form of your request.")
        name = found[1].decode()
        value: Any = content[:-2] if b"filename=" in head else content[:-2].decode()
        if name == "metadata":
            value = orjson.loads(value)
        if name in fields:
            before = fields[name]
            fields[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            fields[name] = value
    return fields


def _bad(name: str, code: str = "invalid_value") -> _RefusedError:
    return _RefusedError(400, f"Invalid value for {name}.", code=code, param=name)


def _not_found(job_id: str) -> _RefusedError:
    return _RefusedError(404, f"Video with id '{job_id}' not found.", code="not_found")


def _refused(error: _RefusedError) -> Reply:
    return json_reply(error.status, {"error": error.body})
