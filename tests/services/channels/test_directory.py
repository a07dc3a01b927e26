"""Tokens and channels in memory: in force after a refresh, never used when stale."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.clock import FixedClock
from tests.support.engine import KEYS, SECRET_KEY

from vidgate.db.accounts import AccountStore
from vidgate.db.channel_states import ChannelStateStore
from vidgate.db.channels import ChannelStore
from vidgate.db.clock import DatabaseClock
from vidgate.db.engine import Database
from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError
from vidgate.models.channels import NewChannel
from vidgate.providers.registry import build_providers
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.provisioning import Provisioning
from vidgate.services.secrets import Purpose, SecretBox, read_secret_keys


class Seconds:
    """A clock of seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def box() -> SecretBox:
    return SecretBox(lambda: read_secret_keys(SECRET_KEY, None))


@pytest.fixture
def provisioning(database: Database, box: SecretBox) -> Provisioning:
    return Provisioning(
        accounts=AccountStore(database),
        channels=ChannelStore(database),
        box=box,
        providers=build_providers(map_retired_models=True),
    )


@pytest.fixture
async def directory(database: Database, box: SecretBox, seconds: Seconds) -> Directory:
    clock = DatabaseClock()
    await clock.sync(database)
    directory = Directory(
        accounts=AccountStore(database),
        channels=ChannelStore(database),
        states=ChannelStateStore(database),
        box=box,
        clock=clock,
        monotonic=seconds,
    )
    await directory.load()
    return directory


@pytest.fixture
async def lost(database_url: str, box: SecretBox, seconds: Seconds) -> Directory:
    """A directory whose database is gone."""
    database = await Database.connect(database_url)
    clock = DatabaseClock()
    await clock.sync(database)
    directory = Directory(
        accounts=AccountStore(database),
        channels=ChannelStore(database),
        states=ChannelStateStore(database),
        box=box,
        clock=clock,
        monotonic=seconds,
    )
    await directory.load()
    await database.aclose()
    return directory


async def test_a_token_is_known_once_it_was_used(
    directory: Directory, provisioning: Provisioning
) -> None:
    _, key = await provisioning.create_token(name="mine")
    assert directory.known(key) is None

    caller = await directory.authenticate(key)

    assert caller is not None
    assert directory.known(key) is caller
    assert directory.known(key.removeprefix("sk-")) is caller
    assert await directory.authenticate(key) is caller


async def test_an_unknown_token_is_not_remembered(
    directory: Directory, provisioning: Provisioning
) -> None:
    key = "sk-" + "k" * 43
    assert await directory.authenticate(key) is None

    await provisioning.ensure_token(key, name="bootstrap")

    assert await directory.authenticate(key) is not None


async def test_a_revoked_token_is_unknown_after_a_refresh(
    directory: Directory, provisioning: Provisioning, database: Database
) -> None:
    token, key = await provisioning.create_token(name="mine")
    assert await directory.authenticate(key) is not None
    await AccountStore(database).revoke_token(token.id)

    await directory.refresh()

    assert directory.known(key) is None
    assert await directory.authenticate(key) is None


async def test_a_token_that_is_revoked_in_a_long_gap_is_unknown_after_it(
    directory: Directory, provisioning: Provisioning, database: Database, seconds: Seconds
) -> None:
    token, key = await provisioning.create_token(name="mine")
    assert await directory.authenticate(key) is not None
    await AccountStore(database).revoke_token(token.id)
    seconds.now += 3600

    await directory.refresh()

    assert directory.known(key) is None


async def test_memory_that_is_too_old_is_not_used(
    directory: Directory, provisioning: Provisioning, seconds: Seconds
) -> None:
    _, key = await provisioning.create_token(name="mine")
    await directory.authenticate(key)

    seconds.now += 0.99
    assert directory.known(key) is not None
    seconds.now += 0.01

    assert directory.known(key) is None
    assert await directory.authenticate(key) is not None  # it was looked up


async def test_without_a_database_nothing_is_answered_from_old_memory(
    lost: Directory, seconds: Seconds
) -> None:
    assert list(await lost.channels()) == []
    seconds.now += 1

    with pytest.raises(DatabaseUnavailableError):
        await lost.channels()
    with pytest.raises(DatabaseUnavailableError):
        await lost.authenticate("sk-" + "k" * 43)


async def test_a_change_of_a_channel_is_in_force_after_a_refresh(
    directory: Directory, provisioning: Provisioning
) -> None:
    channel = await provisioning.add_channel(
        NewChannel(name="one", provider="kling", key=KEYS["kling"])
    )
    await directory.refresh()
    assert [one.id for one in await directory.channels()] == [channel.id]

    await provisioning.set_enabled("one", enabled=False)
    await directory.refresh()
    assert not (await directory.channel(channel.id)).enabled
    await provisioning.remove_channel("one")
    await directory.refresh()

    found = await directory.channel(channel.id)
    assert found.removed  # it is kept for the attempts that were made with it


async def test_a_channel_made_a_moment_ago_elsewhere_is_found(
    directory: Directory, provisioning: Provisioning
) -> None:
    channel = await provisioning.add_channel(
        NewChannel(name="one", provider="kling", key=KEYS["kling"])
    )

    assert (await directory.channel(channel.id)).name == "one"


async def test_a_credential_is_read_once_and_never_changes(
    directory: Directory, provisioning: Provisioning
) -> None:
    channel = await provisioning.add_channel(
        NewChannel(name="one", provider="kling", key="first", base_url="http://one.test/")
    )
    changed = await provisioning.set_key("one", "second")

    old = await directory.access(channel.credential_id)
    new = await directory.access(changed.credential_id)

    assert (old.credential.get_secret_value(), old.base_url) == ("first", "http://one.test")
    assert new.credential.get_secret_value() == "second"
    assert "first" not in repr(old)
    assert await directory.access(channel.credential_id) is old


async def test_a_pair_signs_for_its_token(
    directory: Directory, provisioning: Provisioning, lost: Directory, seconds: Seconds
) -> None:
    token, _ = await provisioning.create_token(name="sdk")
    access_key, secret = await provisioning.create_access_key(token)

    known = await directory.access_key(access_key)

    assert known is not None
    assert known.secret.get_secret_value() == secret
    assert known.caller.token.id == token.id
    assert secret not in repr(known)
    assert access_key.isalnum()
    assert await directory.access_key(access_key) is known
    assert await directory.access_key(access_key.lower()) is None
    with pytest.raises(DatabaseUnavailableError):
        await lost.access_key(access_key)
    seconds.now += 2  # memory is too old now
    assert await directory.access_key(access_key) is not known


async def test_a_revoked_token_signs_no_more(
    directory: Directory, provisioning: Provisioning, database: Database
) -> None:
    token, _ = await provisioning.create_token(name="sdk")
    access_key, _ = await provisioning.create_access_key(token)
    assert await directory.access_key(access_key) is not None

    await AccountStore(database).revoke_token(token.id)
    await directory.refresh()

    assert await directory.access_key(access_key) is None


async def test_a_rotation_reaches_the_pairs(
    database: Database, provisioning: Provisioning, box: SecretBox
) -> None:
    token, _ = await provisioning.create_token(name="sdk")
    access_key, secret = await provisioning.create_access_key(token)
    new = base64.b64encode(bytes(range(32))).decode()
    both = SecretBox(lambda: read_secret_keys(f"{new},{SECRET_KEY}", None))
    rotating = Provisioning(
        accounts=AccountStore(database),
        channels=ChannelStore(database),
        box=both,
        providers=build_providers(map_retired_models=True),
    )

    assert await rotating.rotate_secrets() == 1

    stored = await AccountStore(database).access_key(access_key)
    assert stored is not None
    alone = SecretBox(lambda: read_secret_keys(new, None))
    assert alone.decrypt(Purpose.ACCESS_KEY, stored[1]) == secret
    with pytest.raises(ConfigurationError):
        box.decrypt(Purpose.ACCESS_KEY, stored[1])


async def test_a_changed_token_is_in_force_after_a_refresh(
    directory: Directory, provisioning: Provisioning
) -> None:
    _, key = await provisioning.create_token(name="mine")
    assert await directory.authenticate(key) is not None

    await provisioning.change_token("mine", lambda token: replace(token, models=("only",)))
    await directory.refresh()

    known = directory.known(key)
    assert known is not None
    assert known.token.models == ("only",)


async def test_a_changed_limit_of_an_account_is_in_force_after_a_refresh(
    directory: Directory, provisioning: Provisioning
) -> None:
    await provisioning.create_account("team", channel_tags=("vip",))
    token, key = await provisioning.create_token(name="mine", account="team", channel_tags=("a",))
    caller = await directory.authenticate(key)
    assert caller is not None
    assert token.channel_limits == caller.token.channel_limits == (("vip",), ("a",))

    await provisioning.change_account("team", lambda one: replace(one, channel_tags=()))
    await directory.refresh()

    known = directory.known(key)
    assert known is not None
    assert known.token.channel_limits == (("a",),)


async def test_a_key_of_before_is_known_until_its_end(
    directory: Directory, provisioning: Provisioning
) -> None:
    _, old = await provisioning.create_token(name="mine")
    first = await directory.authenticate(old)
    assert first is not None

    _, new, until = await provisioning.rotate_token("mine", overlap=timedelta(hours=1))
    await directory.refresh()

    for key in (old, new):
        caller = await directory.authenticate(key)
        assert caller is not None
        assert caller.token == first.token
        assert directory.known(key) is caller
    directory._clock = FixedClock(until)
    await directory.refresh()
    assert directory.known(old) is None
    assert directory.known(new) is not None


@pytest.mark.parametrize("ends", ["at once", "with its token"])
async def test_a_key_of_before_ends(
    directory: Directory, provisioning: Provisioning, ends: str
) -> None:
    _, old = await provisioning.create_token(name="mine")
    _, new, _ = await provisioning.rotate_token("mine", overlap=timedelta(hours=1))
    for key in (old, new):
        assert await directory.authenticate(key) is not None

    if ends == "at once":
        await provisioning.rotate_token("mine", overlap=timedelta())
    else:
        await provisioning.revoke_token("mine")
    await directory.refresh()

    for key in (old, new):
        assert directory.known(key) is None
        assert await directory.authenticate(key) is None


async def test_the_tokens_of_a_deleted_account_are_unknown_after_a_refresh(
    directory: Directory, provisioning: Provisioning
) -> None:
    await provisioning.create_account("team")
    _, key = await provisioning.create_token(name="mine", account="team")
    _, other = await provisioning.create_token(name="other")
    for one in (key, other):
        assert await directory.authenticate(one) is not None

    await provisioning.delete_account("team")
    await directory.refresh()

    assert directory.known(key) is None
    assert await directory.authenticate(key) is None
    assert directory.known(other) is not None


async def test_every_member_of_a_changed_channel_is_in_force_after_a_refresh(
    directory: Directory, provisioning: Provisioning
) -> None:
    made = await provisioning.add_channel(
        NewChannel(name="one", provider="kling", key=KEYS["kling"])
    )
    await directory.refresh()

    changed = await provisioning.change_channel(
        "one", {"name": "two", "base_url": "http://new.test", "weight": 9, "priority": -1}
    )
    await directory.refresh()

    assert await directory.channel(made.id) == changed
    assert (await directory.access(changed.credential_id)).base_url == "http://new.test"
    assert (await directory.access(made.credential_id)).base_url == made.base_url
