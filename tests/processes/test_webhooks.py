"""Webhooks of tasks in every dialect, from the POST to the receiver, over real sockets."""

from collections.abc import Callable
from typing import Any

import httpx
from tests.api.creating_posts import POSTS
from tests.support.processes import open_town, wait_until
from tests.support.receiver import Received, open_receiver

from vidgate.models.webhooks import DeliveryQuery

Shape = Callable[[dict[str, Any]], tuple[Any, Any, Any]]
"""What a body names: its task, how that ended, and its video."""


def _event(body: dict[str, Any]) -> tuple[Any, Any, Any]:
    assert body["object"] == "event"
    return body["data"]["id"], body["type"], body["data"].get("url") or body["data"]["status"]


ENDS: dict[str, tuple[str, Shape, str]] = {
    "newapi": ("callback_url", _event, "video.completed"),
    "newapi by its other name": ("webhook_url", _event, "video.completed"),
    "openai": ("callback_url", _event, "video.completed"),
    "kling": (
        "callback_url",
        lambda body: (
            body["task_id"],
            body["task_status"],
            body["task_result"]["videos"][0]["url"],
        ),
        "succeed",
    ),
    "kling path": (
        "options.callback_url",
        lambda body: (body["id"], body["status"], body["outputs"][0]["url"]),
        "succeeded",
    ),
    "jimeng": (
        "callback_url",
        lambda body: (body["task_id"], body["data"]["status"], body["data"]["video_url"]),
        "done",
    ),
    "vidu": (
        "callback_url",
        lambda body: (body["id"], body["state"], body["creations"][0]["url"]),
        "success",
    ),
}
"""By dialect: where its requests name a webhook, and what of that the webhook says."""


def _task_id(answer: dict[str, Any]) -> str:
    data = answer.get("data")
    inner = data if isinstance(data, dict) else {}
    found = answer.get("task_id") or answer.get("id") or inner.get("task_id") or inner.get("id")
    assert isinstance(found, str), answer
    return found


async def _create(client: httpx.AsyncClient, name: str, url: str) -> str:
    path, body = POSTS[name.removesuffix(" by its other name")]
    holder, _, field = ENDS[name][0].rpartition(".")
    more = {holder: {field: url}} if holder else {field: url}
    answer = await client.post(path, json=body | more)
    assert answer.status_code == 200, (name, answer.text)
    return _task_id(answer.json())


async def test_the_end_of_a_task_is_told_in_the_shape_of_its_dialect(database_url: str) -> None:
    async with open_receiver() as receiver, open_town(database_url) as town:
        client = town.client(await town.gateway())
        key = (await client.get("/v1/webhooks/default/secret")).json()["key"]
        made = {}
        for name in ENDS:
            path = f"/{name.replace(' ', '-')}"
            made[path] = name, await _create(client, name, receiver.url + path)

        def told() -> list[Received]:
            return receiver.received if len(receiver.received) >= len(made) else []

        received = await wait_until(told, seconds=120)

        assert sorted(webhook.path for webhook in received) == sorted(made)
        assert len({webhook.id for webhook in received}) == len(made)
        for webhook in received:
            name, task_id = made[webhook.path]
            told_id, status, video = ENDS[name][1](webhook.body)
            assert (told_id, status) == (task_id, ENDS[name][2]), (name, webhook.body)
            assert video, (name, webhook.body)
            assert webhook.is_signed_with(key), name
        sent = await town.operator.deliveries.page(DeliveryQuery())
        assert {one.status.value for one in sent} == {"delivered"}
