"""`POST /v1/video/estimate`: what a request would cost, before it is made."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from vidgate.api.dependencies import (
    TOKEN,
    BodiesDependency,
    CallerDependency,
    ServicesDependency,
)
from vidgate.api.dialects.newapi.reading import read_request
from vidgate.api.dialects.newapi.routes import FORM, TAG, wanted
from vidgate.api.dialects.newapi.schemas import GenerationRequest
from vidgate.api.preferences import NOTES_DOCUMENTED, PREFER, is_strict, write_notes
from vidgate.api.schemas import error_answers, request_body
from vidgate.api.writing import encode
from vidgate.models.money import format_amount, format_units
from vidgate.models.tasks import TaskCost, TaskWarning, WarningCode
from vidgate.services.tasks.estimating import Preview

__all__ = ["router"]

_EXAMPLE = {
    "object": "estimate",
    "micros": 420_000,
    "micros_each": 210_000,
    "amount": "0.420000",
    "currency": "USD",
    "outputs": 2,
    "units": "1.5",
    "unit": "kling_unit",
    "row": "models[4].rows[0]: action image|start_end|text, resolution 720p, sound off",
    "ignored": ["fps"],
    "adjusted": [],
    "usual_seconds": 180,
    "queue": 0,
}


class PriceEstimate(BaseModel):
    """What a request would cost. Without prices here all that is about money is `null`."""

    object: Literal["estimate"]
    micros: int | None = Field(
        description="Millionths of the currency, of all videos: what a submit would hold, and "
        "say in `X-Vidgate-Price`. What is charged in the end is what is made."
    )
    micros_each: int | None = Field(description="Likewise of one video.")
    amount: str | None = Field(description="`micros` as a decimal with six digits.")
    currency: str | None
    outputs: int = Field(description="How many videos.")
    units: str | None = Field(
        description="What one video costs in the provider's own units; `null` where it is free."
    )
    unit: str | None = Field(description="Their name.")
    row: str | None = Field(description="By what it is priced; `null` where it is free.")
    ignored: list[str] = Field(description="Fields that the model has no use for.")
    adjusted: list[str] = Field(description="What would be changed, such as `mode=pro`.")
    usual_seconds: float | None = Field(
        description="How long such a video takes once it runs; `null` where nobody knows."
    )
    queue: int = Field(description="How many wait where it would begin; 0 for nobody.")


router = APIRouter()


@router.post(
    "/v1/video/estimate",
    name="create_estimate",
    summary="Check the price of a video",
    description=(
        "Takes the body of `POST /v1/video/generations` or `POST /v1/videos`, JSON or a form, and "
        "goes the same way up to where a task would be stored: what is refused there is refused "
        "here. Nothing is stored, and no provider is asked. Whether the account can pay for it "
        "is no part of it."
    ),
    tags=[TAG],
    dependencies=[TOKEN],
    responses={
        200: {
            "model": PriceEstimate,
            "description": "What it would cost.",
            "headers": {
                name: one for name, one in NOTES_DOCUMENTED.items() if name.startswith("X-")
            },
            "content": {"application/json": {"example": _EXAMPLE}},
        },
        **error_answers(400, 401, 403, 404, 405, 413, 429, 500, 503),
    },
    openapi_extra=request_body(GenerationRequest, form=FORM) | {"parameters": [PREFER]},
)
async def create_estimate(
    request: Request,
    caller: CallerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    read = partial(read_request, meanings=services.field_meanings, strict=is_strict(request))
    async with bodies.read(request, read) as asked:
        preview = await services.estimator.preview(caller, wanted(request, asked), dialect="newapi")
    headers = write_notes(preview.warnings, TaskCost.of(preview.holds))
    return Response(encode(_write(preview)), media_type="application/json", headers=headers)


def _write(preview: Preview) -> dict[str, Any]:
    cost = TaskCost.of(preview.holds)
    quote = preview.holds[0].quote if preview.holds else None
    tariff = quote.tariff if quote else None
    return {
        "object": "estimate",
        "micros": cost.reserved_micros if cost else None,
        "micros_each": preview.holds[0].micros if cost else None,
        "amount": format_amount(cost.reserved_micros) if cost else None,
        "currency": cost.currency if cost else None,
        "outputs": preview.outputs,
        "units": None if quote is None or quote.units is None else format_units(quote.units),
        "unit": tariff.unit if tariff else None,
        "row": quote.row if quote and tariff else None,
        "ignored": _names(preview.warnings, WarningCode.IGNORED),
        "adjusted": _names(preview.warnings, WarningCode.ADJUSTED),
        "usual_seconds": None if preview.usual is None else preview.usual.total_seconds(),
        "queue": preview.queue,
    }


def _names(warnings: Sequence[TaskWarning], code: WarningCode) -> list[str]:
    return [
        one.param if one.value is None else f"{one.param}={one.value}"
        for one in warnings
        if one.code is code
    ]
