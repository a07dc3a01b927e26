"""Laying vendor fields over a request."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidgate.providers.merging import merge

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@pytest.mark.parametrize(
    ("body", "over", "merged"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1, 2]}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": 7}, {"a": 7}),
        ({"a": {"b": 1}}, {"a": []}, {"a": []}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": False}, {"a": False}),
        ({"a": 1}, {"a": ""}, {"a": ""}),
        ({}, {"a": {"b": None}}, {"a": {}}),
        ({}, {"a": [None, {"b": None}]}, {"a": [None, {"b": None}]}),
    ],
)
def test_what_becomes_of_it(
    body: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge(body, over) == merged


@given(body=OBJECTS, over=OBJECTS)
def test_neither_is_changed_and_twice_is_once(body: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((body, over))

    merged = merge(body, over)

    assert (body, over) == before
    assert merge(merged, over) == merged
