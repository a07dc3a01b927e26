"""A field that a provider refuses is named as the client named it."""

from typing import Any

import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Reply, Upstream

from vidgate.exceptions import RefusedParameterError


def vidu(reason: str, field: str) -> Reply:
    told = {"fields": field, "trace_id": "t"}
    message = f"unwanted field: {field}"
    body = {"code": 400, "reason": reason, "message": message, "metadata": told}
    return Reply(body, status=400)


def jimeng(field: str) -> Reply:
    message = f"Invalid Input Parameters: {field}"
    return Reply({"code": 50200, "data": None, "message": message}, status=400)


def openai(field: str) -> Reply:
    error = {"message": "of account 1", "type": "invalid_request_error", "param": field}
    return Reply({"error": {**error, "code": "invalid_value"}}, status=400)


CASES: list[tuple[str, dict[str, Any], Reply, str]] = [
    ("vidu", {"duration_seconds": 5, "names": {"duration": "seconds"}},
     vidu("FieldUnwanted", "duration"), "seconds"),
    ("vidu", {"width": 1280, "height": 720}, vidu("FieldInvalid", "resolution"), "size"),
    ("vidu", {"metadata": {"foo": 1}}, vidu("FieldUnwanted", "foo"), "foo"),
    ("vidu", {"metadata": {"fooBar2": 1}}, vidu("FieldUnwanted", "fooBar2"), "fooBar2"),
    ("vidu", {"metadata": {"duration": 5}}, vidu("FieldInvalid", "duration"), "duration"),
    ("jimeng", {"duration_seconds": 5, "names": {"duration": "seconds"}},
     jimeng("frames"), "seconds"),
    ("jimeng", {"duration_seconds": 5}, jimeng("frames"), "duration"),
    ("jimeng", {"metadata": {"frames": 121}}, jimeng("frames"), "frames"),
    ("openai_compatible", {"duration_seconds": 5}, openai("seconds"), "duration"),
    ("openai_compatible", {"duration_seconds": 5, "names": {"duration": "seconds"}},
     openai("seconds"), "seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "asked", "reply", "field"), CASES)
async def test_a_refused_field_is_named_as_the_client_did(
    engine: Engine, name: str, asked: dict[str, Any], reply: Reply, field: str
) -> None:
    await engine.channel(name)
    Upstream(engine.router, name).on_submit = [reply]

    error = await engine.refused(MODELS[name], **asked)

    assert isinstance(error, RefusedParameterError)
    assert error.param == field
    assert field in error.message
