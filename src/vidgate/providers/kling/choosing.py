"""What a request is for: told by `metadata.action`, by the model, or by what it carries."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Action
from vidgate.providers.kling.bodies import Shape
from vidgate.providers.kling.generations import is_given, objects
from vidgate.providers.kling.models import (
    GONE_FIELDS,
    LEGACY_ROOT,
    PRODUCT_NAMES,
    RETIRED,
    SUCCESSOR,
    TRAITS,
    Product,
    Traits,
    unknown_traits,
)

__all__ = [
    "ACTION",
    "NO_EXTENSION",
    "NO_MULTI_IMAGE",
    "Choice",
    "choose",
    "effective_model",
    "find_traits",
]

ACTION = "action"
"""Our own member of `metadata`, which the vendor never sees."""

_FRAMES = frozenset({Action.FIRST_FRAME, Action.FIRST_LAST_FRAME})
_OMNI = frozenset({Action.TEXT, Action.REFERENCES, Action.EDIT}) | _FRAMES


_Asked: TypeAlias = tuple[Product | None, Collection[Action]]
"""What `metadata.action` asks for; no actions leave it to what is carried."""

_WORDS: Final[Mapping[str, _Asked]] = {
    str(word): (product, actions)
    for product, actions, words in (
        (None, {Action.TEXT}, (Action.TEXT, "text2video", "text-to-video", "textGenerate")),
        (None, {Action.FIRST_FRAME}, (Action.FIRST_FRAME,)),
        (None, {Action.FIRST_LAST_FRAME}, (Action.FIRST_LAST_FRAME, "firstTailGenerate")),
        (None, _FRAMES, ("image2video", "image-to-video", "generate")),
        (None, {Action.REFERENCES}, (Action.REFERENCES, "referenceGenerate")),
        (Product.OMNI, _OMNI, ("omni-video",)),
        (Product.MOTION, (), (Action.MOTION, "motion-control")),
        (Product.AVATAR, (), (Action.AVATAR, "avatar/image2video")),
        (Product.LIP_SYNC, (), (Action.LIP_SYNC, "identify-face", "advanced-lip-sync")),
        (Product.EFFECTS, (), (Action.EFFECT, "effects")),
        (Product.MULTI_ELEMENTS, (), (Action.EDIT, "multi-elements")),
    )
    for word in words
}
"""The words of `Action`, the vendor's endpoints, and what deployed servers call them."""

NO_EXTENSION = (
    "Kling has retired the extension of videos. The nearest is kling-v3-omni with the video in "
    "`video_list`."
)
_NO_OLD_LIP_SYNC = (
    "Kling has superseded its lip-sync in one step. Use the action `lip_sync`: a video as "
    "`video_url` and a sound as `sound_file` or `audio_id`."
)
NO_MULTI_IMAGE = (
    "Kling has retired multi-image2video. kling-v3-omni and kling-video-o1 take several pictures."
)
_RETIRED_WORDS: Final = {
    "multi-image2video": NO_MULTI_IMAGE,
    "video-extend": NO_EXTENSION,
    Action.EXTEND.value: NO_EXTENSION,
    "lip-sync": _NO_OLD_LIP_SYNC,
}

_PRODUCT_OF_NAME: Final = {name: product for product, name in PRODUCT_NAMES.items()}

_PATH_MODEL = re.compile(r"kling-[0-9]+\.[0-9]+[a-z0-9-]*")
"""Names with a dot are those of the new generation, also of models to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a request is for.

    Attributes:
        traits: What is known of the model that runs.
        product: It decides the shape of the body.
        actions: Those that were asked for; none where nobody asked.
        path: The one that the request was written for, in the vendor's own words and in nothing
            else: its body goes there as it is. `None` for every other request.
    """

    traits: Traits
    product: Product
    actions: Collection[Action] = ()
    path: str | None = None

    @property
    def shape(self) -> Shape:
        """The shape of the body."""
        return Shape(self.product, self.traits.is_path_model)

    @property
    def as_frames(self) -> bool:
        """Whether pictures for an omni model are frames, because the request says so."""
        return bool(self.actions) and _FRAMES.issuperset(self.actions)


def effective_model(request: VideoRequest) -> str:
    """The model, or our name of the product without models that the request is for."""
    product, _ = _product(request.model, request.metadata, request.metadata)
    return request.model if product is None else PRODUCT_NAMES.get(product, request.model)


def choose(request: VideoRequest, over: Mapping[str, Any], *, map_retired_models: bool) -> Choice:
    """Find what a request is for.

    Raises:
        UnsupportedParameterError: The model has nothing like it, or Kling has retired it.
    """
    product, actions = _product(request.model, request.metadata, over)
    path = _native_path(request)
    if product is not None and product in PRODUCT_NAMES:
        if product is Product.LIP_SYNC and not is_given(over.get("session_id")):
            path = None  # the faces of the video are found first, and ours is what says so
        return Choice(traits=TRAITS[PRODUCT_NAMES[product]], product=product, path=path)
    _refuse_retired_fields(over)
    if _is_retired(request.model):
        _require_successor_takes(request, over, map_retired_models=map_retired_models)
    wants_omni = product is Product.OMNI
    is_path_model = None if path is None else not path.startswith(LEGACY_ROOT)
    traits = find_traits(request.model, over, wants_omni=wants_omni, is_path_model=is_path_model)
    if path is not None and is_path_model:
        path = f"{path}/{traits.name}"
    _require_offer(request.model, traits, product, actions)
    if product is Product.MOTION:
        return Choice(traits=traits, product=product, path=path)
    has_old_references = any("image" in entry for entry in objects(over.get("image_list")))
    if traits.is_known and not traits.is_omni and has_old_references:
        raise UnsupportedParameterError("image_list", NO_MULTI_IMAGE)
    if traits.is_omni and is_given(over.get("video_url")):
        where = "contents" if traits.is_path_model else "video_list"
        raise UnsupportedParameterError("video_url", f"{traits.name} takes a video in `{where}`.")
    return Choice(traits=traits, product=traits.product, actions=actions, path=path)


def _require_offer(
    model: str, traits: Traits, product: Product | None, actions: Collection[Action]
) -> None:
    """Refuse what the model does not do at all."""
    if product is Product.MOTION and Action.MOTION not in traits.actions:
        movers = ("kling-v3", "kling-v2-6", "kling-3.0", "kling-2.6")
        raise UnsupportedParameterError("model", f"{model} has no motion control.", allowed=movers)
    if product is Product.OMNI and not traits.is_omni:
        raise UnsupportedParameterError(
            ACTION, f"{traits.name} is no omni model; kling-v3-omni is one."
        )
    if traits.is_known and actions and not {*actions} & traits.actions.keys():
        raise UnsupportedParameterError(
            ACTION, f"{traits.name} has no such action.", allowed=tuple(traits.actions)
        )


def _native_path(request: VideoRequest) -> str | None:
    """The path that `metadata.action` names in full, where no generic field comes with it."""
    word = request.metadata.get(ACTION)
    numbers = (request.duration_seconds, request.width, request.aspect_ratio)
    is_bare = not (request.prompt or request.images) and numbers == (None, None, None)
    return word.rstrip("/") if isinstance(word, str) and word[:1] == "/" and is_bare else None


def _product(model: str, metadata: Mapping[str, Any], over: Mapping[str, Any]) -> _Asked:
    """What was asked for in words, else what follows from the fields; `None` is up to the model."""
    word = metadata.get(ACTION)
    name = word.strip().strip("/").removeprefix("v1/videos/") if isinstance(word, str) else ""
    if name in _RETIRED_WORDS:
        raise UnsupportedParameterError(ACTION, _RETIRED_WORDS[name])
    if word is not None and name not in _WORDS:
        raise UnsupportedParameterError(ACTION, "Kling has no such action.", allowed=tuple(_WORDS))
    product, actions = _WORDS.get(name, (None, ()))
    if product is Product.MULTI_ELEMENTS and find_traits(model).is_omni:
        return None, actions
    if product is None and not actions:
        product = _PRODUCT_OF_NAME.get(model) or _carried(model, over)
    return product, actions


def _carried(model: str, over: Mapping[str, Any]) -> Product | None:
    def has(*names: str) -> bool:
        return any(is_given(over.get(name)) for name in names)

    has_sound, has_face = has("sound_file", "audio_id"), has("face_choose")
    is_motion = "video" in [entry.get("type") for entry in objects(over.get("contents"))]
    product = None
    if has("session_id"):
        product = Product.LIP_SYNC if has_sound or has_face else Product.MULTI_ELEMENTS
    elif has("effect_scene"):
        product = Product.EFFECTS
    elif has("video_url", "video_id") and (has_sound or has_face):
        product = Product.LIP_SYNC
    elif has_sound:
        product = Product.AVATAR
    elif (has("video_url") or is_motion) and not find_traits(model).is_omni:
        product = Product.MOTION
    return product


def _refuse_retired_fields(over: Mapping[str, Any]) -> None:
    """Refuse the fields that only retired endpoints had."""
    brought = over.get("input")
    if isinstance(brought, Mapping) and brought.keys() & {"video_id", "video_url"}:
        raise UnsupportedParameterError("input", _NO_OLD_LIP_SYNC)
    if is_given(over.get("video_id")):
        raise UnsupportedParameterError("video_id", NO_EXTENSION)


# Which model runs


def find_traits(
    model: str,
    over: Mapping[str, Any] = MappingProxyType({}),
    *,
    wants_omni: bool = False,
    is_path_model: bool | None = None,
) -> Traits:
    """Find what runs when this model is asked for: of a retired one, its successor.

    Args:
        model: As asked for.
        over: The vendor fields that come with it.
        wants_omni: Whether the request says that it is for an omni model.
        is_path_model: Whether an unknown one is of the new generation, `None` to tell by its name.
    """
    known = TRAITS.get(SUCCESSOR if _is_retired(model) else model)
    if known is not None:
        return known
    if is_path_model is None:
        is_path_model = _PATH_MODEL.fullmatch(model) is not None
    has_video = not is_path_model and bool(objects(over.get("video_list")))
    is_omni = wants_omni or model.endswith("-omni") or has_video
    return unknown_traits(model, is_omni=is_omni, is_path_model=is_path_model)


def _is_retired(model: str) -> bool:
    return model in RETIRED or model.startswith("kling-v2-1-")


def _require_successor_takes(
    request: VideoRequest, over: Mapping[str, Any], *, map_retired_models: bool
) -> None:
    """Refuse a retired model that is not to run as its successor, or whose fields that has not."""
    told = f"Kling has retired {request.model}"
    if not map_retired_models:
        raise UnsupportedParameterError("model", f"{told}.", allowed=(SUCCESSOR,))
    lacks = {field: f"no {field}" for field in GONE_FIELDS}
    if not request.images and not is_given(over.get("image")):
        lacks["image_tail"] = "no last frame without a first one"
    for field, what in lacks.items():
        if is_given(over.get(field)):
            raise UnsupportedParameterError(
                field, f"{told}, and its successor {SUCCESSOR} takes {what}."
            )
