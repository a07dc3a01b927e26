"""`account limit`, `account raise`, and the same of tokens."""

import pytest
from tests.cli.conftest import Cli


def test_an_account_is_limited_and_shows_its_use(cli: Cli) -> None:
    cli("account", "create", "team")
    options = ("--requests-per-minute", "60", "--tasks-in-flight", "5", "--max-queued", "0")
    budgets = ("--budget", "day=10.00", "--budget", "total=100", "--tasks", "week=50")

    limited = cli("account", "limit", "team", *options, *budgets, "--json").json
    shown = cli("account", "show", "team", "--json").json

    assert limited["limits"] == shown["limits"]
    told = {(one["name"], one["window"]): one for one in shown["limits"]}
    assert {name: one["limit"] for name, one in told.items()} == {
        ("requests_per_minute", "minute"): 60,
        ("tasks_in_flight", None): 5,
        ("max_queued", None): 0,
        ("spend", "day"): 10_000_000,
        ("spend", "total"): 100_000_000,
        ("tasks", "week"): 50,
    }
    assert all(one["used"] == 0 for one in shown["limits"])
    assert told["spend", "day"]["amounts"] == "0.00 of 10.00 USD"
    assert told["spend", "day"]["resets_at"]
    assert shown["acts"][-1]["act"] == "account.limit"
    assert "10.00 USD" in cli("account", "show", "team").out


def test_people_see_limits_as_a_table(cli: Cli) -> None:
    cli("account", "create", "team")

    shown = cli("account", "limit", "team", "--tasks-in-flight", "20", "--budget", "total=10.00")

    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert lines[-3:] == [
        "name scope window used resets at raised until models",
        "tasks_in_flight account - 0 of 20 - - -",
        "spend account total 0.00 of 10.00 USD - - -",
    ]


def test_what_is_named_changes_and_none_takes_away(cli: Cli) -> None:
    cli("account", "create", "team")
    zone = ("--time-zone", "Asia/Shanghai", "--warn-at", "0.5")
    cli("account", "limit", "team", "--budget", "day=10", "--tasks-in-flight", "5")
    cli("account", "limit", "team", "--budget", "day=20", *zone)

    limited = cli("account", "limit", "team", "--tasks-in-flight", "none", "--json").json

    [limit] = limited["limits"]
    assert (limit["limit"], limit["time_zone"], limit["warn_at"]) == (
        20_000_000,
        "Asia/Shanghai",
        0.5,
    )


def test_a_budget_may_be_for_some_models(cli: Cli) -> None:
    cli("account", "create", "team")

    limited = cli(
        "account", "limit", "team", "--tasks", "day=3", "--for-models", "kling-*,vidu*", "--json"
    ).json

    assert [one["models"] for one in limited["limits"]] == [["kling-*", "vidu*"]]


def test_a_token_is_made_with_caps_that_can_be_set(cli: Cli) -> None:
    cli("token", "create", "app", "--requests-per-minute", "60", "--budget", "month=9.99")
    cli("account", "limit", "default", "--tasks-in-flight", "7")
    cli("token", "set", "app", "--requests-per-minute", "none", "--max-queued", "3")

    shown = cli("token", "show", "app", "--json").json

    assert [(one["scope"], one["name"], one["limit"]) for one in shown["limits"]] == [
        ("account", "tasks_in_flight", 7),
        ("token", "max_queued", 3),
        ("token", "spend", 9_990_000),
    ]
    assert [act["act"] for act in shown["acts"]] == ["token.create", "token.limit", "token.limit"]


@pytest.mark.parametrize("noun", ["account", "token"])
def test_a_raise_ends(cli: Cli, noun: str) -> None:
    cli(noun, "create", "one")
    cli(noun, "limit" if noun == "account" else "set", "one", "--budget", "day=10.00")

    raised = cli(noun, "raise", "one", "--budget", "day=5.00", "--until", "2h", "--json").json
    [limit] = raised["limits"]
    ended = cli(noun, "raise", "one", "--budget", "day=none", "--until", "2h", "--json").json

    assert (limit["limit"], limit["raised_by"]) == (15_000_000, 5_000_000)
    assert limit["raised_until"]
    assert [one["limit"] for one in ended["limits"]] == [10_000_000]


def test_a_channel_is_limited_and_shows_its_use(cli: Cli) -> None:
    cli("channel", "create", "one", "--provider", "kling", "--key", "a-key")
    options = ("--requests-per-minute", "30", "--budget", "month=100", "--tasks", "day=9")

    done = cli("channel", "set", "one", *options, "--time-zone", "Asia/Shanghai")
    shown = cli("channel", "show", "one", "--json").json

    assert done.code == 0
    assert [(one["name"], one["window"], one["limit"], one["used"]) for one in shown["limits"]] == [
        ("requests_per_minute", "minute", 30, 0),
        ("tasks", "day", 9, 0),
        ("spend", "month", 100_000_000, 0),
    ]
    assert shown["acts"][-1]["act"] == "channel.limit"
    assert cli("channel", "set", "one").code != 0


MISTAKES = {
    "nothing": (("account", "limit", "team"), "say what to limit"),
    "no number": (("account", "limit", "team", "--tasks-in-flight", "many"), "from 1 on"),
    "zero": (("account", "limit", "team", "--requests-per-minute", "0"), "from 1 on"),
    "no period": (("account", "limit", "team", "--budget", "10.00"), "PERIOD=AMOUNT"),
    "a strange period": (("account", "limit", "team", "--budget", "year=10"), "day, week"),
    "no amount": (("account", "limit", "team", "--budget", "day=much"), "not an amount"),
    "below zero": (("account", "limit", "team", "--budget", "day=-1"), "below zero"),
    "a part": (("account", "limit", "team", "--tasks", "day=1", "--warn-at", "2"), "0 to 1"),
    "no budget": (("account", "limit", "team", "--time-zone", "UTC"), "name the budgets"),
    "no zone": (
        ("account", "limit", "team", "--tasks", "day=1", "--time-zone", "Mars"),
        "no time zone 'Mars'",
    ),
    "not limited": (
        ("account", "raise", "team", "--tasks-in-flight", "1", "--until", "2h"),
        "set one first",
    ),
    "over": (
        ("account", "raise", "team", "--tasks-in-flight", "1", "--until", "2020-01-01"),
        "over already",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(cli: Cli, name: str) -> None:
    cli("account", "create", "team")
    command, sentence = MISTAKES[name]

    done = cli(*command)

    assert done.code != 0
    assert sentence in " ".join(done.err.replace("│", " ").split())
    assert cli("account", "show", "team", "--json").json["limits"] == []


@pytest.mark.parametrize(
    ("show", "command"),
    [
        (("token", "list"), ("token", "create", "new")),
        (("token", "show", "app"), ("token", "set", "app", "--models", "this")),
        (("channel", "show", "one"), ("channel", "set", "one", "--weight", "7")),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_limits_that_cannot_be_leave_nothing_else_behind(
    cli: Cli, show: tuple[str, ...], command: tuple[str, ...]
) -> None:
    cli("token", "create", "app")
    cli("channel", "create", "one", "--provider", "kling", "--key", "a-key")
    before = cli(*show, "--json").json

    refused = cli(*command, "--budget", "day=1", "--time-zone", "Mars")

    assert refused.code != 0
    assert "no time zone 'Mars'" in refused.err
    assert cli(*show, "--json").json == before
