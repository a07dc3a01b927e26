"""Which models there are and what each takes, in the shape that OpenAI's clients read."""

from datetime import timedelta
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from vidgate.api.dependencies import TOKEN, CallerDependency, ServicesDependency
from vidgate.api.schemas import error_answers
from vidgate.providers.base import Action, ActionCapabilities
from vidgate.services.channels.catalogue import ModelOffer

__all__ = ["router"]

_TAG = "Models"
_PATH = "/v1/models"

_EXAMPLE = {
    "id": "kling-v2-6",
    "object": "model",
    "created": 1763600000,
    "owned_by": "kling",
    "provider": "kling",
    "actions": {
        "text": {
            "durations": [5, 10],
            "tiers": ["720p", "1080p"],
            "ratios": ["16:9", "9:16", "1:1"],
            "images": {"least": 0, "most": 0},
            "prompt_characters": 2500,
            "sound": True,
            "seed": False,
            "negative_prompt": True,
        }
    },
    "retired": False,
    "successor": None,
    "earliest_seconds": 60,
    "usual_seconds": 180,
    "link_lifetime_seconds": 2592000,
}


class Images(BaseModel):
    """How many pictures."""

    least: int
    most: int


class ModelAction(BaseModel):
    """What a model takes for one kind of request."""

    durations: list[int] = Field(description="Whole seconds; empty where there is no choice.")
    tiers: list[str] = Field(description="Such as `720p`, lowest first; empty where there is one.")
    ratios: list[str] = Field(description="Empty where the pictures give the shape.")
    images: Images
    prompt_characters: int | None = Field(description="The longest prompt, if that is known.")
    sound: bool
    seed: bool
    negative_prompt: bool


class Model(BaseModel):
    """A model that may be asked for."""

    id: str = Field(description="To be sent as `model`.")
    object: Literal["model"] = "model"
    created: int = Field(description="Since when it can be had here, in Unix seconds.")
    owned_by: str = Field(description="Its provider.")
    provider: str = Field(description="The same.")
    actions: dict[Action, ModelAction] = Field(
        description="What it can do, by what the request carries; empty where nobody has said."
    )
    retired: bool = Field(description="Whether its provider retired it.")
    successor: str | None = Field(description="What runs in its place then.")
    earliest_seconds: float | None = Field(description="After which the first is ever finished.")
    usual_seconds: float | None = Field(description="After which most are.")
    link_lifetime_seconds: float | None = Field(description="How long a result's URL works.")


class ModelList(BaseModel):
    """All of them, by name."""

    object: Literal["list"] = "list"
    data: list[Model]


router = APIRouter(tags=[_TAG], dependencies=[TOKEN])


@router.get(
    _PATH,
    summary="List models",
    description="Those that a channel serves and the token may ask for, and what each takes.",
    responses={
        200: {
            "description": "The models.",
            "content": {"application/json": {"example": {"object": "list", "data": [_EXAMPLE]}}},
        },
        **error_answers(401, 405, 429, 500, 503),
    },
)
async def list_models(caller: CallerDependency, services: ServicesDependency) -> ModelList:
    return ModelList(data=[_write(offer) for offer in await services.catalogue.models(caller)])


@router.get(
    _PATH + "/{model:path}",
    summary="Retrieve a model",
    description="One that the token may ask for, and what it takes.",
    responses={
        200: {
            "description": "The model.",
            "content": {"application/json": {"example": _EXAMPLE}},
        },
        **error_answers(401, 404, 405, 429, 500, 503),
    },
    openapi_extra={
        "parameters": [
            {
                "name": "model",
                "in": "path",
                "required": True,
                "description": "As in the list.",
                "schema": {"type": "string"},
            }
        ],
    },
)
async def retrieve_model(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Model:
    return _write(await services.catalogue.model(caller, request.path_params["model"]))


def _write(offer: ModelOffer) -> Model:
    capabilities = offer.capabilities
    return Model(
        id=offer.name,
        created=int(offer.created_at.timestamp()) if offer.created_at else 0,
        owned_by=offer.provider,
        provider=offer.provider,
        actions={action: _write_action(one) for action, one in capabilities.actions.items()}
        if capabilities
        else {},
        retired=bool(capabilities and capabilities.successor),
        successor=capabilities.successor if capabilities else None,
        earliest_seconds=_seconds(capabilities.earliest if capabilities else None),
        usual_seconds=_seconds(capabilities.usual if capabilities else None),
        link_lifetime_seconds=_seconds(capabilities.link_lifetime if capabilities else None),
    )


def _write_action(one: ActionCapabilities) -> ModelAction:
    least, most = one.images
    return ModelAction(
        durations=list(one.durations),
        tiers=list(one.tiers),
        ratios=list(one.ratios),
        images=Images(least=least, most=most),
        prompt_characters=one.prompt_characters,
        sound=one.sound,
        seed=one.seed,
        negative_prompt=one.negative_prompt,
    )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
