"""Every row of every adapter's tables, with a value that passes and one that does not.

An adapter joins by having `FORMS` in its module `fields`, and a request for each of them here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.fields import Absent, Form, Items
from vidgate.providers.jimeng.keys import KEYS
from vidgate.providers.registry import PROVIDERS
from vidgate.providers.vidu.endpoints import ENDPOINTS
from vidgate.providers.vidu.models import MODELS

URL = "https://a.example.test/1.jpg"


def vidu(model: str, endpoint: str) -> VideoRequest:
    takes = MODELS[model].actions[ENDPOINTS[endpoint].action]
    needed: dict[str, dict[str, Any]] = {
        "multiframe": {"start_image": URL, "image_settings": [{}, {}]},
        "extend": {"video_url": URL},
        "upscale-new": {"video_url": URL},
        "lip-sync": {"video_url": URL, "text": "hello"},
        "template": {"template": "hug"},
        "template-story": {"story": "pigsy"},
    }
    metadata = {"action": endpoint, **needed.get(endpoint, {})}
    images = (Image(url=URL),) * (0 if endpoint == "multiframe" else takes.images[0])
    return VideoRequest(model=model, prompt="a boat", images=images, metadata=metadata)


def jimeng(name: str, place: str) -> VideoRequest:
    key = KEYS[name]
    most = key.images[1] if place == "picture" else 0
    links: dict[str, Any] = dict.fromkeys({"video_url", "audio_url"} & {*key.needs}, URL)
    words = {name: allowed[0] for name, allowed in key.choices.items()}
    prompt = "a boat" if key.has_prompt else ""
    metadata = {"req_key": name, **links, **words}
    return VideoRequest(
        model=name, prompt=prompt, images=(Image(url=URL),) * most, metadata=metadata
    )


EXAMPLES: Mapping[str, Callable[[str, str], VideoRequest]] = {"vidu": vidu, "jimeng": jimeng}
"""By provider: a request that its adapter takes, for the model and the place of a form."""

BESIDE: Mapping[tuple[str, str, str], Mapping[str, Any]] = {
    ("vidu", "template", "area"): {"template": "exotic_princess"},
    ("vidu", "template", "beast"): {"template": "beast_companion"},
    # Subjects are sent in the place of pictures.
    ("vidu", "reference2video", "subjects"): {"images": []},
}
"""What a field needs beside it, by the provider and the place."""

ADAPTERS = {one.name: one() for one in PROVIDERS}


def forms_of(provider: type) -> Mapping[tuple[str, str], Form]:
    package = provider.__module__.rpartition(".")[0]
    try:
        module = import_module(f"{package}.fields")
    except ModuleNotFoundError:
        return {}
    forms: Mapping[tuple[str, str], Form] = getattr(module, "FORMS", {})
    return forms


FORMS = {(one.name, *key): form for one in PROVIDERS for key, form in forms_of(one).items()}


def rows(form: Form) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The client's word for each field, and the vendor fields with either sample in it."""
    for name, check in form.checks.items():
        good, bad = check.samples
        yield name, {name: good}, {name: bad}
        if isinstance(check, Items):
            for field, one in check.of.items():
                good, bad = ([{field: value}] * check.least for value in one.samples)
                yield f"{name}.{field}", {name: good}, {name: bad}


def is_about_the_rest(error: UnsupportedParameterError, form: Form) -> bool:
    """Whether it is not the value that is refused, but where it stands and beside what."""
    sentences = [rule.says.rpartition("{model}")[2] for rule in form.rules]
    return any(one in error.message for one in (*sentences, "it is a field of"))


@pytest.mark.parametrize("key", FORMS, ids="/".join)
def test_every_row_of_a_form_lets_through_and_refuses(key: tuple[str, str, str]) -> None:
    provider, model, place = key
    form, adapter = FORMS[key], ADAPTERS[provider]
    request = EXAMPLES[provider](model, place)
    adapter.translate(request)

    for name, good, bad in rows(form):
        [field] = good
        beside = {**request.metadata, **BESIDE.get((provider, place, field), {})}
        alone = request.metadata if isinstance(form.checks[field], Absent) else beside
        try:
            adapter.translate(replace(request, metadata={**alone, **good}))
        except UnsupportedParameterError as error:
            assert is_about_the_rest(error, form), name  # noqa: PT017 - it need not be met

        with pytest.raises(UnsupportedParameterError) as caught:
            adapter.translate(replace(request, metadata={**beside, **bad}))
        assert caught.value.param == name
