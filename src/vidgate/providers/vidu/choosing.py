"""Which model runs, and at which endpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Action, ActionCapabilities
from vidgate.providers.vidu import endpoints
from vidgate.providers.vidu.endpoints import Endpoint
from vidgate.providers.vidu.models import KEY_FRAMES, MODELS, successor_of
from vidgate.providers.words import NEWAPI_ACTIONS

__all__ = ["Choice", "choose", "model_to_permit"]

_BY_MODEL: Mapping[str, Endpoint] = {
    endpoint.model: endpoint for endpoint in endpoints.ENDPOINTS.values() if endpoint.model
}

# A story is an effect too; what the request carries tells them apart.
_BY_ACTION = {
    endpoint.action: endpoint
    for endpoint in endpoints.ENDPOINTS.values()
    if endpoint != endpoints.STORY
}

_BY_WORD: Mapping[str, Endpoint] = {
    **{word: _BY_ACTION[action] for word, action in NEWAPI_ACTIONS.items()},
    **{action.value: endpoint for action, endpoint in _BY_ACTION.items()},
    **endpoints.ENDPOINTS,
}
"""What `metadata.action` may say: new-api's words, our own, and the endpoints by name."""


_STORY_PICTURES: Mapping[str, tuple[int, int]] = {"one_shot": (3, 10)}
"""The fewest and the most pictures of a story, where they are known."""

_PICTURES_BESIDE_VIDEOS: Mapping[str, int] = {"viduq2-pro": 4}
"""The most reference pictures where there are reference videos too."""

_UNCERTAIN = frozenset({("viduq2-pro-fast", Action.REFERENCES)})
"""What a model may do or not, by the sources; the provider judges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which model runs where.

    Attributes:
        model: The one that runs.
        told: How messages call it.
        capabilities: What it takes here; `None` where the provider judges.
    """

    model: str
    told: str
    endpoint: Endpoint
    capabilities: ActionCapabilities | None


def choose(request: VideoRequest, model: str, *, map_retired_models: bool) -> Choice:
    """Choose by the model, by what the request carries, or as `metadata.action` says.

    Args:
        request: As it came.
        model: The one that is asked for, or runs in place of it.
        map_retired_models: Whether a retired endpoint runs as its successor.

    Raises:
        UnsupportedParameterError: A known model has no such endpoint, or takes another number of
            pictures there; or `metadata.action` says something that does not exist.
    """
    metadata, images = request.metadata, len(request.images)
    told = model
    if model != request.model:
        told = f"{model} (which runs in place of the retired {request.model})"
    word = _told_endpoint(metadata, map_retired_models=map_retired_models)
    endpoint = _endpoint(model, word, metadata, images)
    known = MODELS.get(endpoint.model or model)
    choice = Choice(
        model=endpoint.model or model,
        told=endpoint.model or told,
        endpoint=endpoint,
        capabilities=known.actions.get(endpoint.action) if known else None,
    )
    # Where the sources contradict each other, and the client says so itself, the provider judges.
    is_uncertain = word is not None and (choice.model, endpoint.action) in _UNCERTAIN
    if known is not None and not is_uncertain:
        _check(choice, images, metadata, is_told=word is not None)
    return choice


def model_to_permit(request: VideoRequest) -> str:
    """The model that a request asks for: an endpoint without a model has a name of its own.

    Raises:
        UnsupportedParameterError: `metadata.action` says something that does not exist.
    """
    word = _told_endpoint(request.metadata, map_retired_models=True)
    model = successor_of(request.model)
    endpoint = _endpoint(model, word, request.metadata, len(request.images))
    # The name is the client's own where it is that which means the endpoint, retired or not.
    return request.model if model in _BY_MODEL else endpoint.model or request.model


def _told_endpoint(metadata: Mapping[str, Any], *, map_retired_models: bool) -> Endpoint | None:
    word = metadata.get("action")
    if word is None or word == "":
        return None
    word = word if isinstance(word, str) else ""
    successor = endpoints.RETIRED_ENDPOINTS.get(word)
    if successor is not None and not map_retired_models:
        raise UnsupportedParameterError(
            "action", f"Vidu has retired the endpoint {word}.", allowed=(successor,)
        )
    endpoint = _BY_WORD.get(successor or word)
    if endpoint is None:
        raise UnsupportedParameterError(
            "action", "Vidu has no such action.", allowed=[action.value for action in _BY_ACTION]
        )
    if word == Action.EFFECT and metadata.get("story") and not metadata.get("template"):
        return endpoints.STORY
    return endpoint


def _endpoint(
    model: str, word: Endpoint | None, metadata: Mapping[str, Any], images: int
) -> Endpoint:
    own = _BY_MODEL.get(model)
    if own is not None:
        is_effect = metadata.get("action") == Action.EFFECT and own.action is Action.EFFECT
        if word is not None and word is not own and not is_effect:
            raise UnsupportedParameterError(
                "action", f"{model} does one thing only.", allowed=(own.action.value, own.name)
            )
        return own
    return word or _by_fields(metadata) or _by_pictures(model, metadata, images)


def _by_fields(metadata: Mapping[str, Any]) -> Endpoint | None:
    """Choose by the vendor fields that exist at one endpoint alone."""

    def has(*names: str) -> bool:
        return any(metadata.get(name) for name in names)

    rules = (
        (has("image_settings", "start_image"), endpoints.MULTIFRAME),
        (has("story"), endpoints.STORY),
        (has("template"), endpoints.TEMPLATE),
        (has("upscale_resolution"), endpoints.UPSCALE),
        (has("video_url") and has("audio_url", "text", "ref_photo_url"), endpoints.LIP_SYNC),
        (has("video_creation_id", "video_url"), endpoints.EXTEND),
        (has(*endpoints.REFERENCE_FIELDS), endpoints.REFERENCES),
    )
    return next((endpoint for holds, endpoint in rules if holds), None)


def _by_pictures(model: str, metadata: Mapping[str, Any], images: int) -> Endpoint:
    if "images" in metadata:
        named = metadata["images"]
        images = len(named) if isinstance(named, list) else int(bool(named))
    endpoint = endpoints.MAIN[min(images, len(endpoints.MAIN) - 1)]
    has = MODELS[model].actions if model in MODELS else {}
    lacks_it = endpoint is not endpoints.TEXT and endpoint.action not in has
    return endpoints.REFERENCES if lacks_it and Action.REFERENCES in has else endpoint


# How many pictures


def _check(choice: Choice, images: int, metadata: Mapping[str, Any], *, is_told: bool) -> None:
    """Refuse an endpoint that a known model lacks, or a number of pictures that it does not take.

    Args:
        choice: What was chosen.
        images: How many pictures the generic fields have.
        metadata: The vendor fields.
        is_told: Whether the client chose the endpoint itself, and not by the number of pictures.
    """
    endpoint = choice.endpoint
    is_by_count = endpoint in endpoints.MAIN and not is_told
    if choice.capabilities is None:
        is_generic = not any(map(metadata.get, endpoints.REFERENCE_FIELDS))
        is_generic &= "images" not in metadata
        if is_by_count and is_generic and choice.told == choice.model:
            raise _wrong_number(choice, images)
        takers = (name for name, known in MODELS.items() if endpoint.action in known.actions)
        others = [name for name in takers if name == successor_of(name)]
        raise UnsupportedParameterError(
            "model", f"The model {choice.told} has no {endpoint.name}.", allowed=others
        )
    if endpoint.picture_field == "images" and "images" in metadata:
        named = metadata["images"] or []
        # How many a template takes is not printed; what is not a list is the provider's to judge.
        if endpoint.action is Action.EFFECT or not isinstance(named, list):
            return
        images = len(named)
    own = choice.capabilities.images
    fewest, most = _limits(choice, metadata, own)
    if not fewest <= images <= most:
        is_own = is_by_count and (fewest, most) == own
        raise _wrong_number(choice, images, () if is_own else range(fewest, most + 1))


def _limits(choice: Choice, metadata: Mapping[str, Any], own: tuple[int, int]) -> tuple[int, int]:
    """The fewest and the most pictures beside these vendor fields."""
    fewest, most = own
    match choice.endpoint.name:
        case endpoints.REFERENCES.name if metadata.get("subjects"):
            return 0, 0  # the two forms of the body are not to be mixed
        case endpoints.REFERENCES.name if metadata.get("videos"):
            return 0, _PICTURES_BESIDE_VIDEOS.get(choice.model, most)
        case endpoints.REFERENCES.name:
            return (0 if metadata.get("auto_subjects") else fewest), most
        case endpoints.MULTIFRAME.name:
            first = 0 if "start_image" in metadata else 1
            few, many = (0, 0) if "image_settings" in metadata else KEY_FRAMES
            return first + few, first + many
        case endpoints.STORY.name:
            story = metadata.get("story")
            return _STORY_PICTURES.get(story, own) if isinstance(story, str) else own
        case _:
            return own


def _wrong_number(
    choice: Choice, images: int, allowed: Iterable[int] = ()
) -> UnsupportedParameterError:
    """Say how many pictures are taken, if nothing is given at all endpoints that go by them."""
    has = MODELS[choice.model].actions
    takes = [has[one.action].images for one in endpoints.MAIN if one.action in has]
    every = {n for fewest, most in takes for n in range(fewest, most + 1)}
    return UnsupportedParameterError(
        "images",
        f"The model {choice.told} makes no video from {images} images here.",
        allowed=[*allowed] or sorted(every),
    )
