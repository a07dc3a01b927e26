"""The neutral types: what they show, and what they say of themselves."""

import pytest
from pydantic import SecretStr

from vidgate.models.accounts import Token
from vidgate.models.channels import Channel, ChannelAccess
from vidgate.models.ids import new_id
from vidgate.models.outcomes import FaultKind, Remedy
from vidgate.models.requests import Image
from vidgate.models.tasks import TaskStatus


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_has_a_remedy(kind: FaultKind) -> None:
    assert kind.remedy in Remedy


def test_what_is_final() -> None:
    final = {status for status in TaskStatus if status.is_final}

    assert final == {TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED}


def test_secrets_and_pictures_do_not_show() -> None:
    access = ChannelAccess("https://api.example", SecretStr("my-key"))
    image = Image(content=b"my picture", media_type="image/png")

    assert "my-key" not in f"{access} {access!r}"
    assert "picture" not in f"{image} {image!r}"


@pytest.mark.parametrize(
    ("models", "model", "permitted"),
    [
        ((), "anything", True),
        (("kling-*",), "kling-v3", True),
        (("kling-*",), "Kling-v3", False),
        (("kling-v3",), "kling-v3-omni", False),
        (("vidu?2",), "viduq2", True),
        (("*",), "", True),
        (("kling-v3",), "", False),
    ],
)
def test_a_token_permits_by_pattern(
    models: tuple[str, ...], model: str, *, permitted: bool
) -> None:
    token = Token(id=new_id(), account_id=new_id(), name="t", models=models)

    assert token.permits(model) is permitted


def test_a_channel_lists_its_patterns_and_the_origins_of_its_mapping() -> None:
    channel = Channel(
        id=new_id(),
        name="c",
        provider="kling",
        base_url="",
        credential_id=new_id(),
        models=("kling-v3*",),
        model_map={"boats": "kling-v2-6"},
    )

    listed = {model: channel.lists(model) for model in ("kling-v3-omni", "boats", "kling-v2-6")}

    assert listed == {"kling-v3-omni": True, "boats": True, "kling-v2-6": False}
