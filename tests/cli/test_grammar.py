"""One grammar for every noun: `create`, `list`, `show`, `set` and `delete`, and a reason kept."""

import getpass
import io
import time
from typing import Any

import pytest
from tests.cli.conftest import Cli

from vidgate.cli.app import load_command

KEY = "a-very-secret-key"
NOUNS = ("account", "token", "channel", "webhook")
CREATE: dict[str, tuple[str, ...]] = {
    "account": ("account", "create", "one"),
    "token": ("token", "create", "one"),
    "channel": ("channel", "create", "one", "--provider", "kling", "--key", KEY),
    "webhook": ("webhook", "create", "one", "--url", "https://hooks.example.com/a"),
}
SET: dict[str, tuple[str, ...]] = {
    "account": ("account", "set", "one", "--name", "two"),
    "token": ("token", "set", "one", "--name", "two"),
    "channel": ("channel", "set", "one", "--name", "two"),
    "webhook": ("webhook", "set", "one", "--name", "two"),
}
WHY = ("--reason", "because Ann asked")


def acts_of(cli: Cli, noun: str, name: str) -> list[dict[str, Any]]:
    acts: list[dict[str, Any]] = cli(noun, "show", name, "--json").json["acts"]
    return acts


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_has_the_same_verbs(noun: str) -> None:
    commands = load_command(noun).commands
    assert {"create", "list", "show", "set", "delete"} <= commands.keys()
    for verb, command in commands.items():
        changes = verb not in {"list", "show", "test", "deliveries"}
        assert ("reason" in {one.name for one in command.params}) == changes, verb


@pytest.mark.parametrize("noun", NOUNS)
def test_a_thing_is_made_shown_changed_and_deleted_by_name_and_by_id(cli: Cli, noun: str) -> None:
    made = cli(*CREATE[noun], "--json").json
    assert cli(noun, "show", "one", "--json").json["id"] == made["id"]
    assert cli(noun, "show", made["id"], "--json").json["name"] == "one"

    changed = cli(*SET[noun], "--json").json

    assert changed["id"] == made["id"]
    assert changed["name"] == "two"
    assert cli(noun, "show", "one").code == 1
    assert cli(noun, "delete", made["id"]).code == 0
    assert cli(noun, "delete", "two").code == 1
    assert cli(*CREATE[noun]).code == 0


@pytest.mark.parametrize("noun", NOUNS)
def test_who_changed_what_and_why_is_kept(cli: Cli, noun: str) -> None:
    made = cli(*CREATE[noun], *WHY, "--json").json
    cli(*SET[noun], *WHY)
    created, changed = acts_of(cli, noun, "two")

    assert created["act"] == f"{noun}.create"
    assert created["before"] is None
    assert created["after"]["name"] == "one"
    assert changed["act"] == f"{noun}.set"
    assert changed["before"] == {"name": "one"}
    assert changed["after"] == {"name": "two"}
    assert abs(changed["created_at"] - time.time()) < 60
    for act in (created, changed):
        assert act["reason"] == "because Ann asked"
        assert act["actor"] == getpass.getuser()
        assert act["origin"].startswith("command line on ")
    shown = cli(noun, "show", "two").out
    assert "because Ann asked" in shown
    assert KEY not in shown
    assert made.get("key", KEY) not in shown


@pytest.mark.parametrize("noun", NOUNS)
def test_a_name_is_another_s_or_free(cli: Cli, noun: str) -> None:
    cli(*CREATE[noun])
    said = cli(noun, "set", "one", "--name", " ")
    assert "printable" in said.sentence
    if noun not in {"token", "webhook"}:  # they may share one
        cli(*(part.replace("one", "two") for part in CREATE[noun]))
        assert "already" in cli(*SET[noun]).sentence


@pytest.mark.parametrize("noun", ["token", "channel", "webhook"])
def test_a_change_that_changes_nothing_is_not_understood(bare_cli: Cli, noun: str) -> None:
    said = bare_cli(noun, "set", "one")
    assert said.code == 2
    assert "say what to change" in said.err


@pytest.mark.parametrize(
    ("options", "member", "value"),
    [
        (("--priority", "-4"), "priority", -4),
        (("--weight", "0"), "weight", 0),
        (("--models", "a-*, b"), "models", ["a-*", "b"]),
        (("--models", "all"), "models", []),
        (("--map", "new=kling-v3"), "model_map", {"old": "kling-v2-6", "new": "kling-v3"}),
        (("--map", "old="), "model_map", {}),
        (("--base-url", "http://new.test/"), "base_url", "http://new.test"),
        (("--max-concurrency", "9"), "max_concurrency", 9),
        (("--max-concurrency", "none"), "max_concurrency", None),
        (("--on-unknown", "resubmit"), "on_unknown", "resubmit"),
        (("--callback-secret", "secret-1"), "has_callback_secret", True),
        (("--callback-secret", "none"), "has_callback_secret", False),
        (("--proxy", "socks5://u:p@127.0.0.1:1080"), "has_proxy", True),
        (("--proxy", "none"), "has_proxy", False),
    ],
)
def test_a_channel_changes_in_one_member_and_stays_in_the_others(
    cli: Cli, options: tuple[str, ...], member: str, value: object
) -> None:
    made = cli(
        *CREATE["channel"],
        *("--models", "kling-*", "--map", "old=kling-v2-6", "--max-concurrency", "2", "--json"),
    ).json

    changed = cli("channel", "set", "one", *options, "--json").json

    assert changed == made | {member: value}
    assert cli("channel", "list", "--json").json == [changed]


def test_a_channel_s_key_is_changed_by_set_and_not_shown(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cli(*CREATE["channel"], "--json").json
    monkeypatch.setattr("sys.stdin", io.StringIO("another-secret\n"))

    said = cli("channel", "set", "one", "--key", "-", "--json")

    assert said.json == made
    [_, act] = acts_of(cli, "channel", "one")
    assert act["before"].keys() == {"credential_id"}
    assert "another-secret" not in said.out + said.err + str(act)


@pytest.mark.parametrize(
    "options",
    [
        ("--max-concurrency", "0"),
        ("--max-concurrency", "many"),
        ("--map", "nothing"),
        ("--map", "=to"),
        ("--weight", "-1"),
        ("--models", ","),
        ("--key", "-", "--proxy", "-"),
        ("--weight", "2", "--reason", "two\nlines"),
    ],
)
def test_a_change_that_is_not_understood_is_not_made(
    bare_cli: Cli, options: tuple[str, ...]
) -> None:
    assert bare_cli("channel", "set", "one", *options).code == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--base-url", "ftp://x"), "A base URL begins"),
        (("--base-url", "http://x.test/v1/videos?a=b"), "A base URL begins"),
        (("--key", "ü"), "A key is printable ASCII"),
        (("--proxy", "http://proxy"), "A proxy is written"),
    ],
)
def test_a_channel_cannot_become_what_it_could_not_be_made(
    cli: Cli, options: tuple[str, ...], told: str
) -> None:
    made = cli(*CREATE["channel"], "--json").json
    assert told in cli("channel", "set", "one", *options).sentence
    assert cli("channel", "list", "--json").json == [made]


def test_a_channel_that_would_serve_nothing_is_refused(cli: Cli) -> None:
    cli(
        *("channel", "create", "one", "--provider", "openai_compatible", "--key", KEY),
        *("--base-url", "http://a.test", "--models", "a-*"),
    )
    assert "serves nothing" in cli("channel", "set", "one", "--models", "all").sentence


@pytest.mark.parametrize(
    ("options", "member", "value"),
    [
        (("--models", "a-*,b"), "models", ["a-*", "b"]),
        (("--models", "all"), "models", []),
        (("--expires-in", "none"), "expires_at", None),
        (("--no-strict",), "strict", False),
    ],
)
def test_a_token_changes_in_one_member_and_stays_in_the_others(
    cli: Cli, options: tuple[str, ...], member: str, value: object
) -> None:
    made = cli(
        *CREATE["token"], "--models", "kling-*", "--expires-in", "30d", "--strict", "--json"
    ).json
    del made["key"]

    assert cli("token", "set", "one", *options, "--json").json == made | {member: value}


def test_a_token_gets_another_end(cli: Cli) -> None:
    cli(*CREATE["token"])
    changed = cli("token", "set", "one", "--expires-in", "2h", "--json").json
    assert abs(changed["expires_at"] - time.time() - 7200) < 60
    assert "such as 30d" in cli("token", "set", "one", "--expires-in", "soon").err


def test_tokens_of_one_name_are_told_apart_by_id(cli: Cli) -> None:
    ids = [cli(*CREATE["token"], "--json").json["id"] for _ in range(2)]

    said = cli("token", "delete", "one")

    assert all(one in said.sentence for one in ids)
    assert cli("token", "delete", ids[0]).code == 0
    assert cli("token", "delete", "one", "--json").json["id"] == ids[1]
    assert "revoked for good" in cli("token", "set", ids[0], "--strict").sentence


def test_an_account_is_renamed_in_one_word(cli: Cli) -> None:
    made = cli(*CREATE["account"], "--json").json
    assert cli("account", "rename", "one", "two", "--json").json == made | {"name": "two"}


def test_an_account_goes_with_its_tokens(cli: Cli) -> None:
    cli(*CREATE["account"])
    made = cli("token", "create", "app", "--account", "one", "--json").json
    other = cli("token", "create", "other", "--json").json

    assert cli("account", "delete", "one", *WHY, "--json").json["removed"] is True

    assert [one["name"] for one in cli("account", "list", "--json").json] == ["default"]
    revoked = {one["id"]: one["revoked"] for one in cli("token", "list", "--json").json}
    assert revoked == {made["id"]: True, other["id"]: False}
    assert acts_of(cli, "token", made["id"])[-1]["reason"] == "because Ann asked"
    assert cli("token", "create", "app", "--account", "one").code == 1


@pytest.mark.parametrize(
    ("old", "act"),
    [
        (("token", "revoke", "one"), "token.delete"),
        (("channel", "set-key", "one", "--key", "another-key"), "channel.set"),
        (("channel", "set-callback-secret", "one", "--secret", "secret-1"), "channel.set"),
        (("channel", "set-proxy", "one", "http://proxy.test:1"), "channel.set"),
        (("channel", "disable", "one"), "channel.set"),
    ],
)
def test_an_old_form_is_an_alias_that_help_does_not_show(
    cli: Cli, old: tuple[str, ...], act: str
) -> None:
    noun, verb = old[:2]
    made = cli(*CREATE[noun], "--json").json
    assert cli(*old, *WHY).code == 0
    assert acts_of(cli, noun, made["id"])[-1]["act"] == act
    assert load_command(noun).commands[verb].hidden is (verb != "disable")


def test_old_forms_of_create_and_delete_are_aliases(cli: Cli) -> None:
    assert cli("token", "create", "--name", "one").code == 0
    assert cli("token", "create").code == 2
    assert cli("token", "create", "one", "--name", "one").code == 2
    assert cli("channel", "add", "one", "--provider", "kling", "--key", KEY).code == 0
    assert cli("channel", "remove", "one").code == 0
