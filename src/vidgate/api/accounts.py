"""What a token's account has, and what was used of it."""

import base64
import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from vidgate.api.dependencies import TOKEN, CallerDependency, ServicesDependency
from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.api.polls import REQUEST_ID_DOCUMENTED
from vidgate.api.schemas import error_answers
from vidgate.api.writing import encode, plain_number, unix_seconds
from vidgate.exceptions import InvalidParameterError
from vidgate.models.accounts import Token
from vidgate.models.ids import ACCOUNT_PREFIX, TOKEN_PREFIX, public_id
from vidgate.models.money import Balance
from vidgate.models.usage import Grouping, UsageKey, UsagePage, UsageRow

__all__ = ["router"]

_TAG = "Account"
_USAGE_PATH = "/v1/usage"

_MOST_DAYS: Final = 366
"""That one question is about: each task of them is looked at."""

_USUAL_DAYS: Final = 30
_MOST_ROWS: Final = 10_000
_USUAL_ROWS: Final = 100
_CHARACTERS: Final = 4096
_LATEST: Final = 253_402_214_400
"""The beginning of the last day that a date can tell, in Unix seconds."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COLUMNS: Final = ("day", "model", "user", "tasks", "outputs", "seconds", "charged_micros")
_CSV: Final = "text/csv"

_EXAMPLE_ACCOUNT: dict[str, Any] = {
    "object": "account",
    "id": "acc_01k9x4n8e0f0m8z2q6y7v3b5ct",
    "name": "team",
    "currency": "USD",
    "balance": {"available_micros": 8_250_000, "held_micros": 420_000},
    "limits": [
        {
            "name": "spend",
            "scope": "token",
            "window": "month",
            "limit": 50_000_000,
            "used": 1_330_000,
            "resets_at": 1764547200,
        }
    ],
    "token": {
        "id": "tok_01k9x4n8e0f0m8z2q6y7v3b5ct",
        "name": "web",
        "models": [],
        "strict": False,
        "expires_at": None,
        "created_at": 1763600000,
    },
}
_EXAMPLE_ROW: dict[str, Any] = {
    "day": "2026-11-28",
    "model": "clip-1",
    "user": "alice",
    "tasks": 12,
    "outputs": 11,
    "seconds": 55.4,
    "charged_micros": 2_310_000,
}
_CURSOR = base64.urlsafe_b64encode(b'["2026-11-28","clip-1","alice"]').decode()


class AccountBalance(BaseModel):
    """What a prepaid account has, in millionths of the currency."""

    available_micros: int = Field(description="For new requests.")
    held_micros: int = Field(description="For unfinished ones.")


class AccountLimit(BaseModel):
    """One limit of the account or of the token, and how much of it is used."""

    name: str
    scope: str = Field(description="`account` or `token`.")
    window: str | None = Field(
        description="The time that it is about, such as `minute` or `month`; `null` where it "
        "counts what is under way or waits."
    )
    limit: int = Field(description="Money is in millionths of the currency.")
    used: int | None = Field(description="`null` where each process counts for itself.")
    resets_at: int | None = Field(description="Unix seconds; `null` where it never does.")
    models: list[str] = Field(default=[], description="Patterns of what counts; without: all.")


class AccountToken(BaseModel):
    """The token that asks."""

    id: str
    name: str
    models: list[str] = Field(description="Patterns of what it may ask for; empty for all.")
    strict: bool = Field(description="Whether what would be ignored or adjusted is an error.")
    expires_at: int | None = Field(description="Unix seconds; `null` for never.")
    created_at: int | None = Field(description="Unix seconds.")


class Account(BaseModel):
    """The account of the token."""

    object: Literal["account"]
    id: str
    name: str
    currency: str = Field(description="Of every amount.")
    balance: AccountBalance | None = Field(description="`null` where it pays afterwards.")
    limits: list[AccountLimit]
    token: AccountToken


class Usage(BaseModel):
    """What was used; what rows are not told apart by is `null`."""

    day: str | None = Field(description="On which the tasks were made, in UTC.")
    model: str | None = Field(description="As it was asked for.")
    user: str | None = Field(description="Your own end user; `null` where none was named.")
    tasks: int = Field(description="That were made.")
    outputs: int = Field(description="Videos that were finished.")
    seconds: float = Field(description="Of these videos, as far as their length is known.")
    charged_micros: int = Field(description="Millionths of the currency.")


class UsageList(BaseModel):
    """A part of the rows, the latest day first."""

    object: Literal["list"]
    data: list[Usage]
    first_id: str | None = Field(description="Names the first row of the part.")
    last_id: str | None = Field(description="To be sent as `after` for what follows.")
    has_more: bool


router = APIRouter(tags=[_TAG], dependencies=[TOKEN])


@router.get(
    "/v1/account",
    name="retrieve_account",
    summary="Retrieve the account",
    description="The account of the token: its balance, its limits, and the token itself.",
    responses={
        200: {
            "model": Account,
            "description": "The account.",
            "headers": REQUEST_ID_DOCUMENTED,
            "content": {"application/json": {"example": _EXAMPLE_ACCOUNT}},
        },
        **error_answers(401, 405, 429, 500, 503),
    },
)
async def retrieve_account(caller: CallerDependency, services: ServicesDependency) -> Response:
    standing = await services.spending.standing(caller)
    answer = {
        "object": "account",
        "id": public_id(ACCOUNT_PREFIX, standing.account.id),
        "name": standing.account.name,
        "currency": services.settings.currency,
        "balance": _write_balance(standing.balance),
        "limits": [use.to_document() for use in standing.limits],
        "token": _write_token(caller.token),
    }
    return Response(encode(answer), media_type="application/json")


def _write_balance(balance: Balance | None) -> dict[str, int] | None:
    if balance is None:
        return None
    return {"available_micros": balance.available, "held_micros": balance.held}


def _write_token(token: Token) -> dict[str, Any]:
    return {
        "id": public_id(TOKEN_PREFIX, token.id),
        "name": token.name,
        "models": list(token.models),
        "strict": token.strict,
        "expires_at": unix_seconds(token.expires_at),
        "created_at": unix_seconds(token.created_at),
    }


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


@router.get(
    _USAGE_PATH,
    name="list_usage",
    summary="List what was used",
    description=(
        "Tasks, videos, seconds and money by the day, in UTC, on which the tasks were made. Tasks "
        "that are kept no longer are not counted. With `Accept: text/csv` the rows come as a "
        "table; the header `Link` leads to what follows."
    ),
    responses={
        200: {
            "model": UsageList,
            "description": "A part of the rows.",
            "headers": REQUEST_ID_DOCUMENTED
            | {
                "Link": {
                    "description": "Where something follows: its address, as `rel=next`.",
                    "schema": {"type": "string"},
                }
            },
            "content": {
                "application/json": {
                    "example": {
                        "object": "list",
                        "data": [_EXAMPLE_ROW],
                        "first_id": _CURSOR,
                        "last_id": _CURSOR,
                        "has_more": False,
                    }
                },
                _CSV: {"schema": {"type": "string"}},
            },
        },
        **error_answers(400, 401, 405, 429, 500, 503),
    },
    openapi_extra={
        "parameters": [
            _parameter(
                "since",
                "The first day, such as `2026-11-01`, or Unix seconds in it; without it "
                f"{_USUAL_DAYS} days before the last.",
                type="string",
            ),
            _parameter("until", "The last day, likewise; without it today.", type="string"),
            _parameter(
                "group_by",
                "By what rows are told apart: `day`, `model`, `user`, or several with commas.",
                type="string",
                default="day,model,user",
            ),
            _parameter("after", "Behind which row to begin: `last_id` of a part.", type="string"),
            _parameter(
                "limit",
                "How many rows at most; as a table all that there may be, without it.",
                type="integer",
                minimum=1,
                maximum=_MOST_ROWS,
                default=_USUAL_ROWS,
            ),
        ]
    },
)
async def list_usage(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    fields = FieldReader(Form(dict(request.query_params), is_text=True))
    until = _read_day(fields, "until") or services.clock.now().astimezone(UTC).date()
    since = _read_day(fields, "since") or until - timedelta(days=_USUAL_DAYS)
    if not 0 <= (until - since).days < _MOST_DAYS:
        raise InvalidParameterError(
            f"since must be a day before until, and at most {_MOST_DAYS} days before it.",
            param="since",
        )
    is_table = _wants_table(request)
    limit = fields.integer("limit", least=1, most=_MOST_ROWS)
    page = await services.spending.usage(
        caller,
        since=since,
        until=until,
        group_by=_read_grouping(fields),
        after=_read_cursor(fields.text("after", longest=_CHARACTERS)),
        limit=limit or (_MOST_ROWS if is_table else _USUAL_ROWS),
    )
    headers = _link(request, page)
    rows = [_write_row(row) for row in page.rows]
    if is_table:
        return Response(_write_table(rows), media_type=_CSV, headers=headers)
    answer = {
        "object": "list",
        "data": rows,
        "first_id": _write_cursor(page.rows[0].key) if rows else None,
        "last_id": _write_cursor(page.rows[-1].key) if rows else None,
        "has_more": page.has_more,
    }
    return Response(encode(answer), media_type="application/json", headers=headers)


def _read_day(fields: FieldReader, name: str) -> date | None:
    said = fields.text(name, longest=_CHARACTERS)
    if not said:
        return None
    try:
        if _DAY.fullmatch(said):
            return date.fromisoformat(said)
        if said.isascii() and said.isdecimal() and int(said) < _LATEST:
            return datetime.fromtimestamp(int(said), UTC).date()
    except ValueError:
        pass
    raise InvalidParameterError(f"{name} must be a day such as 2026-11-28.", param=name)


def _read_grouping(fields: FieldReader) -> frozenset[Grouping]:
    said = fields.text("group_by", longest=_CHARACTERS)
    words = [word.strip() for word in said.split(",")] if said else list(Grouping)
    try:
        return frozenset(Grouping(word) for word in words)
    except ValueError:
        raise InvalidParameterError(
            f"group_by must be of {', '.join(Grouping)}.", param="group_by"
        ) from None


def _wants_table(request: Request) -> bool:
    kinds = [
        kind.partition(";")[0].strip() for kind in request.headers.get("accept", "").split(",")
    ]
    return _CSV in kinds


def _write_cursor(key: UsageKey) -> str:
    """Name a row, for a client to send back; nothing in it is secret."""
    members = [key.day and key.day.isoformat(), key.model, key.user]
    return base64.urlsafe_b64encode(orjson.dumps(members)).decode()


def _read_cursor(said: str | None) -> UsageKey | None:
    if not said:
        return None
    try:
        day, model, user = orjson.loads(base64.urlsafe_b64decode(said))
        key = UsageKey(None if day is None else date.fromisoformat(day), model, user)
    except (ValueError, TypeError):
        key = None
    names = (key.model, key.user) if key else ()
    if key is None or not all(_is_name(name) for name in names):
        raise InvalidParameterError(
            "after must be the last_id of a part of this list.", param="after"
        )
    return key


def _is_name(name: Any) -> bool:
    """Whether it may be compared with names of the database, which have no such character."""
    return name is None or (isinstance(name, str) and "\0" not in name)


def _write_row(row: UsageRow) -> dict[str, Any]:
    return {
        "day": row.key.day and row.key.day.isoformat(),
        "model": row.key.model,
        "user": row.key.user,
        "tasks": row.tasks,
        "outputs": row.outputs,
        "seconds": plain_number(round(row.seconds, 3)),
        "charged_micros": row.charged_micros,
    }


def _write_table(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _link(request: Request, page: UsagePage) -> dict[str, str]:
    if not page.has_more:
        return {}
    asked = {**request.query_params, "after": _write_cursor(page.rows[-1].key)}
    return {"Link": f'<{_USAGE_PATH}?{urlencode(asked)}>; rel="next"'}
