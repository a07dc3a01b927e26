"""What clients of new-api ask of an account and of prices beside videos.

They count in quota, of which one unit of the currency has 500,000, whichever currency it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from vidgate import __version__
from vidgate.api.dependencies import TOKEN, CallerDependency, Services, ServicesDependency
from vidgate.api.schemas import error_answers
from vidgate.api.writing import encode, unix_seconds
from vidgate.exceptions import NotFoundError, PriceMissingError
from vidgate.models.accounts import Caller
from vidgate.models.limits import Measure, Period
from vidgate.models.money import MICROS
from vidgate.services.channels.catalogue import ModelOffer

__all__ = ["ALIASES", "PREFIXES", "router"]

_QUOTA: Final = 500_000
_UNLIMITED: Final = 100_000_000
"""What new-api says of an account without a limit, in its currency."""

_CENTS: Final = 100
_BY_PRICE: Final = 1
"""A `quota_type`: so much for a call."""

_GROUP: Final = "default"
_DISPLAYED: Final = ("USD", "CNY")

PREFIXES: Final = ("/api/usage", "/dashboard")
"""Where a token is needed."""

ALIASES: Final[Mapping[str, str]] = {"/v1/dashboard": "/dashboard"}


async def _offered(services: ServicesDependency) -> None:
    if not services.settings.newapi_routes:
        raise NotFoundError("This is not offered here.")


router = APIRouter(tags=["new-api"], dependencies=[Depends(_offered)])


class TokenUsageData(BaseModel):
    """What a token has, in quota."""

    object: Literal["token_usage"]
    name: str
    total_granted: int = Field(description="What was used and what is left.")
    total_used: int
    total_available: int = Field(description="0 where there is no limit.")
    unlimited_quota: bool
    model_limits: dict[str, bool] = Field(description="Patterns of what it may ask for.")
    model_limits_enabled: bool
    expires_at: int = Field(description="Unix seconds; 0 for never.")


class TokenUsage(BaseModel):
    """What a token has, as new-api answers it."""

    code: Literal[True]
    message: str
    data: TokenUsageData


class BillingSubscription(BaseModel):
    """What an account was given, in the currency; 100000000 where there is no limit."""

    object: Literal["billing_subscription"]
    has_payment_method: bool
    soft_limit_usd: float
    hard_limit_usd: float
    system_hard_limit_usd: float
    access_until: int = Field(description="Unix seconds; 0 for ever.")


class BillingUsage(BaseModel):
    """What an account used, in hundredths of the currency."""

    object: Literal["list"]
    total_usage: float


class QuotaUnits(BaseModel):
    """How quota is counted."""

    version: str
    system_name: str
    quota_per_unit: int = Field(description="That one unit of the currency has.")
    quota_display_type: str = Field(description="The currency, or `CUSTOM`.")
    display_in_currency: bool
    usd_exchange_rate: float
    custom_currency_symbol: str
    custom_currency_exchange_rate: float


class ServerStatus(BaseModel):
    """How quota is counted, as new-api answers it."""

    success: bool
    message: str
    data: QuotaUnits


class ModelPricing(BaseModel):
    """What a usual video of a model costs."""

    model_name: str
    quota_type: int = Field(description="1: a price for a call.")
    model_ratio: float
    model_price: float = Field(description="In the currency.")
    owner_by: str
    completion_ratio: float
    vendor_id: int
    enable_groups: list[str]
    supported_endpoint_types: list[str]


class PricingVendor(BaseModel):
    """A provider."""

    id: int
    name: str


class Pricing(BaseModel):
    """What models cost, as new-api answers it."""

    success: bool
    data: list[ModelPricing]
    group_ratio: dict[str, float]
    usable_group: dict[str, str]
    vendors: list[PricingVendor]


def _documented(
    model: type[BaseModel], example: Mapping[str, Any], *statuses: int
) -> dict[str, Any]:
    content = {"application/json": {"example": example}}
    return {
        "responses": {
            200: {"model": model, "description": "As new-api answers it.", "content": content},
            **error_answers(*statuses, 404, 405, 500, 503),
        }
    }


@router.get(
    "/api/usage/token",
    name="retrieve_token_usage",
    summary="Retrieve what a token has left",
    description="As new-api answers it, in quota: 500,000 of it are one unit of the currency.",
    dependencies=[TOKEN],
    **_documented(
        TokenUsage,
        {
            "code": True,
            "message": "ok",
            "data": {
                "object": "token_usage",
                "name": "web",
                "total_granted": 5_000_000,
                "total_used": 875_000,
                "total_available": 4_125_000,
                "unlimited_quota": False,
                "model_limits": {},
                "model_limits_enabled": False,
                "expires_at": 0,
            },
        },
        401,
        429,
    ),
)
async def retrieve_token_usage(caller: CallerDependency, services: ServicesDependency) -> Response:
    used, left = await _used_and_left(caller, services)
    token = caller.token
    granted = used if left is None else used + left
    data = {
        "object": "token_usage",
        "name": token.name,
        "total_granted": _to_quota(granted),
        "total_used": _to_quota(used),
        "total_available": 0 if left is None else _to_quota(left),
        "unlimited_quota": left is None,
        "model_limits": dict.fromkeys(token.models, True),
        "model_limits_enabled": bool(token.models),
        "expires_at": unix_seconds(token.expires_at) or 0,
    }
    return _answer({"code": True, "message": "ok", "data": data})


@router.get(
    "/dashboard/billing/subscription",
    name="retrieve_subscription",
    summary="Retrieve what an account was given",
    description="As new-api answers it, in the currency; at `/v1/dashboard/...` too.",
    dependencies=[TOKEN],
    **_documented(
        BillingSubscription,
        {
            "object": "billing_subscription",
            "has_payment_method": True,
            "soft_limit_usd": 10.0,
            "hard_limit_usd": 10.0,
            "system_hard_limit_usd": 10.0,
            "access_until": 0,
        },
        401,
        429,
    ),
)
async def retrieve_subscription(caller: CallerDependency, services: ServicesDependency) -> Response:
    used, left = await _used_and_left(caller, services)
    limit = _UNLIMITED if left is None else (used + left) / MICROS
    return _answer(
        {
            "object": "billing_subscription",
            "has_payment_method": True,
            "soft_limit_usd": limit,
            "hard_limit_usd": limit,
            "system_hard_limit_usd": limit,
            "access_until": unix_seconds(caller.token.expires_at) or 0,
        }
    )


@router.get(
    "/dashboard/billing/usage",
    name="retrieve_billing_usage",
    summary="Retrieve what an account used",
    description="As new-api answers it, in hundredths of the currency; all of it, ever.",
    dependencies=[TOKEN],
    **_documented(BillingUsage, {"object": "list", "total_usage": 175.0}, 401, 429),
)
async def retrieve_billing_usage(
    caller: CallerDependency, services: ServicesDependency
) -> Response:
    used = await services.spending.charged(caller)
    return _answer({"object": "list", "total_usage": used * _CENTS / MICROS})


@router.get(
    "/api/status",
    name="retrieve_status",
    summary="Retrieve how quota is counted",
    description="As new-api answers it.",
    **_documented(
        ServerStatus,
        {
            "success": True,
            "message": "",
            "data": {
                "version": "0.1.0",
                "system_name": "vidgate",
                "quota_per_unit": 500_000,
                "quota_display_type": "USD",
                "display_in_currency": True,
                "usd_exchange_rate": 1,
                "custom_currency_symbol": "USD",
                "custom_currency_exchange_rate": 1,
            },
        },
    ),
)
async def retrieve_status(services: ServicesDependency) -> Response:
    currency = services.settings.currency
    data = {
        "version": __version__,
        "system_name": "vidgate",
        "quota_per_unit": _QUOTA,
        "quota_display_type": currency if currency in _DISPLAYED else "CUSTOM",
        "display_in_currency": True,
        # Quota is of the currency already: nothing is left to be converted.
        "usd_exchange_rate": 1,
        "custom_currency_symbol": currency,
        "custom_currency_exchange_rate": 1,
    }
    return _answer({"success": True, "message": "", "data": data})


@router.get(
    "/api/pricing",
    name="list_pricing",
    summary="List prices",
    description=(
        "As new-api answers it: what a usual video of each model costs, five seconds at 720p where "
        "the model has that. Models without a price are not listed."
    ),
    **_documented(
        Pricing,
        {
            "success": True,
            "data": [
                {
                    "model_name": "kling-v2-6",
                    "quota_type": 1,
                    "model_ratio": 0,
                    "model_price": 0.21,
                    "owner_by": "kling",
                    "completion_ratio": 0,
                    "vendor_id": 1,
                    "enable_groups": ["default"],
                    "supported_endpoint_types": ["openai-video"],
                }
            ],
            "group_ratio": {"default": 1},
            "usable_group": {"default": "default"},
            "vendors": [{"id": 1, "name": "kling"}],
        },
    ),
)
async def list_pricing(services: ServicesDependency) -> Response:
    offers, prices = await services.catalogue.every(), services.prices
    known = _pricing.get(prices)
    if known is None or known.offers is not offers or known.version != prices.version:
        known = _pricing[prices] = _Written(offers, prices.version, _write_pricing(offers, prices))
    return Response(known.body, media_type="application/json")


class _Usual(Protocol):
    """What a usual video of a model costs; see `Prices`."""

    def usual(self, model: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _Written:
    """The list of prices as it was written, and what of."""

    offers: Mapping[str, ModelOffer]
    version: int | None
    body: bytes


_pricing: Final[WeakKeyDictionary[object, _Written]] = WeakKeyDictionary()
"""Nobody needs a token for it, so that it must cost nothing: of the prices of each application."""


def _write_pricing(offers: Mapping[str, ModelOffer], prices: _Usual) -> bytes:
    vendors = sorted({offer.provider for offer in offers.values()})
    data = []
    for offer in offers.values():
        try:
            micros = prices.usual(offer.upstream_model)
        except PriceMissingError:
            continue
        if micros is None:  # without prices nothing has one, and nothing is said to be free
            continue
        data.append(
            {
                "model_name": offer.name,
                "quota_type": _BY_PRICE,
                "model_ratio": 0,
                "model_price": micros / MICROS,
                "owner_by": offer.provider,
                "completion_ratio": 0,
                "vendor_id": vendors.index(offer.provider) + 1,
                "enable_groups": [_GROUP],
                "supported_endpoint_types": ["openai-video"],
            }
        )
    return encode(
        {
            "success": True,
            "data": data,
            "group_ratio": {_GROUP: 1},
            "usable_group": {_GROUP: _GROUP},
            "vendors": [{"id": number, "name": name} for number, name in enumerate(vendors, 1)],
        }
    )


async def _used_and_left(caller: Caller, services: Services) -> tuple[int, int | None]:
    """Millionths that were charged, and that are left; `None` without a limit.

    What a token may spend in all is its quota there; what is limited by time, or for some models
    alone, new-api has no word for.
    """
    standing = await services.spending.standing(caller)
    used = await services.spending.charged(caller)
    left = [
        use.left
        for use in standing.limits
        if use.limit.measure is Measure.SPEND
        and use.limit.period is Period.TOTAL
        and not use.limit.models
    ]
    if standing.balance is not None:
        left.append(max(0, standing.balance.available))
    return used, min(left, default=None)


def _to_quota(micros: int) -> int:
    return micros * _QUOTA // MICROS


def _answer(members: Mapping[str, Any]) -> Response:
    return Response(encode(members), media_type="application/json")
