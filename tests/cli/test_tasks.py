"""`vidgate task …`: what an operator finds, waits for, fetches and stops."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.support.database import run
from typing_extensions import override

from vidgate.config import Settings
from vidgate.db.attempts import NewAttempt
from vidgate.db.months import MonthStore
from vidgate.db.tasks import NewTask
from vidgate.models.acts import Act
from vidgate.models.attempts import JobPace, Lease
from vidgate.models.ids import new_id, public_id
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import AttemptStatus
from vidgate.operators import open_operator_context

NOW = datetime(2030, 1, 1, tzinfo=UTC)
VIDEO = b"a video, or something like it" * 1000


async def store(
    *,
    account: str,
    model: str,
    user: str | None,
    channel: str,
    url: str | None,
    at: datetime = NOW,
) -> str:
    """A task that succeeded with this link, or one that waits for a slot."""
    async with open_operator_context(Settings()) as operator:
        owner = await operator.provisioning.account(account)
        place = await operator.provisioning.channel(channel)
        task = NewTask(
            id=new_id(),
            account_id=owner.id,
            token_id=new_id(),
            dialect="newapi",
            model=model,
            provider="kling",
            upstream_model=model,
            document={},
            end_user=user,
            created_at=at,
        )
        attempt = NewAttempt(
            id=new_id(),
            task_id=task.id,
            channel_id=place.id,
            credential_id=place.credential_id,
            provider="kling",
            upstream_model=model,
            endpoint="/",
            correlation=str(task.id),
            pace=JobPace(),
            created_at=at,
            deadline_at=at + timedelta(days=1),
            submit_ends_at=at + timedelta(minutes=1),
            lease=Lease(new_id(), at + timedelta(minutes=2)),
            max_concurrency=None if url else 0,
        )
        [stored] = await operator.tasks.create(task, [attempt])
        if url:
            await operator.attempts.finish(
                stored,
                attempt.lease,
                status=AttemptStatus.SUCCEEDED,
                now=at + timedelta(seconds=5),
                result=VideoResult(url=url),
            )
        return public_id("task_", task.id)


@pytest.fixture
def made(cli: Cli) -> dict[str, str]:
    """A task that is done, and one that waits, of other accounts, models, users and channels."""
    for name in ("one", "two"):
        cli("account", "create", name)
        cli("channel", "create", name, "--provider", "kling", "--key", "any-key")
    done = store(
        account="one", model="kling-v3", user="ann", channel="one", url="http://127.0.0.1:9/a.mp4"
    )
    waits = store(account="two", model="kling-v2-6", user=None, channel="two", url=None)
    return {"done": run(done), "waits": run(waits)}


@contextmanager
def host_of(content: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        @override
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/video.mp4"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), {"done", "waits"}),
        (("--status", "succeeded"), {"done"}),
        (("--status", "queued", "--status", "in_progress"), {"waits"}),
        (("--status", "failed"), set()),
        (("--model", "kling-v3"), {"done"}),
        (("--account", "two"), {"waits"}),
        (("--user", "ann"), {"done"}),
        (("--channel", "two"), {"waits"}),
        (("--channel", "one", "--model", "kling-v2-6"), set()),
        (("--since", "1h"), {"done", "waits"}),
        (("--since", "2099-01-31"), set()),
        (("--since", "2020-01-31T12:00", "--account", "one"), {"done"}),
        (("--limit", "0"), {"waits"}),
    ],
)
def test_tasks_are_found_by_what_is_known_of_them(
    cli: Cli, made: dict[str, str], options: tuple[str, ...], found: set[str]
) -> None:
    listed = cli("task", "list", *options, "--json").json
    assert {task["id"] for task in listed} == {made[name] for name in found}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--account", "nobody"), 1),
        (("--channel", "nowhere"), 1),
        (("--status", "done"), 2),
        (("--since", "yesterday"), 2),
    ],
)
def test_a_filter_that_names_nothing_is_said_so(
    cli: Cli, options: tuple[str, ...], code: int
) -> None:
    assert cli("task", "list", *options).code == code


def test_a_finished_task_is_not_waited_for(cli: Cli, made: dict[str, str]) -> None:
    assert cli("task", "wait", made["done"], "--json").json["status"] == "succeeded"
    assert made["done"] in cli("task", "wait", made["done"]).out


def test_waiting_ends_when_its_time_is_up(cli: Cli, made: dict[str, str]) -> None:
    said = cli("task", "wait", made["waits"], "--timeout", "1s")
    assert said.code == 1
    assert "queued" in said.out
    assert "not finished yet" in said.err


def test_a_video_is_fetched(
    cli: Cli, made: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDGATE_ALLOWED_NETWORKS", "127.0.0.0/8")
    with host_of(VIDEO) as url:
        task = run(store(account="one", model="kling-v3", user=None, channel="one", url=url))
        said = cli("task", "fetch", task)
        again = cli("task", "fetch", task)
        forced = cli("task", "fetch", task, "--force", "-o", f"{task}.mp4")

    assert said.out == f"{task}.mp4\n"
    assert (tmp_path / f"{task}.mp4").read_bytes() == VIDEO
    assert "exists already" in again.sentence
    assert forced.code == 0
    assert "not ready yet" in cli("task", "fetch", made["waits"]).sentence
    assert [path.name for path in tmp_path.iterdir()] == [f"{task}.mp4"]


def test_a_video_of_a_private_network_is_not_fetched(
    cli: Cli, made: dict[str, str], tmp_path: Path
) -> None:
    said = cli("task", "fetch", made["done"], "-o", str(tmp_path / "a.mp4"))
    assert said.code == 1
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_task_is_cancelled_and_that_is_kept(cli: Cli, made: dict[str, str]) -> None:
    said = cli("task", "cancel", made["waits"], "--reason", "a mistake", "--json")

    assert said.json["status"] == "cancelled"
    [act] = cli("task", "show", made["waits"], "--json").json["acts"]
    assert (act["act"], act["reason"]) == ("task.cancel", "a mistake")
    assert (act["before"], act["after"]) == ({"status": "queued"}, {"status": "cancelled"})
    assert "a mistake" in cli("task", "show", made["waits"]).out
    assert "it was cancelled" in cli("task", "cancel", made["waits"]).sentence
    assert len(cli("task", "show", made["waits"], "--json").json["acts"]) == 1
    assert "is final" in cli("task", "cancel", made["done"]).sentence


@pytest.mark.parametrize("options", [(), ("--output", "0")])
def test_a_task_is_discarded(cli: Cli, made: dict[str, str], options: tuple[str, ...]) -> None:
    said = cli("task", "cancel", made["waits"], "--discard", *options, "--json")
    assert said.json["status"] == "cancelled"
    assert "is final" in cli("task", "cancel", made["waits"], "--output", "1").sentence


async def make_months() -> None:
    async with open_operator_context(Settings()) as operator:
        while await MonthStore(operator.database).prepare(datetime.now(UTC)):
            pass


def test_old_months_are_dropped(cli: Cli, made: dict[str, str]) -> None:
    everything = ("task", "prune", "--before", "2199-01-01")
    assert "no month" in cli(*everything).err
    run(make_months())
    assert "no month" in cli("task", "prune", "--before", "1d").err

    first = cli(*everything, "--json").json[0]
    assert (first["tasks"], first["held"], first["dropped"]) == (len(made), True, False)
    cli("task", "cancel", made["waits"])
    tried = cli(*everything, "--dry-run", "--json").json[0]
    assert (tried["held"], tried["dropped"]) == (False, False)
    assert cli("task", "show", made["done"]).code == 0
    assert "yes" in cli(*everything, "--reason", "too old").out
    assert cli("task", "show", made["done"]).code == 1
    assert cli("task", "list").code == 0
    [act] = run(acts())
    assert (act.name, act.author.reason) == ("task.prune", "too old")
    assert sum((act.before or {}).values()) == len(made)


async def acts() -> list[Act]:
    async with open_operator_context(Settings()) as operator:
        return await operator.acts.of("tasks")


def test_a_finished_task_is_hidden_from_its_client(cli: Cli, made: dict[str, str]) -> None:
    assert "not finished yet" in cli("task", "delete", made["waits"]).sentence
    assert cli("task", "delete", made["done"], "--json").json["removed"] is True
    [act] = cli("task", "show", made["done"], "--json").json["acts"]
    assert act["after"] == {"status": "succeeded", "removed": True}
    assert cli("task", "delete", made["done"]).code == 1


@pytest.mark.parametrize(
    "verb", ["show", "wait", "fetch", "cancel", "delete", "poll-now", "fail", "resubmit"]
)
def test_an_unknown_task_is_said_so(cli: Cli, verb: str, tmp_path: Path) -> None:
    options = ("-o", str(tmp_path / "a.mp4")) if verb == "fetch" else ()
    for unknown in ("task_" + "0" * 26, "nonsense"):
        assert "There is no task" in cli("task", verb, unknown, *options).sentence
