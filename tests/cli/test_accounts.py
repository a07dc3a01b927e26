import time

from tests.cli.conftest import Cli


def test_an_account_is_made_and_listed(cli: Cli) -> None:
    made = cli("account", "create", "team", "--json").json

    assert made["object"] == "account"
    assert made["id"].startswith("acc_")
    assert made["name"] == "team"
    assert abs(made["created_at"] - time.time()) < 60
    assert cli("account", "list", "--json").json == [made]
    assert made["id"] in cli("account", "list").out


def test_an_account_has_a_name_of_its_own(cli: Cli) -> None:
    cli("account", "create", "team")
    assert cli("account", "create", "team").sentence == "There is an account 'team' already."
    assert "printable" in cli("account", "create", " ").sentence


def test_lists_are_arrays_even_when_empty(cli: Cli) -> None:
    for group in ("account", "token", "channel", "task", "webhook"):
        assert cli(group, "list", "--json").json == []
        assert cli(group, "list").code == 0


def test_a_token_shows_its_key_this_once(cli: Cli) -> None:
    made = cli("token", "create", "--name", "app", "--json").json

    assert made["object"] == "token"
    assert made["id"].startswith("tok_")
    assert made["key"].startswith("sk-")
    assert len(made["key"]) == 46
    assert made["name"] == "app"
    assert made["account"] == "default"
    assert made["models"] == []
    assert made["expires_at"] is None
    assert made["revoked"] is False
    listed = cli("token", "list", "--json")
    assert made["key"] not in listed.out
    assert listed.json == [{name: value for name, value in made.items() if name != "key"}]


def test_a_token_for_people_has_its_key_on_standard_output(cli: Cli) -> None:
    said = cli("token", "create", "--name", "app")
    assert "sk-" in said.out
    assert "sk-" not in said.err


def test_a_token_can_have_a_pair_to_sign_with(cli: Cli) -> None:
    made = cli("token", "create", "--name", "sdk", "--access-key", "--json").json
    plain = cli("token", "create", "--name", "app", "--json").json

    assert made["access_key"].isalnum()
    assert len(made["secret_key"]) == 43
    assert made.keys() - plain.keys() == {"access_key", "secret_key"}
    listed = cli("token", "list", "--json").out
    assert made["secret_key"] not in listed
    assert "secret key" in cli("token", "create", "--name", "sdk", "--access-key").out


def test_a_token_is_limited_as_asked(cli: Cli) -> None:
    cli("account", "create", "team")
    made = cli(
        *("token", "create", "--name", "app", "--account", "team"),
        *("--models", "kling-*, viduq1", "--expires-in", "30d", "--json"),
    ).json
    assert made["account"] == "team"
    assert made["models"] == ["kling-*", "viduq1"]
    assert abs(made["expires_at"] - time.time() - 30 * 86_400) < 60


def test_a_token_says_how_long_its_tasks_wait(cli: Cli) -> None:
    made = [
        cli("token", "create", "--name", name, *given, "--json").json
        for name, given in {
            "patient": ("--queue-wait", "2h"),
            "hasty": ("--queue-wait", "0"),
            "plain": (),
        }.items()
    ]
    assert [one["queue_wait_seconds"] for one in made] == [7200, 0, None]

    changed = cli("token", "set", "hasty", "--queue-wait", "90s", "--json").json
    assert changed["queue_wait_seconds"] == 90
    assert cli("token", "show", "hasty", "--json").json["acts"][-1]["after"] == {"queue_wait": 90}
    assert (
        cli("token", "set", "hasty", "--queue-wait", "none", "--json").json["queue_wait_seconds"]
        is None
    )


def test_a_token_is_made_strict(cli: Cli) -> None:
    strict = cli("token", "create", "--name", "app", "--strict", "--json").json
    lenient = cli("token", "create", "--name", "app", "--json").json

    assert (strict["strict"], lenient["strict"]) == (True, False)
    assert [one["strict"] for one in cli("token", "list", "--json").json] == [True, False]
    assert " strict " in cli("token", "list").out


def test_a_token_sees_its_own_unless_told_otherwise(cli: Cli) -> None:
    own = cli("token", "create", "--name", "app", "--json").json
    every = cli("token", "create", "--name", "ops", "--sees", "account", "--json").json

    assert (own["sees"], every["sees"]) == ("own", "account")
    assert cli("token", "set", "app", "--sees", "account", "--json").json["sees"] == "account"
    acts = cli("token", "show", "app", "--json").json["acts"]
    assert (acts[-1]["before"], acts[-1]["after"]) == ({"sees": "own"}, {"sees": "account"})
    assert cli("token", "set", "app", "--sees", "all").code == 2


def test_channels_have_tags_and_others_are_limited_to_them(cli: Cli) -> None:
    made = {
        "channel": cli(
            *("channel", "create", "main", "--provider", "vidu", "--key", "k"),
            *("--tags", "vip, cn,vip", "--json"),
        ).json["tags"],
        "account": cli("account", "create", "team", "--channel-tags", "vip", "--json").json,
        "token": cli("token", "create", "app", "--channel-tags", "cn,x", "--json").json,
    }
    assert made["channel"] == ["vip", "cn"]
    assert made["account"]["channel_tags"] == ["vip"]
    assert made["token"]["channel_tags"] == ["cn", "x"]

    lifted = [
        cli("channel", "set", "main", "--tags", "none", "--json").json["tags"],
        cli("account", "set", "team", "--channel-tags", "all", "--json").json["channel_tags"],
        cli("token", "set", "app", "--channel-tags", "all", "--json").json["channel_tags"],
    ]
    assert lifted == [[], [], []]
    for noun, name, member in (
        ("channel", "main", "tags"),
        ("account", "team", "channel_tags"),
        ("token", "app", "channel_tags"),
    ):
        act = cli(noun, "show", name, "--json").json["acts"][-1]
        assert (act["act"], act["after"]) == (f"{noun}.set", {member: []})


NO_TAG = [
    ("channel", "create", "one", "--provider", "vidu", "--key", "k", "--tags", "{}"),
    ("channel", "set", "main", "--tags", "{}"),
    ("account", "create", "one", "--channel-tags", "{}"),
    ("account", "set", "team", "--channel-tags", "{}", "--factor", "2", "--prepaid"),
    ("token", "create", "one", "--channel-tags", "{}"),
    ("token", "set", "app", "--channel-tags", "{}", "--strict"),
]


def test_what_is_no_tag_leaves_nothing_behind(cli: Cli) -> None:
    cli("channel", "create", "main", "--provider", "vidu", "--key", "k")
    cli("account", "create", "team")
    cli("token", "create", "app")
    before = [cli(noun, "list", "--json").json for noun in ("channel", "account", "token")]

    for command in NO_TAG:
        for given in ("a b", "x" * 41, "é", "vip,none" if command[0] != "channel" else "vip,all"):
            said = cli(*(part.replace("{}", given) for part in command))
            assert "is no tag; one has 1 to 40 letters" in said.sentence
        assert cli(*(part.replace("{}", ",") for part in command)).code == 2

    after = [cli(noun, "list", "--json").json for noun in ("channel", "account", "token")]
    assert after == before


def test_a_token_gets_another_key(cli: Cli) -> None:
    made = cli("token", "create", "app", "--json").json
    rotated = cli("token", "rotate", "app", "--overlap", "2h", "--reason", "leak", "--json").json

    assert rotated["id"] == made["id"]
    assert rotated["key"].startswith("sk-")
    assert rotated["key"] != made["key"]
    assert abs(rotated["old_key_ends_at"] - time.time() - 7200) < 60
    shown = cli("token", "show", "app", "--json")
    assert rotated["key"] not in shown.out
    [act] = [one for one in shown.json["acts"] if one["act"] == "token.rotate"]
    assert (act["before"], act["after"]["key"], act["reason"]) == (
        {"key": "set"},
        "changed",
        "leak",
    )
    usual = cli("token", "rotate", "app", "--json").json["old_key_ends_at"]
    assert abs(usual - time.time() - 86_400) < 60
    at_once = cli("token", "rotate", "app", "--overlap", "none", "--json").json
    assert at_once["old_key_ends_at"] <= time.time()
    for span in ("0", "soon"):
        assert cli("token", "rotate", "app", "--overlap", span).code == 2
    cli("token", "revoke", "app")
    said = cli("token", "rotate", made["id"])
    assert said.sentence == "The token is revoked for good; create another."
    assert cli("token", "rotate", "nobody").code == 1


def test_a_token_tells_when_it_was_last_used(cli: Cli) -> None:
    cli("token", "create", "app")
    assert cli("token", "show", "app", "--json").json["last_used_at"] is None
    assert cli("token", "list", "--json").json[0]["last_used_at"] is None


def test_a_token_may_be_used_from_some_networks_alone(cli: Cli) -> None:
    made = cli(
        *("token", "create", "app", "--addresses", " 10.0.0.0/8, 2001:db8::/32,192.0.2.7 "),
        "--json",
    ).json
    assert made["addresses"] == ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"]
    assert cli("token", "show", "app", "--json").json["addresses"] == made["addresses"]
    changed = cli("token", "set", "app", "--addresses", "all", "--json").json
    assert changed["addresses"] == []


def test_what_is_no_network_is_refused(bare_cli: Cli) -> None:
    for given, told in {
        "10.0.0.1/8": "write one such as 10.0.0.0/8.",
        "10.0.0.0/33": "'10.0.0.0/33' is no network",
        "office": "'office' is no network",
        "": "--addresses names no network",
    }.items():
        for command in (("create", "app"), ("set", "app")):
            said = bare_cli("token", *command, "--addresses", given)
            assert said.code == 2
            assert told in said.err


def test_a_token_of_an_unknown_account_is_refused(cli: Cli) -> None:
    said = cli("token", "create", "--name", "app", "--account", "nobody")
    assert said.sentence == "There is no account 'nobody'; `vidgate account list` shows them."


def test_a_span_has_a_unit(bare_cli: Cli) -> None:
    for span in ("30", "d", "0d", "-1d", "999999999w", "1y"):
        said = bare_cli("token", "create", "--name", "app", f"--expires-in={span}")
        assert said.code == 2
        assert "such as 30d" in said.err


def test_a_token_is_revoked_for_good(cli: Cli) -> None:
    made = cli("token", "create", "--name", "app", "--json").json
    assert cli("token", "revoke", made["id"], "--json").json["revoked"] is True
    assert cli("token", "revoke", made["id"], "--json").json["revoked"] is True
    assert cli("token", "list", "--json").json[0]["revoked"] is True


def test_a_key_is_no_id_and_is_not_repeated(cli: Cli) -> None:
    key = cli("token", "create", "--name", "app", "--json").json["key"]
    said = cli("token", "revoke", key)
    assert said.sentence == "There is no token of that name or id; `vidgate token list` shows them."
    assert cli("token", "revoke", "tok_" + "0" * 26).sentence == said.sentence


def test_models_that_name_none_permit_none(cli: Cli) -> None:
    for empty in ("", ",", " , "):
        assert cli("token", "create", "--name", "app", "--models", empty).code == 2
    assert cli("token", "list", "--json").json == []
