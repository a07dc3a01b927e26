"""The memory for states: bounded in bytes, for all and for each account."""

from typing import Any
from uuid import UUID

import pytest
from tests.support.api import build_task

from vidgate.constants import VIEW_BASE_BYTES, VIEW_BYTES, VIEW_MOST_BYTES, VIEW_SHARE
from vidgate.models.ids import new_id
from vidgate.services.views.cache import TaskView, ViewCache

KIBIBYTE = 1024


def add(cache: ViewCache, size: int = 0, *, account: int = 1, **members: Any) -> TaskView:
    """Remember a state, with so many bytes of a dialect's."""
    task = build_task(id=new_id(), account_id=UUID(int=account), **members)
    view = TaskView(task, 0)
    cache.put(task.public_id, view)
    if size:
        view.keep("newapi", b"x" * size)
    return view


def has(cache: ViewCache, view: TaskView) -> bool:
    return cache.get(view.snapshot.public_id) is view


def held(cache: ViewCache, account: int = 1) -> int:
    """What one account has, counted anew."""
    return sum(
        VIEW_BASE_BYTES + view.weight + sum(len(piece) for (piece,) in view.encodings.values())
        for view in cache
        if view.snapshot.account_id == UUID(int=account)
    )


def test_one_account_has_a_quarter_and_pushes_out_its_own_oldest() -> None:
    cache = ViewCache()
    other = add(cache, account=2)
    views = [add(cache, 60 * KIBIBYTE) for _ in range(300)]
    share = VIEW_BYTES // VIEW_SHARE

    assert has(cache, other)
    assert share - 64 * KIBIBYTE < held(cache) <= share
    kept = [has(cache, view) for view in views]
    assert kept == sorted(kept)
    assert 200 < sum(kept) < 300


def test_all_accounts_together_stay_within_the_budget() -> None:
    cache = ViewCache()
    views = [add(cache, 60 * KIBIBYTE, account=number % 8) for number in range(1500)]

    assert VIEW_BYTES - 64 * KIBIBYTE < cache.size_bytes <= VIEW_BYTES
    assert cache.size_bytes == sum(held(cache, account) for account in range(8))
    kept = [has(cache, view) for view in views]
    assert kept == sorted(kept)


def test_small_states_are_bounded_by_what_they_take_as_objects() -> None:
    cache = ViewCache()
    for _ in range(VIEW_BYTES // VIEW_SHARE // VIEW_BASE_BYTES + 10):
        add(cache)

    assert held(cache) == cache.size_bytes <= VIEW_BYTES // VIEW_SHARE


@pytest.mark.parametrize("dialects", [1, 2, 3])
def test_a_state_is_forgotten_when_its_bytes_in_all_dialects_are_too_many(dialects: int) -> None:
    cache = ViewCache()
    view = add(cache)
    for number in range(dialects):
        view.keep(f"dialect {number}", b"x" * (VIEW_MOST_BYTES // dialects))
    assert has(cache, view)

    assert view.keep("one more", b"{}") == (b"{}",)
    assert not has(cache, view)
    assert cache.size_bytes == 0


@pytest.mark.parametrize(
    "members",
    [
        {"echo": {"payload": "p" * VIEW_MOST_BYTES}},
        {"asked": {"prompt": "p" * VIEW_MOST_BYTES}},
        {"echo": {"request": [{}] * VIEW_MOST_BYTES}},
    ],
)
def test_a_large_state_is_not_kept_and_makes_the_older_one_forgotten(
    members: dict[str, Any],
) -> None:
    cache = ViewCache()
    older = add(cache)
    task = build_task(id=older.snapshot.id, **members)
    cache.put(task.public_id, TaskView(task, 0))

    assert cache.get(task.public_id) is None
    assert cache.size_bytes == 0


def test_a_state_that_was_replaced_counts_no_more() -> None:
    cache = ViewCache()
    older = add(cache, 1000)
    newer = TaskView(build_task(id=older.snapshot.id), 0)
    cache.put(newer.snapshot.public_id, newer)
    size = cache.size_bytes

    older.keep("openai", b"x" * 1000)

    assert has(cache, newer)
    assert cache.size_bytes == size == held(cache)
    cache.drop(newer.snapshot.public_id)
    cache.drop("task_unknown")
    assert cache.size_bytes == 0
    add(cache, 1000)
    cache.clear()
    assert (cache.size_bytes, list(cache)) == (0, [])
