import asyncio
import io
from typing import Any

import pytest
from sqlalchemy import text as sql
from tests.cli.conftest import Cli

from vidgate.db.engine import Database, Statement
from vidgate.providers.registry import PROVIDERS, provider_names

KEY = "a-very-secret-key"


def add(cli: Cli, *options: str, name: str = "main") -> Any:
    said = cli("channel", "add", name, "--provider", "kling", "--key", KEY, *options, "--json")
    assert KEY not in said.out + said.err
    return said.json


def test_a_channel_has_its_provider_s_defaults(cli: Cli) -> None:
    made = add(cli)
    assert made.pop("id").startswith("chn_")
    assert made.pop("base_url").startswith("https://")
    assert made.pop("created_at")
    assert made == {
        "object": "channel",
        "name": "main",
        "provider": "kling",
        "tags": [],
        "models": [],
        "model_map": {},
        "priority": 0,
        "weight": 1,
        "max_concurrency": None,
        "learned_concurrency": None,
        "on_unknown": "fail",
        "has_callback_secret": False,
        "has_proxy": False,
        "enabled": True,
        "state": "ok",
        "reason": None,
        "since": None,
    }


def test_a_channel_takes_every_option(cli: Cli) -> None:
    made = add(
        cli,
        *("--base-url", "http://127.0.0.1:9/kling/", "--models", "kling-*, mine"),
        *("--map", "mine=kling-v2-6", "--map", "other=kling-v3", "--priority", "-2"),
        *("--weight", "7", "--max-concurrency", "3", "--on-unknown", "resubmit"),
    )
    assert made["base_url"] == "http://127.0.0.1:9/kling"
    assert made["models"] == ["kling-*", "mine"]
    assert made["model_map"] == {"mine": "kling-v2-6", "other": "kling-v3"}
    assert (made["priority"], made["weight"], made["max_concurrency"]) == (-2, 7, 3)
    assert made["on_unknown"] == "resubmit"
    assert cli("channel", "list", "--json").json == [made]
    assert "kling-*, mine" in cli("channel", "list").out


def test_a_channel_is_turned_off_and_on_and_removed(cli: Cli) -> None:
    add(cli)
    assert cli("channel", "disable", "main", "--json").json["enabled"] is False
    assert cli("channel", "list", "--json").json[0]["enabled"] is False
    assert cli("channel", "enable", "main", "--json").json["enabled"] is True
    assert cli("channel", "remove", "main", "--json").json["name"] == "main"
    assert cli("channel", "list", "--json").json == []
    for verb in ("enable", "disable", "remove"):
        assert cli("channel", verb, "main").sentence == "There is no channel 'main'."


def test_a_key_is_changed_without_being_shown(cli: Cli) -> None:
    made = add(cli)
    said = cli("channel", "set-key", "main", "--key", "another-secret", "--json")
    assert said.json == made
    assert "another-secret" not in said.out + said.err
    said = cli("channel", "set-key", "gone", "--key", "another-secret")
    assert said.sentence == "There is no channel 'gone'."


def test_a_key_comes_from_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("channel", "add", "main", "--provider", "kling", "--key", "-")
    for text, code in ((f"{KEY}\n", 0), (f"{KEY}\n\n", 1), ("", 1)):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        said = cli(*command)
        assert said.code == code
        assert KEY not in said.out + said.err
        cli("channel", "remove", "main")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--provider", "sora", "--key", KEY),
            f"There is no provider 'sora'; there are {', '.join(provider_names())}.",
        ),
        (
            ("--provider", "kling", "--key", KEY, "--base-url", "ftp://x"),
            "A base URL begins with http:// or https:// and has no query.",
        ),
        *(
            (
                ("--provider", "kling", "--key", KEY, "--base-url", url),
                (
                    "A base URL has no user and no password: it is stored and shown as it is. "
                    "What the provider asks for is the channel's key."
                ),
            )
            for url in ("https://user:pass@a.test", "https://user@a.test/v1", "http://:p@a.test")
        ),
        (
            ("--provider", "openai_compatible", "--key", KEY, "--models", "a-*"),
            (
                "The provider openai_compatible has no address of its own; give it with "
                "--base-url, or in VIDGATE_OPENAI_COMPATIBLE_BASE_URL."
            ),
        ),
        (
            ("--provider", "openai_compatible", "--key", KEY, "--base-url", "http://a.test"),
            (
                "The provider openai_compatible has no models of its own, so the channel serves "
                "nothing; list them with --models, or in VIDGATE_OPENAI_COMPATIBLE_MODELS."
            ),
        ),
        (("--provider", "kling", "--key", "ü" + KEY), "A key is printable ASCII and not empty."),
    ],
)
def test_a_channel_that_cannot_be_is_refused(
    cli: Cli, options: tuple[str, ...], sentence: str
) -> None:
    said = cli("channel", "add", "main", *options)
    assert said.sentence == sentence
    assert KEY not in said.err


def test_a_jimeng_key_has_two_parts_and_is_not_repeated(cli: Cli) -> None:
    said = cli("channel", "add", "main", "--provider", "jimeng", "--key", KEY)
    assert KEY not in said.sentence


@pytest.mark.parametrize(
    "options",
    [
        ("--map", "nothing"),
        ("--map", "=to"),
        ("--weight", "-1"),
        ("--max-concurrency", "0"),
        ("--priority", "9999999999"),
        ("--on-unknown", "guess"),
        ("--nonsense",),
        (KEY,),
    ],
)
def test_what_is_not_understood_is_not_done(bare_cli: Cli, options: tuple[str, ...]) -> None:
    said = bare_cli("channel", "add", "main", "--provider", "kling", "--key", KEY, *options)
    assert said.code == 2
    assert said.out == ""
    assert "--help" in said.err
    assert KEY not in said.err


def test_a_key_in_the_wrong_place_is_not_repeated(bare_cli: Cli) -> None:
    said = bare_cli("channel", "set-key", "main", "--key", "x", KEY)
    assert said.code == 2
    assert KEY not in said.err


@pytest.mark.parametrize(
    ("provider", "prefix"),
    [(one.name, prefix) for one in PROVIDERS for prefix in one.capabilities.api_prefix],
)
def test_a_base_url_ends_before_the_api_prefix(cli: Cli, provider: str, prefix: str) -> None:
    answer = cli(
        *("channel", "add", "v", "--provider", provider, "--key", KEY, "--models", "a-*"),
        *("--base-url", f"http://a.test/x{prefix}/"),
    )
    assert answer.sentence == (
        f"A base URL ends before the provider's API prefix; leave {prefix} off."
    )


def test_a_demo_keeps_away_from_a_database_of_others(cli: Cli) -> None:
    assert "unset VIDGATE_DATABASE_URL" in cli("demo").sentence


BROKEN = Statement(
    sql(
        "INSERT INTO channel_states (channel_id, state, reason, since, learned_cap)"
        " SELECT id, 'balance', 'no money left', now(), 3 FROM channels"
    )
)


def test_what_is_wrong_with_a_channel_is_shown_everywhere(cli: Cli, database_url: str) -> None:
    async def breaks() -> None:
        database = await Database.connect(database_url)
        await database.execute(BROKEN)
        await database.aclose()

    add(cli)
    asyncio.run(breaks())

    told = [
        cli("channel", "list", "--json").json[0],
        cli("channel", "show", "main", "--json").json,
        cli("channel", "set", "main", "--priority", "2", "--json").json,
    ]
    for one in told:
        assert (one["state"], one["reason"]) == ("balance", "no money left")
        assert one["learned_concurrency"] == 3
        assert one["since"]
    assert "no money left" in cli("channel", "list").out

    enabled = cli("channel", "enable", "main", "--json").json
    assert (enabled["state"], enabled["reason"]) == ("ok", None)
