"""What Kling offers, and what is known of a model that is asked for."""

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Capabilities, ModelCapabilities, Pace
from vidgate.providers.kling.models import PRODUCT_NAMES, RETIRED, SUCCESSOR, Product, Traits
from vidgate.providers.kling.tables import TRAITS, unknown_actions
from vidgate.providers.kling.wire import is_given, objects

__all__ = ["CAPABILITIES", "find_traits", "pace_of", "traits_of_product"]

_LINK_LIFETIME = timedelta(days=30)
"""Of a result's URL. Source: the model pages under https://kling.ai/document-api/api/video/, read
2026-09-20."""

_BY_NAME = MappingProxyType({traits.name: traits for traits in TRAITS})

_PATH_MODEL = re.compile(r"kling-[0-9]+\.[0-9]+[a-z0-9-]*")
"""Names with a dot are those of the new generation, also of models to come."""

_GONE_FIELDS = ("camera_control", "static_mask", "dynamic_masks")
"""Which only retired models could honour."""

_LONG = frozenset({Product.MOTION, Product.LIP_SYNC, Product.AVATAR, Product.MULTI_ELEMENTS})
"""As long as the video or the sound that they are given: up to five minutes."""


def _listed(traits: Traits, name: str, successor: str | None = None) -> ModelCapabilities:
    return ModelCapabilities(
        name=name,
        actions=traits.actions,
        successor=successor,
        earliest=traits.earliest,
        usual=traits.usual,
        link_lifetime=_LINK_LIFETIME,
    )


CAPABILITIES = Capabilities(
    model_patterns=("kling-*",),
    base_url="https://api-singapore.klingai.com",
    credential_form="API_KEY or ACCESS|SECRET",
    models=MappingProxyType(
        {traits.name: _listed(traits, traits.name) for traits in TRAITS}
        | {name: _listed(_BY_NAME[SUCCESSOR], name, SUCCESSOR) for name in RETIRED}
    ),
    object_fields=frozenset({"video_id"}),
)


def find_traits(
    model: str,
    over: Mapping[str, Any],
    *,
    has_pictures: bool = False,
    wants_omni: bool = False,
    is_path_model: bool | None = None,
    map_retired_models: bool,
) -> Traits:
    """Find what runs when this model is asked for.

    Args:
        model: As asked for.
        over: The vendor fields that come with it.
        has_pictures: Whether there is a first frame beside them.
        wants_omni: Whether the request says that it is for an omni model.
        is_path_model: Whether an unknown one is of the new generation, `None` to tell by its name.
        map_retired_models: Whether a retired one runs as its successor.

    Raises:
        UnsupportedParameterError: It is retired, and is not to run as its successor, or its
            successor cannot do the same.
    """
    if model in RETIRED or model.startswith("kling-v2-1-"):
        if not map_retired_models:
            raise UnsupportedParameterError(
                "model", f"Kling has retired {model}.", allowed=(SUCCESSOR,)
            )
        _require_successor_takes(model, over, has_pictures=has_pictures)
        return _BY_NAME[SUCCESSOR]
    return _BY_NAME.get(model) or _unknown(
        model, over, wants_omni=wants_omni, is_path_model=is_path_model
    )


def traits_of_product(product: Product) -> Traits:
    """Find what is known of a product without models."""
    return _BY_NAME[PRODUCT_NAMES[product]]


def pace_of(traits: Traits, product: Product, tier: str | None) -> Pace:
    """How to follow a job: 3 s at 720p were seen to take 28 s, and clients ask every 3 to 16 s."""
    is_long = tier == "4k" or product in _LONG
    return Pace(
        first_ask=traits.first_ask,
        interval=timedelta(seconds=4),
        max_interval=timedelta(seconds=15),
        deadline=timedelta(minutes=60 if is_long else 30),
    )


def _require_successor_takes(model: str, over: Mapping[str, Any], *, has_pictures: bool) -> None:
    gone = [field for field in _GONE_FIELDS if is_given(over.get(field))]
    is_tail_only = not has_pictures and not is_given(over.get("image"))
    if is_given(over.get("image_tail")) and is_tail_only:
        gone.append("image_tail")
    if gone:
        what = f"no {gone[0]}" if gone[0] != "image_tail" else "no last frame without a first one"
        raise UnsupportedParameterError(
            gone[0], f"Kling has retired {model}, and its successor {SUCCESSOR} takes {what}."
        )


def _unknown(
    model: str, over: Mapping[str, Any], *, wants_omni: bool, is_path_model: bool | None
) -> Traits:
    if is_path_model is None:
        is_path_model = _PATH_MODEL.fullmatch(model) is not None
    has_video = not is_path_model and bool(objects(over.get("video_list")))
    is_omni = wants_omni or model.endswith("-omni") or has_video
    product = Product.OMNI if is_omni else Product.FRAMES
    return Traits(
        name=model,
        product=product,
        actions=unknown_actions(model, product=product, is_path_model=is_path_model),
        is_known=False,
        is_path_model=is_path_model,
    )
