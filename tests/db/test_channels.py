"""Channels and credentials on a real database."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from vidgate.db.acts import ActStore
from vidgate.db.channels import ChannelStore
from vidgate.db.clock import DatabaseClock
from vidgate.db.engine import Database, UniqueViolation
from vidgate.models.acts import Author
from vidgate.models.channels import Channel, OnUnknown
from vidgate.models.ids import new_id, public_id


@pytest.fixture
def store(database: Database) -> ChannelStore:
    return ChannelStore(database)


def channel(name: str = "one") -> Channel:
    return Channel(
        id=new_id(),
        name=name,
        provider="kling",
        base_url="http://kling.test",
        credential_id=new_id(),
        models=("kling-*", "special"),
        model_map={"boats": "kling-v2-6"},
        priority=-3,
        weight=7,
        max_concurrency=2,
        on_unknown=OnUnknown.RESUBMIT,
    )


def keep(before: Channel) -> Channel:
    return before


async def remove(store: ChannelStore, made: Channel) -> Channel | None:
    return await store.change(
        made.id,
        lambda before: replace(before, removed=True, enabled=False),
        act="channel.delete",
    )


async def test_a_channel_comes_back_as_it_was(store: ChannelStore) -> None:
    new = channel()

    made = await store.create(new, b"secret")

    assert made is not None
    assert replace(made, created_at=None) == new
    assert await store.named("one") == made
    assert await store.all() == [made]
    assert await store.credential(new.credential_id) == ("http://kling.test", b"secret")


async def test_a_name_is_taken_once_and_no_secret_is_left_behind(store: ChannelStore) -> None:
    new = [channel() for _ in range(8)]

    made = await asyncio.gather(*(store.create(one, b"secret") for one in new))

    [kept] = [one for one in made if one is not None]
    stored = [one.id for one in new if await store.credential(one.credential_id)]
    assert stored == [kept.id]


async def test_a_removed_channel_frees_its_name_and_keeps_its_secret(store: ChannelStore) -> None:
    old = await store.create(channel(), b"secret")
    assert old is not None

    removed = await remove(store, old)
    again = await store.create(channel(), b"other")

    assert removed is not None
    assert removed.removed
    assert not removed.enabled
    assert again is not None
    assert await store.all() == [again]
    assert {one.id for one in await store.every()} == {old.id, again.id}
    assert await store.credential(old.credential_id) == ("http://kling.test", b"secret")


async def test_what_is_not_there_cannot_be_changed(store: ChannelStore) -> None:
    made = await store.create(channel(), b"secret")
    assert made is not None
    await remove(store, made)

    assert await store.change(made.id, keep, act="channel.set") is None
    assert await remove(store, made) is None
    assert await store.change(made.id, keep, secret=b"other", act="channel.set") is None
    assert await store.here(made.id) is None
    [found] = await store.every()
    assert found.removed
    assert found.credential_id == made.credential_id


async def test_a_new_credential_leaves_the_old_one(store: ChannelStore) -> None:
    made = await store.create(channel(), b"first")
    assert made is not None

    changed = await store.change(made.id, keep, secret=b"second", act="channel.set")

    assert changed is not None
    assert changed.credential_id != made.credential_id
    assert await store.credential(made.credential_id) == ("http://kling.test", b"first")
    assert await store.credential(changed.credential_id) == ("http://kling.test", b"second")
    assert await store.credential(new_id()) is None


async def test_another_base_url_is_another_credential_with_the_same_key(
    store: ChannelStore,
) -> None:
    made = await store.create(channel(), b"first")
    assert made is not None

    changed = await store.change(
        made.id, lambda before: replace(before, base_url="http://new.test"), act="channel.set"
    )

    assert changed is not None
    assert await store.named("one") == changed
    assert await store.credential(made.credential_id) == ("http://kling.test", b"first")
    assert await store.credential(changed.credential_id) == ("http://new.test", b"first")


async def test_a_name_that_is_taken_changes_nothing(store: ChannelStore) -> None:
    one = await store.create(channel("one"), b"1")
    two = await store.create(channel("two"), b"2")
    assert two is not None

    with pytest.raises(UniqueViolation):
        await store.change(two.id, lambda before: replace(before, name="one"), act="channel.set")

    assert await store.all() == [one, two]


async def test_every_change_is_written_down_with_it(
    store: ChannelStore, database: Database
) -> None:
    author = Author(actor="ann", origin="here", reason="too slow")
    made = await store.create(replace(channel(), proxy=b"1"), b"secret", author)
    assert made is not None
    changes: list[Callable[[Channel], Channel]] = [
        lambda before: replace(before, priority=5, proxy=b"2", on_unknown=OnUnknown.FAIL),
        keep,
        lambda before: replace(before, proxy=None, models=()),
    ]
    for change in changes:
        await store.change(made.id, change, act="channel.set", author=author)

    created, first, second = await ActStore(database).of(public_id("chn_", made.id))

    assert created.author == author
    assert created.name == "channel.create"
    assert created.before is None
    assert created.after is not None
    assert created.after["proxy"] == "set"
    assert created.at is not None
    assert first.before == {"priority": -3, "proxy": "set", "on_unknown": "resubmit"}
    assert first.after == {"priority": 5, "proxy": "changed", "on_unknown": "fail"}
    assert second.before == {"proxy": "set", "models": ["kling-*", "special"]}
    assert second.after == {"proxy": None, "models": []}


async def test_what_changed_lately_is_told(store: ChannelStore, database: Database) -> None:
    clock = DatabaseClock()
    await clock.sync(database)
    made = await store.create(channel(), b"secret")
    assert made is not None
    await remove(store, made)

    [changed] = await store.changed(clock.now() - timedelta(seconds=10))

    assert changed.removed
    assert await store.changed(clock.now() + timedelta(seconds=10)) == []


async def test_secrets_are_rewritten_all_or_none(store: ChannelStore) -> None:
    one = await store.create(channel("one"), b"1")
    two = await store.create(channel("two"), b"2")
    assert one is not None
    assert two is not None
    await store.claim_fingerprint("old")

    def rewrite(_table: str, secret: bytes) -> bytes:
        if secret == b"2":
            raise ValueError("cannot be read")
        return b"new"

    with pytest.raises(ValueError, match="cannot be read"):
        await store.rewrite_secrets(rewrite, fingerprint="new")

    assert await store.credential(one.credential_id) == ("http://kling.test", b"1")
    assert await store.claim_fingerprint("another") == "old"
    rewritten = await store.rewrite_secrets(lambda _, secret: b"x" + secret, fingerprint="new")
    assert rewritten == 2
    assert await store.credential(two.credential_id) == ("http://kling.test", b"x2")
    assert await store.claim_fingerprint("another") == "new"


async def test_the_first_fingerprint_stays(store: ChannelStore) -> None:
    noted = await asyncio.gather(*(store.claim_fingerprint(f"f{number}") for number in range(8)))

    assert len(set(noted)) == 1
