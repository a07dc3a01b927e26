"""Names of sessions: ours to make, nobody else's to read."""

import base64
import re
import secrets
import time
from uuid import UUID

import pytest

from vidgate.exceptions import NotFoundError
from vidgate.models.accounts import Sight
from vidgate.services.secrets import Purpose, SecretBox, read_secret_keys
from vidgate.services.tasks.sessions import Sessions

CHANNEL, OTHER = UUID(int=7), UUID(int=9)
ACCOUNT = Sight(UUID(int=8))


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def box(*keys: str) -> SecretBox:
    return SecretBox(lambda: read_secret_keys(",".join(keys), None))


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(box(key()))


@pytest.mark.parametrize("session", ["930000000000000001", "x", "§ 🚤", "session_x", "9" * 500])
def test_a_name_is_read_back(sessions: Sessions, session: str) -> None:
    name = sessions.seal(session, channel_id=CHANNEL, sight=ACCOUNT)

    assert re.fullmatch(r"session_[A-Za-z0-9_=-]+", name)
    assert sessions.is_name(name)
    assert session not in name.removeprefix("session_") or session == "x"
    assert sessions.open(name, ACCOUNT, param="session_id") == (session, CHANNEL)


def test_names_may_be_nested(sessions: Sessions) -> None:
    behind = Sessions(box(key()))
    inner = behind.seal("9", channel_id=OTHER, sight=Sight(OTHER))
    outer = sessions.seal(inner, channel_id=CHANNEL, sight=ACCOUNT)
    opened, _ = sessions.open(outer, ACCOUNT, param="session_id")
    assert behind.open(opened, Sight(OTHER), param="session_id") == ("9", OTHER)


@pytest.mark.parametrize(
    "text",
    [
        *("930000000000000001", "", "s-1", "Session_x", "session_ä", "a/b"),
        # Of clients that trace what they do.
        *("session_", "session_2026", "session_1f6ad2c0-8d3e-4c5f-9a53-0d3c9b6e2f11"),
    ],
)
def test_what_is_not_of_our_form_is_no_name(sessions: Sessions, text: str) -> None:
    assert not sessions.is_name(text)


def test_what_is_not_ours_to_give_is_not_found(sessions: Sessions) -> None:
    name = sessions.seal("9", channel_id=CHANNEL, sight=ACCOUNT)
    content = f"{CHANNEL.hex}{ACCOUNT.account_id.hex}9"
    other_purpose = sessions._box.encrypt(Purpose.CREDENTIAL, content)
    bad = {
        "cut": name[:-10],
        "short": "session_gAAAAA",
        "forged": name[:-20] + ("A" if name[-20] != "A" else "B") + name[-19:],
        "made up": "session_g" + "A" * 119,
        "of another deployment": Sessions(box(key())).seal("9", channel_id=CHANNEL, sight=ACCOUNT),
        "of another purpose": "session_" + other_purpose.decode(),
    }
    told = set()
    for what, text in bad.items():
        assert sessions.is_name(text), what
        with pytest.raises(NotFoundError) as caught:
            sessions.open(text, ACCOUNT, param="session_id")
        told.add((caught.value.message, caught.value.param, caught.value.code))
    with pytest.raises(NotFoundError) as caught:
        sessions.open(name, Sight(OTHER), param="session_id")

    # The same whatever is wrong: nobody learns that it is somebody else's.
    told.add((caught.value.message, caught.value.param, caught.value.code))
    [(_, param, code)] = told
    assert (param, code) == ("session_id", "session_not_found")


def test_a_name_outlives_a_rotation() -> None:
    old, new = key(), key()
    name = Sessions(box(old)).seal("9", channel_id=CHANNEL, sight=ACCOUNT)

    assert Sessions(box(new, old)).open(name, ACCOUNT, param="s") == ("9", CHANNEL)
    with pytest.raises(NotFoundError):
        Sessions(box(new)).open(name, ACCOUNT, param="s")


def test_a_running_process_learns_of_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, reads = [key()], 0

    def read() -> tuple[bytes, ...]:
        nonlocal reads
        reads += 1
        return read_secret_keys(",".join(keys), None)

    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    running = Sessions(SecretBox(read))
    keys.insert(0, key())
    elsewhere = Sessions(box(*keys)).seal("9", channel_id=CHANNEL, sight=ACCOUNT)

    assert running.open(elsewhere, ACCOUNT, param="s") == ("9", CHANNEL)
    assert reads == 2
    for _ in range(5):  # whoever makes names up costs no more than one reading a second
        with pytest.raises(NotFoundError):
            running.open("session_gAAAAA", ACCOUNT, param="s")
    assert reads == 2
    now = 1.5
    with pytest.raises(NotFoundError):
        running.open("session_gAAAAA", ACCOUNT, param="s")
    assert reads == 3


def test_a_name_of_before_is_the_whole_accounts(sessions: Sessions) -> None:
    content = f"{CHANNEL.hex}{ACCOUNT.account_id.hex}9"
    name = "session_" + sessions._box.encrypt(Purpose.SESSION, content).decode()

    assert sessions.open(name, ACCOUNT, param="session_id") == ("9", CHANNEL)
    with pytest.raises(NotFoundError):
        sessions.open(name, Sight(ACCOUNT.account_id, OTHER), param="session_id")
