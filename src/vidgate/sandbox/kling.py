"""Kling: the stand-in's routes and answers.

Rules enforced here: the envelope on every answer, without `data` on errors; the two task shapes
(`status`/`succeeded` and lists on `/tasks`, `task_status`/`succeed` and objects on `/v1`); 18-digit
string ids, millisecond times, string durations; `external_task_id` unique in the account over both
generations (400/1201); slots counted by account, model and product until the end (1303); `/tasks`
answers up to 20 ids, leaves unknown ones out, and knows tasks of both generations; `/v1` answers
400/1201 for them; units are charged on success only; `/account/costs` needs `start_time` and
`end_time`. Not served: audio, the making of elements and voices (their ids are accepted as they
come), image models, the products retired in 2026.

To add a product, add its check to `LEGACY_PATHS` or its table row to `PATHS`.
"""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs

from typing_extensions import override

from vidgate.sandbox.kling_auth import account_of
from vidgate.sandbox.kling_common import CODES, INVALID, MALFORMED, KlingError, items
from vidgate.sandbox.kling_desk import Desk
from vidgate.sandbox.kling_legacy import LEGACY_PATHS, SYNC_PATHS
from vidgate.sandbox.kling_motion import read_path_motion
from vidgate.sandbox.kling_options import API_KEY, KlingOptions, is_callback_secret
from vidgate.sandbox.kling_paths import PATHS, read_path_order
from vidgate.sandbox.kling_tasks import (
    follow,
    legacy_created,
    legacy_task,
    milliseconds,
    new_created,
    new_task,
)
from vidgate.sandbox.stand_in import StandIn
from vidgate.sandbox.wire import Call, Operation, Reply, json_reply
from vidgate.sandbox.words import AUDIT, texts_of, words_of

__all__ = ["Kling"]

_NAME = "kling"
_MOST_IDS = 20
_MOTION = "motion-control"
_DEFAULT_PAGE = 30
_LARGEST_PAGE = 500
_DEFAULT_LIMIT = 100
_PRODUCT_TYPE = "video"
_WINDOW_MS = 30 * 24 * 3600 * 1000

_FULL = 1303
_DUPLICATE = INVALID
_NOT_FOUND = INVALID
_NO_METHOD = 1202
_POLICY = 1301

_REFUSALS: Mapping[int, int] = {401: 1002, 429: 1302, 500: 5000, 503: 5001, 504: 5002}

_PRODUCTS = frozenset({_MOTION, *(product for product, _ in PATHS)})

_TEXTS = (
    "prompt",
    "contents.text",
    "contents.url",
    "multi_prompt.prompt",
    "effect_scene",
    "image_url",
    "video_url",
    "sound_file",
    "face_choose.sound_file",
)
"""Where magic words may stand."""


class Kling(StandIn):
    """Plays Kling."""

    name = _NAME
    key = API_KEY
    options = KlingOptions
    changeable: ClassVar = {"callback_secret": is_callback_secret}

    @override
    def classify(self, call: Call) -> Operation:
        """Say what the call is."""
        if call.method == "POST":
            kind = "find" if call.route == "/tasks" else "submit"
            return Operation(kind if kind == "find" or _is_create(call.route) else "other")
        if call.route == "/tasks":
            ids = _id_lists(call)
            return Operation("poll", tuple(ids[0])) if ids[0] else Operation("find")
        if call.route in LEGACY_PATHS:
            return Operation("find")
        path, _, name = call.route.rpartition("/")
        if path not in LEGACY_PATHS:
            return Operation("other")
        is_ours = self._world.ledger.get(_NAME, name) is not None
        return Operation("poll", (name,)) if is_ours else Operation("find")

    @override
    def handle(self, call: Call) -> Reply:
        """Answer a call."""
        try:
            data = self._data(call)
        except KlingError as error:
            status = error.status
            if error.code == _FULL:
                status = self._world.settings.of(KlingOptions).full_status
            return _failure(status, error.code, error.message)
        return json_reply(
            200, {"code": 0, "message": "SUCCEED", "request_id": str(uuid.uuid4()), "data": data}
        )

    @override
    def refusal(self, status: int) -> Reply:
        """Kling's own answer for a status."""
        code = _REFUSALS[status]
        return _failure(status, code, CODES[code][1])

    @override
    def nothing_found(self, call: Call) -> Reply:
        """Kling's own answer for an unknown task: an empty list, or 400/1201 on `/v1`."""
        if call.route.startswith("/v1/"):
            return _failure(400, _NOT_FOUND, _not_found(call.route.rpartition("/")[2]).message)
        return json_reply(
            200, {"code": 0, "message": "SUCCEED", "request_id": str(uuid.uuid4()), "data": []}
        )

    @override
    def prompt(self, call: Call) -> str:
        """Every text of a create call that may hold magic words."""
        return texts_of(call.fields(), *_TEXTS)

    def _data(self, call: Call) -> Any:
        legacy = call.route.startswith(("/v1/", "/account/"))
        options = self._world.settings.of(KlingOptions)
        account = account_of(call.headers.get("authorization"), options, call.now, legacy=legacy)
        desk = Desk(self._world, account, call.now, call.base_url)
        if call.method == "POST":
            return self._posted(call, desk)
        if call.method != "GET":
            raise KlingError(_NO_METHOD)
        if call.route == "/account/costs":
            return _costs(call)
        if call.route == "/tasks":
            return self._tasks(call, account)
        if call.route in LEGACY_PATHS:
            return self._legacy_list(call, account)
        return self._legacy_task(call, account)

    def _posted(self, call: Call, desk: Desk) -> dict[str, Any]:
        if call.route == "/tasks":
            return self._list(call, desk.account)
        answer = SYNC_PATHS.get(call.route)
        if answer is None and not _is_create(call.route):
            raise KlingError(1203, "the requested resource does not exist")
        body = call.json()
        if not isinstance(body, dict):
            raise KlingError(MALFORMED, "the body is not a JSON object")
        return self._create(call, desk, body) if answer is None else answer(body, desk)

    def _create(self, call: Call, desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
        world, account = self._world, desk.account
        is_legacy = call.route in LEGACY_PATHS
        if is_legacy:
            order = LEGACY_PATHS[call.route](body, desk)
        else:
            _, product, model = call.route.split("/")
            order = (
                read_path_motion(model, body, desk)
                if product == _MOTION
                else read_path_order(product, model, body)
            )
        order = desk.edited(order, body)
        words = words_of(self.prompt(call))
        _refuse_by_word(words)
        external_id = order.external_id
        if external_id and world.ledger.correlated(_NAME, account, external_id):
            raise KlingError(_DUPLICATE, f"External_task_id {external_id} already exists")
        pool = f"{account}/{order.model}/{order.product}"
        if world.is_full(_NAME, pool):
            raise KlingError(_FULL)
        job = world.open_job(
            provider=_NAME,
            job_id=str(world.next_number()),
            account=account,
            pool=pool,
            endpoint=call.route,
            model=order.model,
            correlation=external_id,
            body=body,
            clip=order.clip,
            words=words,
            charge=round(order.rate * order.seconds, 2),
            details={
                "pool": pool,
                "watermark": order.watermark,
                "video_id": str(world.next_number()),
                "has_duration": order.has_duration,
                "extra": order.extra,
            },
        )
        if order.callback_url:
            follow(world, job, order.callback_url, call.base_url, is_legacy=is_legacy)
        return legacy_created(job) if is_legacy else new_created(job)

    def _tasks(self, call: Call, account: str) -> list[dict[str, Any]]:
        ids, external_ids = _id_lists(call)
        if len(ids) + len(external_ids) > _MOST_IDS:
            raise KlingError(INVALID, "task_ids and external_task_ids cannot exceed 20 in total")
        if bool(ids) == bool(external_ids):
            raise KlingError(INVALID, "give either task_ids or external_task_ids")
        ledger = self._world.ledger
        jobs = [
            *(ledger.owned(_NAME, account, name) for name in ids),
            *(ledger.correlated(_NAME, account, name) for name in external_ids),
        ]
        return [
            new_task(self._world, job, call.now, call.base_url) for job in jobs if job is not None
        ]

    def _list(self, call: Call, account: str) -> dict[str, Any]:
        fields = call.fields()
        now_ms = milliseconds(call.now)
        limit = min(_number(fields.get("limit"), _DEFAULT_LIMIT), _LARGEST_PAGE)
        start = _number(fields.get("start_time"), now_ms - _WINDOW_MS)
        end = _number(fields.get("end_time"), now_ms + 1)
        cursor = str(fields.get("cursor") or "")
        wanted = {
            str(item.get("key")): list(map(str, _listed(item.get("values"))))
            for item in items(fields, "filters", most=_LARGEST_PAGE)
        }
        found = []
        for job in self._world.ledger.newest_first(_NAME, account):
            created = milliseconds(job.created_at)
            if cursor and int(job.job_id) >= _number(cursor, 0):
                continue
            if not cursor and not start <= created <= end:
                continue
            task = new_task(self._world, job, call.now, call.base_url)
            is_kind = _PRODUCT_TYPE in wanted.get("product_type", [_PRODUCT_TYPE])
            if is_kind and task["status"] in wanted.get("status", [task["status"]]):
                found.append(task)
            if len(found) > limit:
                break
        page = found[:limit]
        has_more = len(found) > limit
        return {
            "result": page,
            "count": len(page),
            "next_cursor": page[-1]["id"] if has_more else "",
            "has_more": has_more,
        }

    def _legacy_task(self, call: Call, account: str) -> dict[str, Any]:
        path, _, name = call.route.rpartition("/")
        if path not in LEGACY_PATHS:
            raise KlingError(1203, "the requested resource does not exist")
        ledger = self._world.ledger
        job = ledger.owned(_NAME, account, name) or ledger.correlated(_NAME, account, name)
        if job is None or job.endpoint != path:
            raise _not_found(name)
        return legacy_task(self._world, job, call.now, call.base_url)

    def _legacy_list(self, call: Call, account: str) -> list[dict[str, Any]]:
        query = parse_qs(call.query)
        page = _number(query.get("pageNum", [""])[0], 1)
        size = _number(query.get("pageSize", [""])[0], _DEFAULT_PAGE)
        if page < 1 or not 1 <= size <= _LARGEST_PAGE:
            raise KlingError(INVALID, "pageNum or pageSize is invalid")
        jobs = [
            job
            for job in self._world.ledger.newest_first(_NAME, account)
            if job.endpoint == call.route
        ]
        return [
            legacy_task(self._world, job, call.now, call.base_url)
            for job in jobs[(page - 1) * size : page * size]
        ]


def _is_create(route: str) -> bool:
    if route in LEGACY_PATHS:
        return True
    # An unknown model of a known product is a create call too, though one that is refused.
    _, _, rest = route.partition("/")
    product, _, model = rest.partition("/")
    return bool(model) and "/" not in model and product in _PRODUCTS


def _id_lists(call: Call) -> tuple[list[str], list[str]]:
    query = parse_qs(call.query)

    def listed(name: str) -> list[str]:
        return [item for value in query.get(name, []) for item in value.split(",") if item]

    return listed("task_ids"), listed("external_task_ids")


def _refuse_by_word(words: frozenset[str]) -> None:
    if AUDIT in words:
        raise KlingError(_POLICY)
    for word in words:
        if word.isdecimal() and int(word) in CODES:
            raise KlingError(int(word))


def _not_found(name: str) -> KlingError:
    return KlingError(_NOT_FOUND, f"Task not found by id/external id: {name}")


def _failure(status: int, code: int, message: str) -> Reply:
    return json_reply(status, {"code": code, "message": message, "request_id": str(uuid.uuid4())})


def _costs(call: Call) -> dict[str, Any]:
    query = parse_qs(call.query)
    for name in ("start_time", "end_time"):
        if not query.get(name, [""])[0].isdecimal():
            raise KlingError(INVALID, f"{name} is invalid")
    return {
        "code": 0,
        "msg": "SUCCEED",
        "resource_pack_subscribe_infos": [
            {
                "resource_pack_name": "Trial-Video-100Units-5Con-1Months",
                "resource_pack_id": "930000000000000009",
                "resource_pack_type": "decreasing_total",
                "total_quantity": 100.0,
                "remaining_quantity": 100.0,
                "status": "online",
            }
        ],
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any, default: int) -> int:
    if value is None or value == "":
        return default
    if not str(value).isdecimal():
        raise KlingError(INVALID, f"'{value}' is not a number")
    return int(value)
