"""Accounts and tokens on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Uuid, bindparam, text

from vidgate.db.accounts import AccountStore
from vidgate.db.clock import DatabaseClock
from vidgate.db.engine import Database, Statement
from vidgate.models.accounts import Account, Caller, Sees, Sight
from vidgate.models.ids import new_id


@pytest.fixture
def store(database: Database) -> AccountStore:
    return AccountStore(database)


@pytest.fixture
async def account(store: AccountStore) -> Account:
    account = await store.create_account("mine")
    assert account is not None
    return account


async def test_a_name_is_taken_once(store: AccountStore) -> None:
    made = await asyncio.gather(*(store.create_account("mine") for _ in range(8)))

    assert len([one for one in made if one is not None]) == 1
    assert [one.name for one in await store.accounts()] == ["mine"]
    assert await store.account_named("Mine") is None


async def test_a_token_is_found_by_its_hash_alone(store: AccountStore, account: Account) -> None:
    expires_at = datetime(2031, 1, 1, tzinfo=UTC)
    made = await store.create_token(
        account_id=account.id,
        name="t",
        key_hash=b"h" * 32,
        models=["kling-*"],
        expires_at=expires_at,
    )

    assert made is not None
    assert await store.token_by_hash(b"h" * 32) == (made, None)
    assert await store.token_by_hash(b"H" * 32) is None
    assert (made.models, made.expires_at, made.revoked) == (("kling-*",), expires_at, False)


async def test_the_same_key_is_stored_once(store: AccountStore, account: Account) -> None:
    made = await asyncio.gather(
        *(
            store.create_token(account_id=account.id, name=f"t{number}", key_hash=b"h" * 32)
            for number in range(8)
        )
    )

    assert len([one for one in made if one is not None]) == 1
    assert len(await store.tokens()) == 1


async def test_a_revoked_token_stays_revoked(store: AccountStore, account: Account) -> None:
    made = await store.create_token(account_id=account.id, name="t", key_hash=b"h" * 32)
    assert made is not None

    first = await store.revoke_token(made.id)
    second = await store.revoke_token(made.id)

    assert first is not None
    assert first.revoked
    assert second == first
    assert await store.revoke_token(new_id()) is None
    found = await store.token_by_hash(b"h" * 32)
    assert found is not None
    assert found[0].revoked


async def test_what_changed_lately_is_told(
    store: AccountStore, account: Account, database: Database
) -> None:
    clock = DatabaseClock()
    await clock.sync(database)
    made = await store.create_token(account_id=account.id, name="t", key_hash=b"h" * 32)
    assert made is not None
    await store.revoke_token(made.id)

    changed = await store.changed_tokens(clock.now() - timedelta(seconds=10))
    later = await store.changed_tokens(clock.now() + timedelta(seconds=10))

    assert [(key_hash, token.revoked) for key_hash, token in changed] == [(b"h" * 32, True)]
    assert later == []


async def test_a_token_of_before_sees_its_account(
    store: AccountStore, account: Account, database: Database
) -> None:
    old = Statement(
        text(
            "INSERT INTO tokens (id, account_id, name, key_hash) VALUES (:id, :account, 't', 'h')"
        ).bindparams(bindparam("id", type_=Uuid), bindparam("account", type_=Uuid))
    )
    await database.execute(old, id=new_id(), account=account.id)
    made = await store.create_token(account_id=account.id, name="t", key_hash=b"k")

    assert [token.sees for token in await store.tokens()] == [Sees.ACCOUNT, Sees.OWN]
    assert made is not None
    assert Caller(made).sight == Sight(account.id, made.id)


async def test_a_key_of_before_works_for_a_while(store: AccountStore, account: Account) -> None:
    made = await store.create_token(account_id=account.id, name="t", key_hash=b"1")
    assert made is not None
    hour = timedelta(hours=1)

    rotated = await store.rotate_key(made.id, b"2", overlap=hour)

    assert rotated is not None
    assert rotated[0] == made
    assert await store.token_by_hash(b"1") == (made, rotated[1])
    assert await store.token_by_hash(b"2") == (made, None)
    # Those before end no later than the last one.
    again = await store.rotate_key(made.id, b"3", overlap=timedelta(minutes=1))
    assert again is not None
    found = [await store.token_by_hash(key) for key in (b"1", b"2")]
    assert [one[1] for one in found if one is not None] == [again[1], again[1]]
    await store.rotate_key(made.id, b"4", overlap=timedelta())
    assert [await store.token_by_hash(key) for key in (b"1", b"2", b"3")] == [None] * 3
    assert await store.token_by_hash(b"4") == (made, None)


async def test_a_key_of_before_makes_no_token(store: AccountStore, account: Account) -> None:
    made = await store.create_token(account_id=account.id, name="t", key_hash=b"1")
    assert made is not None
    await store.rotate_key(made.id, b"2", overlap=timedelta())

    # As the one in the environment, at every start.
    assert await store.create_token(account_id=account.id, name="t", key_hash=b"1") is None
    assert await store.token_by_hash(b"1") is None


async def test_a_revoked_token_gets_no_key(store: AccountStore, account: Account) -> None:
    made = await store.create_token(account_id=account.id, name="t", key_hash=b"1")
    assert made is not None
    await store.rotate_key(made.id, b"2", overlap=timedelta(hours=1))
    await store.revoke_token(made.id)

    assert await store.rotate_key(made.id, b"3", overlap=timedelta()) is None
    assert await store.rotate_key(new_id(), b"3", overlap=timedelta()) is None
    found = [await store.token_by_hash(key) for key in (b"1", b"2")]
    assert all(one is not None and one[0].revoked for one in found)


async def test_uses_are_noted_once_in_a_while_by_all_processes(
    store: AccountStore, account: Account
) -> None:
    made = [
        await store.create_token(account_id=account.id, name="t", key_hash=key)
        for key in (b"1", b"2", b"3")
    ]
    ids = [one.id for one in made if one is not None]
    minute = timedelta(minutes=1)

    await asyncio.gather(
        *(store.note_uses(part, minute) for part in (ids[:2], ids[1::-1], ids[:1]))
    )
    first = await store.uses()
    await store.note_uses(ids[:2], minute)

    assert first.keys() == set(ids[:2])
    assert await store.uses() == first
    await store.note_uses(ids[:1], timedelta())
    later = await store.uses()
    assert later[ids[0]] > first[ids[0]]
    assert later[ids[1]] == first[ids[1]]
