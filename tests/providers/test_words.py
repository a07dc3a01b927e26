"""Words that clients use for every provider mean the same at each, or are named, or refused."""

from typing import Any

import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, Translation
from vidgate.providers.jimeng import Jimeng
from vidgate.providers.kling import Kling
from vidgate.providers.openai_compatible import OpenAICompatible
from vidgate.providers.seedance import Seedance
from vidgate.providers.vidu import Vidu
from vidgate.providers.words import WORDS, wanted_action

PROVIDERS = {
    "jimeng": Jimeng(),
    "kling": Kling(),
    "vidu": Vidu(),
    "compatible": OpenAICompatible(),
    "seedance": Seedance(),
}
FIRST, LAST = Image(url="https://a.test/a.png"), Image(url="https://a.test/b.png")
MODELS = {
    "kling-v3": "kling",
    "kling-v2-6": "kling",
    "kling-v3-omni": "kling",
    "kling-3.0": "kling",
    "kling-9.0": "kling",
    "viduq3-pro": "vidu",
    "viduq2": "vidu",
    "viduq9": "vidu",
    "jimeng_v30": "jimeng",
    "jimeng_v30_1080p": "jimeng",
    "jimeng_t2v_v30": "jimeng",
    "jimeng_new_key": "jimeng",
    "any": "compatible",
    "dreamina-seedance-2-0": "seedance",
    "seedance-1-0-pro": "seedance",
}
VALUES: dict[str, tuple[Any, ...]] = {
    "resolution": ("1080p", "1080P", "720p"),
    "aspect_ratio": ("9:16",),
    "ratio": ("9:16",),
    "audio": (True, False),
    "generate_audio": (True, False, "true"),
    "sound": ("on", "off", True, False),
    "mode": ("pro",),
    "negative_prompt": ("blur",),
    "watermark": (True, False),
}


FOREIGN = {"ratio", "generate_audio"}


def translate(
    model: str, images: tuple[Image, ...] = (), last_frame: str = "", **fields: Any
) -> Translation:
    metadata = fields.pop("metadata", {})
    request = VideoRequest(
        model=model,
        prompt="a cat",
        images=images,
        last_frame=last_frame,
        metadata=metadata,
        **fields,
    )
    return PROVIDERS[MODELS.get(model) or model.partition("-")[0]].translate(request)


def leaves(value: Any) -> set[Any]:
    if isinstance(value, dict):
        return {leaf for one in value.values() for leaf in leaves(one)}
    if isinstance(value, list):
        return {leaf for one in value for leaf in leaves(one)}
    return {value}


@pytest.mark.parametrize(
    ("model", "word", "value"),
    [(model, word, value) for model in MODELS for word in WORDS for value in VALUES[word]],
)
def test_a_word_is_honoured_named_or_refused(model: str, word: str, value: Any) -> None:
    try:
        told = translate(model, metadata={word: value})
    except UnsupportedParameterError as error:
        assert error.param == word  # noqa: PT017 - it may be met as well
        return

    plain = translate(model)
    is_honoured = (told.body, told.facts) != (plain.body, plain.facts)
    asks_for_nothing = value in (False, "off", "720p")
    asks_for_nothing |= str(value).lower() == plain.facts.resolution
    asks_for_nothing |= model == "dreamina-seedance-2-0" and value in (True, "on", "true")
    assert is_honoured or word in told.ignored or asks_for_nothing
    if is_honoured and word in told.unknown:
        assert MODELS[model] == "compatible" or model in {"viduq9", "jimeng_new_key"}
    if MODELS[model] != "seedance":  # whose own words these are
        assert word not in told.body or word not in FOREIGN or word in told.unknown


@pytest.mark.parametrize(
    ("model", "metadata", "field", "value"),
    [
        ("kling-v3", {"ratio": "9:16"}, "aspect_ratio", "9:16"),
        ("kling-v3", {"generate_audio": True}, "sound", "on"),
        ("kling-v3", {"audio": False}, "sound", "off"),
        ("kling-v3", {"sound": True}, "sound", "on"),
        ("kling-v3", {"resolution": "1080P"}, "mode", "pro"),
        ("kling-v3", {"resolution": "2160p"}, "mode", "4k"),
        ("kling-v3", {"watermark": True}, "watermark_info", {"enabled": True}),
        ("kling-v3", {"negative_prompt": "blur"}, "negative_prompt", "blur"),
        ("kling-3.0", {"generate_audio": True}, "settings", {"audio": "native"}),
        ("kling-3.0", {"resolution": "4K", "ratio": "1:1"}, "settings",
         {"resolution": "4k", "aspect_ratio": "1:1"}),
        ("kling-3.0", {"watermark": False}, "options", {"watermark_info": {"enabled": False}}),
        ("viduq3-pro", {"ratio": "9:16"}, "aspect_ratio", "9:16"),
        ("viduq3-pro", {"sound": "off"}, "audio", False),
        ("viduq3-pro", {"generate_audio": "true"}, "audio", True),
        ("viduq3-pro", {"resolution": "1080P"}, "resolution", "1080p"),
        ("jimeng_v30", {"ratio": "9:16"}, "aspect_ratio", "9:16"),
        ("any", {"ratio": "9:16"}, "aspect_ratio", "9:16"),
        ("any", {"sound": "on"}, "sound", "on"),
    ],
)  # fmt: skip
def test_a_word_is_written_in_the_providers_own_field(
    model: str, metadata: dict[str, Any], field: str, value: Any
) -> None:
    assert translate(model, metadata=metadata).body[field] == value


@pytest.mark.parametrize(
    ("model", "metadata", "key", "tier"),
    [
        ("jimeng_v30", {"resolution": "1080p"}, "jimeng_t2v_v30_1080p", "1080p"),
        ("jimeng_v30", {"resolution": "1080P"}, "jimeng_t2v_v30_1080p", "1080p"),
        ("jimeng_v30", {"resolution": "720p"}, "jimeng_t2v_v30", "720p"),
        ("jimeng_v30", {}, "jimeng_t2v_v30", "720p"),
        ("jimeng_v30_1080p", {"resolution": "720p"}, "jimeng_t2v_v30_1080p", "1080p"),
    ],
)
def test_a_resolution_chooses_jimengs_key(
    model: str, metadata: dict[str, Any], key: str, tier: str
) -> None:
    request = VideoRequest(model=model, prompt="p", metadata=metadata)

    told = PROVIDERS["jimeng"].translate(request)

    assert (told.body["req_key"], told.facts.model, told.facts.resolution) == (key, key, tier)
    assert "resolution" not in told.body
    asked = PROVIDERS["jimeng"].effective_model(request)  # which is permitted and routed
    assert key in PROVIDERS["jimeng"].family(asked)
    is_raised = metadata.get("resolution") == "720p" and tier == "1080p"
    assert told.adjusted == (("resolution=1080p",) if is_raised else ())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["last_frame", "end_image", "tail_image_url"])
def test_a_last_frame_ends_the_video_or_is_refused_by_name(model: str, name: str) -> None:
    try:
        told = translate(model, images=(FIRST, LAST), last_frame=name)
    except UnsupportedParameterError as error:
        assert error.param == name  # noqa: PT017 - it may be met as well
        assert model in {"viduq2", "jimeng_t2v_v30"}
        return

    assert {FIRST.url, LAST.url} <= leaves(told.body)
    assert "references" not in told.details.values()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "metadata",
    [
        {"ratio": "16:9", "aspect_ratio": "9:16"},
        {"audio": True, "generate_audio": False},
        {"sound": "on", "audio": False},
    ],
    ids=repr,
)
def test_words_that_differ_are_refused(model: str, metadata: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        translate(model, metadata=metadata)

    assert caught.value.param in metadata


@pytest.mark.parametrize("model", MODELS)
def test_a_size_and_a_resolution_that_disagree_are_refused(model: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        translate(model, width=1280, height=720, metadata={"resolution": "1080p"})
    assert caught.value.param == "resolution"

    with pytest.raises(UnsupportedParameterError):
        translate(model, tier="720p", metadata={"resolution": "1080p"})


@pytest.mark.parametrize(
    ("model", "tier", "resolution"),
    [
        ("kling-v3", "1080p", "1080p"),
        ("kling-3.0", "4k", "4k"),
        ("viduq3-pro", "1080p", "1080p"),
        ("jimeng_v30", "1080p", "1080p"),
        ("any", "1080p", "1080p"),
    ],
)
def test_a_size_may_be_a_tier(model: str, tier: str, resolution: str) -> None:
    assert translate(model, tier=tier).facts.resolution == resolution


@pytest.mark.parametrize("model", MODELS)
def test_what_no_documentation_has_is_named(model: str) -> None:
    ours = {"payload": "p", "external_task_id": "e"}
    told = translate(model, metadata={"foo": {"bar": 1}, "gone": None, **ours})

    assert told.unknown == ("foo",)


@pytest.mark.parametrize(
    ("model", "metadata"),
    [
        ("kling-v3", {"cfg_scale": 0.5, "negative_prompt": "blur", "mode": "pro"}),
        ("kling-3.0", {"settings": {"audio": "native"}, "options": {"watermark_info": {}}}),
        ("viduq2", {"bgm": True, "movement_amplitude": "auto", "wm_url": "u", "meta_data": "{}"}),
        ("jimeng_v30", {"frames": 121, "seed": 5, "req_key": "jimeng_t2v_v30"}),
        ("any", {"seed": 5, "response_format": "url"}),
    ],
)
def test_what_is_documented_is_not_unknown(model: str, metadata: dict[str, Any]) -> None:
    assert translate(model, metadata=metadata).unknown == ()


def test_a_vendors_own_body_keeps_the_vendors_meaning() -> None:
    request = VideoRequest(
        model="viduq2",
        metadata={"action": "text2video", "prompt": "a cat", "mode": "pro", "ratio": "1:1"},
        vendor_format="vidu",
    )

    told = PROVIDERS["vidu"].translate(request)

    assert (told.body["mode"], told.body["ratio"]) == ("pro", "1:1")
    assert told.unknown == ("mode", "ratio")


@pytest.mark.parametrize(
    ("said", "action"),
    [
        ({}, None),
        ({"action": ""}, None),
        ({"action": "textGenerate"}, Action.TEXT),
        ({"action": "referenceGenerate"}, Action.REFERENCES),
        ({"action": "edit"}, Action.EDIT),
    ],
)
def test_an_action_has_new_apis_name_and_ours(said: dict[str, Any], action: Action | None) -> None:
    assert wanted_action(said, [Action.TEXT, Action.EDIT]) == action


@pytest.mark.parametrize("word", ["upscale", "no-such-action", 5, ["edit"]])
def test_an_action_that_is_not_offered_is_refused(word: Any) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        wanted_action({"action": word}, [Action.TEXT, Action.EDIT])

    assert (caught.value.param, caught.value.allowed) == ("action", ("text", "edit"))
