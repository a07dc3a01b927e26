"""Errors and warnings name a field as the client did, whichever provider judges it."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.api import FIELD_MEANINGS

from vidgate.api.dialects.newapi.reading import read_request
from vidgate.api.dialects.openai.reading import read_create
from vidgate.api.forms import Form
from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Translation
from vidgate.providers.registry import build_providers
from vidgate.services.attempts.warnings import warnings_of

PROVIDERS = build_providers(map_retired_models=True)
MODELS = {"kling": "kling-v2-6", "jimeng": "jimeng_ti2v_v30_pro", "vidu": "viduq2"}
"""One of each provider that knows how long its videos may be, and of how many pictures."""

URLS = [f"https://a.test/{number}.png" for number in range(9)]


def by_newapi(fields: dict[str, Any]) -> VideoRequest:
    return read_request(Form(fields), meanings=FIELD_MEANINGS).request


def by_openai(fields: dict[str, Any]) -> VideoRequest:
    return read_create(Form(fields), meanings=FIELD_MEANINGS).request


DIALECTS = pytest.mark.parametrize("read", [by_newapi, by_openai])


def translate(provider: str, request: VideoRequest) -> Translation:
    return PROVIDERS[provider].translate(request)


def refused(provider: str, request: VideoRequest) -> UnsupportedParameterError:
    with pytest.raises(UnsupportedParameterError) as caught:
        translate(provider, request)
    return caught.value


@DIALECTS
@pytest.mark.parametrize("name", ["duration", "seconds"])
@pytest.mark.parametrize("seconds", [0, 777, 7.5])
@pytest.mark.parametrize("provider", MODELS)
def test_a_duration(
    read: Callable[[dict[str, Any]], VideoRequest], provider: str, name: str, seconds: float
) -> None:
    request = read({"model": MODELS[provider], "prompt": "a boat", name: seconds})

    assert refused(provider, request).param == name


@pytest.mark.parametrize("seconds", [777, 7.5])
@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("jimeng", "jimeng_ti2v_v30_pro"),
        ("jimeng", "jimeng_t2v_v30"),
        ("jimeng", "jimeng_vgfm_t2v_l20"),
        ("vidu", "viduq2"),
        ("vidu", "viduq1"),
    ],
)
def test_a_duration_is_told_with_the_model_and_what_it_takes(
    provider: str, model: str, seconds: float
) -> None:
    request = by_openai({"model": model, "prompt": "a boat", "seconds": seconds})

    error = refused(provider, request)

    assert f"The model {model} " in error.message
    assert f" {seconds:g} " in error.message
    assert "Allowed: " in error.message
    assert "5" in error.message.partition("Allowed: ")[2].rstrip(".").split(", ")


@DIALECTS
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", URLS),
        ("images", URLS),
        ("input_reference", URLS),
        ("input_reference", [{"image_url": url} for url in URLS]),
    ],
)
@pytest.mark.parametrize("provider", MODELS)
def test_pictures(
    read: Callable[[dict[str, Any]], VideoRequest], provider: str, name: str, value: Any
) -> None:
    request = read({"model": MODELS[provider], "prompt": "a boat", name: value})

    assert refused(provider, request).param == name


TIERED = {**MODELS, "seedance": "seedance-1-0-pro"}


@DIALECTS
@pytest.mark.parametrize(
    "fields",
    [
        {"size": "2K"},
        {"size": "4K"},
        {"size": "3840x2160"},
        {"resolution": "4k"},
        {"resolution": "4320p"},
        {"metadata": {"resolution": "4k"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("provider", TIERED)
def test_a_resolution(
    read: Callable[[dict[str, Any]], VideoRequest], provider: str, fields: dict[str, Any]
) -> None:
    request = read({"model": TIERED[provider], "prompt": "a boat", **fields})

    error = refused(provider, request)

    [name] = fields.get("metadata", fields)
    assert error.param == name
    assert "1080p" in error.message or provider == "jimeng"


@pytest.mark.parametrize("provider", TIERED)
@pytest.mark.parametrize("tier", ["1080P", "1080p"])
def test_a_tier_is_one_in_any_case(provider: str, tier: str) -> None:
    for fields in ({"size": tier}, {"resolution": tier}, {"metadata": {"resolution": tier}}):
        request = by_newapi({"model": TIERED[provider], "prompt": "a boat", **fields})

        assert translate(provider, request).facts.resolution == "1080p"


@pytest.mark.parametrize("provider", MODELS)
def test_the_first_of_several_fields_stands_for_all_pictures(provider: str) -> None:
    fields = {"image": URLS[0], "input_reference": URLS[1:]}
    request = by_openai({"model": MODELS[provider], "prompt": "a boat", **fields})

    assert refused(provider, request).param == "image"


@pytest.mark.parametrize("name", ["image", "images", "input_reference"])
def test_the_sentence_names_the_picture_as_the_client_did(name: str) -> None:
    gif = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    for provider in ("jimeng", "vidu"):
        request = by_openai({"model": MODELS[provider], "prompt": "a boat", name: gif})
        error = refused(provider, request)
        assert (error.param, f"picture in {name}" in error.message) == (name, True), error.message


@DIALECTS
@pytest.mark.parametrize("name", ["duration", "seconds"])
def test_what_is_ignored(read: Callable[[dict[str, Any]], VideoRequest], name: str) -> None:
    fields = {"model": "kling-motion-control", "prompt": "", name: 5}
    fields |= {"metadata": {"action": "motion", "image_url": URLS[0], "video_url": URLS[1]}}
    fields |= {"model": "kling-v2-6", "character_orientation": "video", "mode": "std"}
    request = read(fields)

    warnings = warnings_of(request, translate("kling", request))

    assert [warning.param for warning in warnings] == [name]
    assert f"no use for {name};" in warnings[0].message


def test_a_vendor_field_of_our_name_keeps_it() -> None:
    fields = {"model": "viduq2", "prompt": "a boat", "seconds": 5, "metadata": {"duration": 777}}

    assert refused("vidu", by_openai(fields)).param == "duration"
