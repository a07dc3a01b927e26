"""`vidgate webhook …` and `vidgate account webhook-secret`: told by a real receiver."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook
from tests.cli.conftest import Cli
from tests.cli.test_tasks import store
from tests.support.database import run
from typing_extensions import override

from vidgate.api.webhook_bodies import WebhookBodies
from vidgate.config import Settings
from vidgate.factory import open_tools
from vidgate.operators import open_operator_context

WHY = ("--reason", "because Ann asked")


@dataclass
class Hook:
    """A receiver, and what it got."""

    url: str
    status: int = 200
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def is_signed_with(self, secret: str) -> bool:
        headers, body = self.received[-1]
        try:
            Webhook(secret).verify(body, headers)
        except Exception:  # noqa: BLE001 - whatever the package finds wrong
            return False
        return True


@contextmanager
def receiver() -> Iterator[Hook]:
    hook = Hook("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.received.append(({name.lower(): v for name, v in self.headers.items()}, body))
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        @override
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        hook.url = f"http://127.0.0.1:{server.server_port}/hook"
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def hook(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("VIDGATE_ALLOWED_NETWORKS", "127.0.0.0/8")
    cli("account", "create", "one")
    cli("channel", "create", "one", "--provider", "kling", "--key", "any-key")
    with receiver() as hook:
        yield hook


async def deliver() -> None:
    """Send what is due, once."""
    async with (
        open_operator_context(Settings()) as operator,
        open_tools(operator, webhook_bodies=WebhookBodies) as tools,
    ):
        await tools.deliverer.round()
        await tools.deliverer.idle()


def make(cli: Cli, hook: Hook, name: str = "mine") -> dict[str, Any]:
    made: dict[str, Any] = cli(
        "webhook", "add", name, "--url", hook.url, "--account", "one", "--json"
    ).json
    return made


def end_a_task() -> str:
    """A task that is told of."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    made = store(
        account="one", model="kling-v3", user=None, channel="one", url="http://a.test", at=at
    )
    return run(made)


def deliveries(cli: Cli, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli("webhook", "deliveries", *options, "--json").json
    return found


def test_an_endpoint_is_tried_with_its_secret_which_is_shown_once(cli: Cli, hook: Hook) -> None:
    made = make(cli, hook)

    tried = cli("webhook", "test", "mine", "--event", "video.failed", "--json").json

    assert (tried["status_code"], tried["success"]) == (200, True)
    assert hook.is_signed_with(made["signing_secret"])
    shown = cli("webhook", "show", "mine", "--json")
    assert shown.json["signing_secret_hint"].endswith(made["signing_secret"].rstrip("=")[-4:])
    assert made["signing_secret"] not in shown.out + cli("webhook", "list").out
    hook.status = 500
    assert cli("webhook", "test", "mine").code == 1


def test_both_secrets_sign_for_as_long_as_they_overlap(cli: Cli, hook: Hook) -> None:
    old = make(cli, hook)["signing_secret"]

    second = cli("webhook", "set", "mine", "--rotate-secret", *WHY, "--json").json["signing_secret"]
    cli("webhook", "test", "mine")
    assert hook.is_signed_with(old)
    assert hook.is_signed_with(second)
    alone = ("--rotate-secret", "--overlap", "none", "--json")
    third = cli("webhook", "set", "mine", *alone).json["signing_secret"]
    cli("webhook", "test", "mine")

    assert hook.is_signed_with(third)
    assert not hook.is_signed_with(second)
    shown = cli("webhook", "show", "mine", "--json")
    acts = [(act["act"], act["reason"]) for act in shown.json["acts"]]
    assert acts[1] == ("webhook.rotate-secret", WHY[1])
    assert not any(secret in shown.out for secret in (old, second, third))


def test_an_account_has_a_secret_of_its_own_for_callback_urls(cli: Cli) -> None:
    cli("account", "create", "one")

    first = cli("account", "webhook-secret", "one", "--json").json["key"]
    again = cli("account", "webhook-secret", "one", "--json").json["key"]
    rotate = ("--rotate", "--overlap", "12h")
    rotated = cli("account", "webhook-secret", "one", *rotate, *WHY, "--json").json["key"]

    assert first == again != rotated
    assert rotated.startswith("whsec_")
    assert cli("account", "webhook-secret", "one", "--json").json["key"] == rotated
    shown = cli("account", "show", "one", "--json")
    [act] = [act for act in shown.json["acts"] if act["act"] == "account.webhook-secret"]
    assert act["reason"] == WHY[1]
    assert rotated not in shown.out


def test_what_was_missed_is_sent_again_by_id_or_since_a_moment(cli: Cli, hook: Hook) -> None:
    endpoint = make(cli, hook)
    hook.status = 410
    task = end_a_task()
    run(deliver())

    [parked] = deliveries(cli, "--status", "parked")
    assert (parked["task_id"], parked["event"]) == (task, "video.completed")
    assert parked["endpoint_id"] == endpoint["id"]
    assert "disabled" in cli("webhook", "redeliver", parked["id"]).sentence
    assert "disabled" in cli("webhook", "recover", "mine", "--since", "1h").sentence
    hook.status = 200
    assert cli("webhook", "set", "mine", "--enable", "--json").json["enabled"]

    again = cli("webhook", "redeliver", parked["id"], *WHY, "--json").json
    run(deliver())
    assert (again["id"], again["status"], again["tries"]) == (parked["id"], "pending", 0)
    assert {headers["webhook-id"] for headers, _ in hook.received} == {parked["id"]}
    assert [one["status"] for one in deliveries(cli)] == ["delivered"]

    shown = cli("task", "show", task, "--json").json
    assert [len(one["tried"]) for one in shown["deliveries"]] == [2]
    told = " ".join(event["what"] for event in shown["timeline"])
    assert "answered with 410" in told
    assert "answered with 200" in told
    assert "webhook.redeliver" in told
    assert WHY[1] in told

    recovered = cli("webhook", "recover", "mine", "--since", "2020-01-01", *WHY, "--json").json
    assert recovered["deliveries"] == 0
    acts = cli("webhook", "show", "mine", "--json").json["acts"]
    assert (acts[-1]["act"], acts[-1]["reason"]) == ("webhook.recover", WHY[1])


def test_what_is_recovered_goes_to_where_the_endpoint_is_now(cli: Cli, hook: Hook) -> None:
    make(cli, hook)
    hook.status = 410
    end_a_task()
    run(deliver())
    hook.status = 200
    cli("webhook", "set", "mine", "--url", f"{hook.url}/new")

    assert (
        cli("webhook", "recover", "mine", "--since", "2020-01-01", "--json").json["deliveries"] == 1
    )
    run(deliver())

    [delivery] = deliveries(cli)
    assert (delivery["url"], delivery["status"]) == (f"{hook.url}/new", "delivered")


def test_deliveries_are_found_by_what_is_known_of_them(cli: Cli, hook: Hook) -> None:
    make(cli, hook)
    task, another = end_a_task(), end_a_task()

    assert [one["task_id"] for one in deliveries(cli, "--task", task)] == [task]
    assert {one["task_id"] for one in deliveries(cli, "--endpoint", "mine")} == {task, another}
    assert len(deliveries(cli, "--account", "one", "--limit", "1")) == 1
    assert deliveries(cli, "--status", "delivered") == []
    assert cli("webhook", "deliveries", "--task", "mine").code == 2
    assert "no delivery" in cli("webhook", "redeliver", "evt_1").sentence


def test_a_disabled_endpoint_is_told_nothing(cli: Cli, hook: Hook) -> None:
    make(cli, hook)

    disabled = cli("webhook", "set", "mine", "--disable", *WHY, "--json").json
    end_a_task()

    assert not disabled["enabled"]
    assert deliveries(cli) == []
    acts = cli("webhook", "show", "mine", "--json").json["acts"]
    assert acts[-1]["after"] == {"disabled_reason": "Its operator disabled it."}


def test_a_name_that_two_have_is_not_guessed(cli: Cli, hook: Hook) -> None:
    make(cli, hook)
    make(cli, hook)

    assert "more than one" in cli("webhook", "show", "mine").sentence
    assert "just one" in cli("webhook", "deliveries", "--endpoint", "mine").sentence
