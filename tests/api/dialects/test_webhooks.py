"""`client.webhooks` of the official SDK, over real sockets."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import openai
import pytest
from standardwebhooks import Webhook
from tests.support.engine import Engine, open_engine
from tests.support.gateway import open_client
from tests.support.receiver import Received, Receiver, open_receiver
from tests.support.upstreams import MODELS, Upstream

from vidgate.constants import WEBHOOK_ENDPOINTS

PATH = "/v1/webhook_endpoints"
GOOD = {"name": "mine", "url": "https://example.com/a", "event_types": ["video.completed"]}


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with open_engine(database_url, allowed_networks="127.0.0.0/8") as engine:
        await engine.channel("kling")
        yield engine


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


@pytest.fixture
def sdk(engine: Engine, client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    transport: Any = client  # typed as another package's, and used as httpx' own
    return openai.AsyncOpenAI(
        base_url="http://vidgate.test/v1", api_key=engine.key, http_client=transport, max_retries=0
    )


async def test_the_sdk_manages_endpoints(sdk: openai.AsyncOpenAI, receiver: Receiver) -> None:
    made = await sdk.webhooks.create(
        name="mine", url=f"{receiver.url}/a", event_types=["video.completed", "video.failed"]
    )
    assert made.signing_secret.startswith("whsec_")
    assert made.signing_secret_hint is not None
    assert made.signing_secret not in made.signing_secret_hint

    listed = await sdk.webhooks.list(limit=1)
    assert [one.id for one in listed.data] == [made.id]
    assert not hasattr(listed.data[0], "signing_secret")
    found = await sdk.webhooks.retrieve(made.id)
    assert (found.url, found.event_types) == (made.url, ["video.completed", "video.failed"])
    changed = await sdk.webhooks.update(
        made.id, name="ours", url=f"{receiver.url}/b", event_types=["video.failed"]
    )
    assert (changed.name, changed.event_types) == ("ours", ["video.failed"])
    types = await sdk.webhooks.event_types.list()
    assert "video.completed" in types.data

    rotated = await sdk.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    tried = await sdk.webhooks.test(made.id, event_type="video.failed")
    assert (tried.status_code, tried.success, tried.webhook_endpoint_id) == (200, True, made.id)
    [webhook] = receiver.received
    assert webhook.path == "/b"
    assert webhook.is_signed_with(made.signing_secret)
    assert webhook.is_signed_with(rotated.signing_secret)

    deleted = await sdk.webhooks.delete(made.id)
    assert (deleted.id, deleted.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError):
        await sdk.webhooks.retrieve(made.id)


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
async def test_the_sdk_unwraps_what_is_sent(
    engine: Engine, sdk: openai.AsyncOpenAI, receiver: Receiver
) -> None:
    upstream = Upstream(engine.router, "kling")
    made = await sdk.webhooks.create(
        name="mine", url=f"{receiver.url}/a", event_types=["video.completed"]
    )
    video = await sdk.videos.create(model=MODELS["kling"], prompt="a boat")
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)
    await engine.services.deliverer.round()
    await engine.services.deliverer.idle()

    [webhook] = receiver.received
    event = webhook.body
    assert (event["type"], event["data"]["id"]) == ("video.completed", video.id)
    assert webhook.is_signed_with(made.signing_secret)
    unwrapped = _unwrap(sdk, webhook, made.signing_secret)
    assert (unwrapped.type, unwrapped.data.id) == ("video.completed", video.id)


def _unwrap(sdk: openai.AsyncOpenAI, webhook: Received, secret: str) -> Any:
    """Send again with the time of day: the SDK refuses signatures that are minutes old."""
    now = datetime.now(UTC)
    signature = Webhook(secret).sign(webhook.id, now, webhook.content.decode())
    headers = {
        "webhook-id": webhook.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    return sdk.webhooks.unwrap(webhook.content.decode(), headers, secret=secret)


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"name": None}, "name"),
        ({"name": " "}, "name"),
        ({"url": None}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "https://user:word@example.com/"}, "url"),
        ({"event_types": None}, "event_types"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["video.exploded"]}, "event_types"),
        ({"event_types": "video.completed"}, "event_types"),
    ],
)
async def test_bad_values_are_named(
    client: httpx.AsyncClient, changed: dict[str, Any], param: str
) -> None:
    answer = await client.post(PATH, json=GOOD | changed)

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert (await client.get(PATH)).json()["data"] == []


async def test_others_endpoints_are_not_found(engine: Engine, client: httpx.AsyncClient) -> None:
    made = (await client.post(PATH, json=GOOD)).json()["id"]
    await engine.operator.provisioning.create_account("other")
    _, key = await engine.operator.provisioning.create_token(name="other", account="other")
    await engine.services.directory.load()
    others = {"Authorization": f"Bearer {key}"}

    for method, path, body in (
        ("GET", f"{PATH}/{made}", None),
        ("POST", f"{PATH}/{made}", {"name": "theirs"}),
        ("DELETE", f"{PATH}/{made}", None),
        ("POST", f"{PATH}/{made}/rotate_secret", {}),
        ("POST", f"{PATH}/{made}/test", {"event_type": "video.failed"}),
        ("GET", f"{PATH}?after={made}", None),
    ):
        answer = await client.request(method, path, json=body, headers=others)
        assert (answer.status_code, method, path) == (404, method, path)
        assert answer.json()["error"]["type"] == "not_found_error"
    assert (await client.get(PATH, headers=others)).json()["data"] == []


async def test_an_account_has_so_many_endpoints(client: httpx.AsyncClient) -> None:
    for _ in range(WEBHOOK_ENDPOINTS):
        assert (await client.post(PATH, json=GOOD)).status_code == 200
    assert (await client.post(PATH, json=GOOD)).status_code == 409

    first = (await client.get(PATH, params={"limit": 30})).json()
    second = (await client.get(PATH, params={"limit": 30, "after": first["last_id"]})).json()
    ids = {one["id"] for page in (first, second) for one in page["data"]}
    assert (len(ids), first["has_more"], second["has_more"]) == (WEBHOOK_ENDPOINTS, True, False)


async def test_the_secret_of_callback_urls_can_be_read(client: httpx.AsyncClient) -> None:
    key = (await client.get("/v1/webhooks/default/secret")).json()["key"]
    assert key.startswith("whsec_")
    assert (await client.get("/v1/webhooks/default/secret")).json() == {"key": key}
