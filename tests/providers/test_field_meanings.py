"""What all providers together say of vendor fields."""

import pytest

from vidgate.constants import EXTERNAL_ID_CHARACTERS
from vidgate.providers.base import Capabilities
from vidgate.providers.field_meanings import FieldMeanings
from vidgate.providers.registry import build_providers

PROVIDERS = build_providers(map_retired_models=True)


def test_the_prompt_of_every_provider() -> None:
    assert FieldMeanings.of(PROVIDERS.values()).prompts >= {
        "prompt",
        "multi_prompt",
        "contents",
        "video_url",
        "video_creation_id",
        "video_id",
        "session_id",
        "template",
        "story",
        "subjects",
    }


def test_what_is_the_clients_own() -> None:
    meanings = FieldMeanings.of(PROVIDERS.values())

    assert meanings.echoes == {"external_task_id": EXTERNAL_ID_CHARACTERS, "payload": None}
    assert meanings.owns == {"payload", "external_task_id", "callback_url"}
    assert meanings.nested == {"options": ("callback_url", "external_task_id")}


def test_two_providers_with_objects_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_ = PROVIDERS.values()
    for provider, echoes in ((first, {"b", "a"}), (second, {"c"})):
        offer = Capabilities(
            title="",
            model_patterns=(),
            base_url="",
            credential_form="",
            echo_fields=dict.fromkeys(echoes),
            own_fields_in=("extra",),
        )
        monkeypatch.setattr(type(provider), "capabilities", offer)

    meanings = FieldMeanings.of([first, second])

    assert meanings.nested == {"extra": ("callback_url", "a", "b", "c")}
    assert meanings.prompts == {"prompt"}


def test_no_provider_at_all() -> None:
    meanings = FieldMeanings.of([])

    assert not meanings.prompts
    assert meanings.owns == {"callback_url"}
    assert not meanings.nested
