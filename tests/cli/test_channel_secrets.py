import io
import json
import socket

import pytest
from tests.cli.conftest import Cli

KEY = "a-very-secret-key"
PROXY = "socks5://user:proxy-secret@127.0.0.1:1080"


def add(cli: Cli, *options: str) -> dict[str, object]:
    said = cli("channel", "add", "main", "--provider", "kling", "--key", KEY, *options, "--json")
    assert "secret-" not in said.out + said.err
    assert "proxy-secret" not in said.out + said.err
    made: dict[str, object] = said.json
    return made


def has(document: dict[str, object]) -> tuple[object, object]:
    return document["has_callback_secret"], document["has_proxy"]


def test_a_callback_secret_and_a_proxy_are_kept_and_never_shown(cli: Cli) -> None:
    made = add(cli, "--callback-secret", "secret-1", "--proxy", PROXY)

    assert has(made) == (True, True)
    said = cli("channel", "list", "--json")
    assert said.json == [made]
    assert "proxy-secret" not in said.out


def test_they_are_changed_and_taken_away(cli: Cli) -> None:
    assert has(add(cli)) == (False, False)
    set_secret = ("channel", "set-callback-secret", "main", "--secret")
    assert has(cli(*set_secret, "secret-2", "--json").json) == (True, False)
    assert has(cli("channel", "set-proxy", "main", PROXY, "--json").json) == (True, True)
    assert has(cli(*set_secret, "none", "--json").json) == (False, True)
    assert has(cli("channel", "set-proxy", "main", "none", "--json").json) == (False, False)
    for command in (
        (*set_secret[:2], "gone", "--secret", "x"),
        ("channel", "set-proxy", "gone", PROXY),
    ):
        assert cli(*command).sentence == "There is no channel 'gone'."


@pytest.mark.parametrize("option", ["--key", "--callback-secret", "--proxy"])
def test_one_of_them_comes_from_standard_input(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    given = {"--key": KEY, "--callback-secret": "secret-1", "--proxy": PROXY}
    monkeypatch.setattr("sys.stdin", io.StringIO(given[option] + "\n"))
    given[option] = "-"
    options = [part for pair in given.items() for part in pair]

    made = cli("channel", "add", "main", "--provider", "kling", *options, "--json").json

    assert has(made) == (True, True)


def test_standard_input_is_read_for_one_option_only(bare_cli: Cli) -> None:
    said = bare_cli("channel", "add", "main", "--provider", "kling", "--key", "-", "--proxy", "-")
    assert said.code == 2
    assert "only one option" in said.err


@pytest.mark.parametrize("url", ["proxy:8080", "ftp://user:proxy-secret@proxy:1", "http://proxy"])
def test_what_is_no_proxy_is_refused_without_being_repeated(cli: Cli, url: str) -> None:
    add(cli)
    for command in (
        ("channel", "set-proxy", "main", url),
        ("channel", "add", "other", "--provider", "kling", "--key", KEY, "--proxy", url),
    ):
        said = cli(*command)
        assert said.sentence.startswith("A proxy is written http://")
        assert "proxy-secret" not in said.err


def test_a_channel_that_cannot_be_reached_fails_its_test_in_one_sentence(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    add(cli, "--base-url", f"http://127.0.0.1:{port}")

    said = cli("channel", "test", "main")

    assert said.sentence
    assert KEY not in said.err
    assert cli("channel", "test", "gone").sentence == "There is no channel 'gone'."


def test_the_models_are_listed_with_who_serves_them(cli: Cli) -> None:
    before = cli("models", "--json").json
    assert all(model["channels"] == [] for model in before)
    add(cli, "--models", "kling-v2-6", "--map", "mine=kling-v2-6")

    models = {model["id"]: model for model in cli("models", "--json").json}
    table = cli("models").out

    assert models["kling-v2-6"]["channels"] == ["main"]
    assert models["mine"]["actions"] == models["kling-v2-6"]["actions"] != {}
    assert models["kling-v1"]["retired"]
    assert models["kling-v1"]["channels"] == []
    assert "mine" in table
    assert json.dumps(before)
