"""Settings, read once from `VIDGATE_…` variables and passed down."""

import os
import re
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = [
    "DRAINING",
    "OFF",
    "SHIPPED",
    "LogFormat",
    "LogLevel",
    "Network",
    "Settings",
    "provider_setting",
    "provider_variable",
]

DRAINING = "VIDGATE_DRAINING"
"""The variable with which `serve` names a file to its processes: once it is there, they stop."""


OFF = "off"
"""No prices."""

SHIPPED = "shipped"
"""The prices that come with vidgate."""

_CURRENCY = re.compile(r"[A-Z]{3}")

_METRICS_TOKEN_CHARACTERS = 16
_LAST_PORT = 65535
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")

Network = IPv4Network | IPv6Network


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """For people or for machines."""

    TEXT = "text"
    JSON = "json"


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        # A home of root's is closed to the unprivileged user that PostgreSQL runs as.
        return Path("/var/lib/vidgate")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "vidgate"


class Settings(BaseSettings):
    """Everything an operator may set; `.env.example` lists the variables with their defaults."""

    model_config = SettingsConfigDict(
        env_prefix="VIDGATE_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = Field(
        default=None, title="PostgreSQL 15 or newer; without it an embedded server is run"
    )
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        title="Where the embedded server, its password and the secret key live",
    )
    db_pool: int = Field(default=5, ge=1, le=100, title="Connections of one process, but for one")
    db_prepared: bool = Field(
        default=True,
        title="Prepared statements and LISTEN; false behind a transaction pooler",
    )
    auto_migrate: bool = Field(
        default=False, title="Migrate an outside database at start; an embedded one always is"
    )

    secret_key: SecretStr | None = Field(
        default=None,
        title="One or more keys of at least 32 random bytes, in base64, newest first, by commas",
    )

    host: str = Field(default="127.0.0.1", title="Address to listen on")
    port: int = Field(default=3000, ge=0, le=65535, title="Port to listen on")
    public_url: str | None = Field(
        default=None, title="Where clients and providers reach this deployment"
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), title="Networks whose X-Forwarded-For, -Proto and -Host are believed, by commas"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("*",), title="Web origins that may call, by commas"
    )

    worker: bool = Field(
        default=True, title="Do background work in serving processes; false: `vidgate worker` does"
    )
    submit_wait: timedelta = Field(
        default=timedelta(seconds=20),
        ge=timedelta(),
        title="Seconds a creating POST waits for the provider",
    )
    queue_wait: timedelta = Field(
        default=timedelta(minutes=15),
        ge=timedelta(),
        title="Seconds a task may wait for a place at a provider; 0 refuses what cannot begin",
    )
    submit_timeout: timedelta | None = Field(
        default=None,
        gt=timedelta(),
        title="Seconds a provider has to answer a submit; default: what it is known to need",
    )
    shutdown_grace: timedelta = Field(
        default=timedelta(seconds=20),
        ge=timedelta(),
        title="Seconds that submits under way have when stopping",
    )
    drain: timedelta = Field(
        default=timedelta(),
        ge=timedelta(),
        title="Seconds that `/readyz` says 503 when stopping, before the port is closed",
    )
    keep_tasks: timedelta | None = Field(
        default=None,
        ge=timedelta(days=1),
        title="Seconds that a task is kept at least, in whole months; without it for ever",
    )
    poll_pace: float = Field(
        default=1.0,
        gt=0,
        le=100,
        title="A factor on every first ask, interval and back-off: 0.05 asks twenty times sooner",
    )
    notice_url: SecretStr | None = Field(
        default=None,
        title="Where one POST goes when a channel goes out, comes back, or took more than was held",
    )
    body_memory: int = Field(
        default=512 * 1024 * 1024,
        ge=1024 * 1024,
        title="Bytes of bodies being read at once; one account has a quarter",
    )
    keep_inputs: timedelta = Field(
        default=timedelta(hours=1),
        ge=timedelta(),
        title="Seconds that inline pictures are kept after the end of their task, for repairs",
    )
    inputs_space: int = Field(
        default=2 * 1024**3,
        ge=0,
        title="Bytes that inline pictures may take while nothing needs them; the oldest go first",
    )
    allowed_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        title="Private networks that links and webhooks may lead to, by commas",
    )
    map_retired_models: bool = Field(
        default=True, title="Run a model that its provider retired as its successor"
    )
    envelope: bool = Field(
        default=True, title="Answer a task with the envelope of deployed new-api servers as well"
    )

    newapi_routes: bool = Field(
        default=True,
        title="Answer /api/usage/token, /dashboard/billing, /api/status, /api/pricing as new-api",
    )

    prices: str = Field(
        default=OFF,
        min_length=1,
        title="off, shipped, or a file of prices laid over the shipped ones at the first start",
    )
    unpriced: Literal["refuse", "free"] | None = Field(
        default=None,
        title="What becomes of what has no price: refuse, or free; default: refuse, with prices",
    )
    currency: str = Field(default="USD", title="Of every amount; never changed once money moved")
    currency_rates: Annotated[dict[str, Decimal], NoDecode] = Field(
        default_factory=dict,
        title="How much of another currency one of ours is, such as CNY=7.1, by commas",
    )

    bootstrap_token: SecretStr | None = Field(
        default=None, title="A token to make at start, at least 32 characters"
    )
    metrics: SecretStr = Field(
        default=SecretStr("on"),
        title="/metrics: on, off, token:VALUE, or listen:HOST:PORT for an address of its own",
    )
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.TEXT

    @field_validator("trusted_proxies", "cors_origins", "allowed_networks", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part for part in (part.strip() for part in value.split(",")) if part)
        return value

    @field_validator("currency_rates", mode="before")
    @classmethod
    def _rates(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        parts = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        return {name.strip().upper(): many.strip() for name, _, many in parts}

    @field_validator("currency_rates")
    @classmethod
    def _are_rates(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        for name, many in value.items():
            if not _CURRENCY.fullmatch(name) or not many.is_finite() or many <= 0:
                raise ValueError("must be such as CNY=7.1, with commas between several")
        return value

    @field_validator("currency")
    @classmethod
    def _is_currency(cls, value: str) -> str:
        if not _CURRENCY.fullmatch(value.upper()):
            raise ValueError("must be three letters, such as USD")
        return value.upper()

    @field_validator(
        *("submit_wait", "queue_wait", "submit_timeout", "shutdown_grace", "drain", "keep_inputs"),
        mode="before",
    )
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return float(value) if isinstance(value, str) and not value.startswith("P") else value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        if value is not None and "@" in value.split("/")[2]:
            raise ValueError("must have no user and no password: links in answers begin with it")
        return value.rstrip("/") if value else None

    @field_validator("notice_url")
    @classmethod
    def _is_callable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value

    @field_validator("metrics")
    @classmethod
    def _is_known(cls, value: SecretStr) -> SecretStr:
        word, _, rest = value.get_secret_value().partition(":")
        is_known = {
            "on": rest == "",
            "off": rest == "",
            "token": len(rest) >= _METRICS_TOKEN_CHARACTERS,
            "listen": bool(_ADDRESS.fullmatch(rest)) and int(rest.rpartition(":")[2]) <= _LAST_PORT,
        }
        if not is_known.get(word, False):
            raise ValueError(
                "must be on, off, token:VALUE with a value of at least 16 characters, or "
                "listen:HOST:PORT"
            )
        return value

    @field_validator("bootstrap_token")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        least = 32
        if value is not None and len(value.get_secret_value().removeprefix("sk-")) < least:
            raise ValueError(f"must have at least {least} characters")
        return value

    @property
    def refuses_unpriced(self) -> bool:
        """Whether what has no price is refused, as opposed to free."""
        return (self.unpriced or ("free" if self.prices == OFF else "refuse")) == "refuse"

    @property
    def metrics_here(self) -> bool:
        """Whether `/metrics` is answered where the API is."""
        return self.metrics.get_secret_value().partition(":")[0] in ("on", "token")

    @property
    def metrics_token(self) -> str | None:
        """What has to be sent for metrics, `None` if nothing has."""
        word, _, rest = self.metrics.get_secret_value().partition(":")
        return rest if word == "token" else None

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where metrics have an address of their own."""
        word, _, rest = self.metrics.get_secret_value().partition(":")
        if word != "listen":
            return None
        host, _, port = rest.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def is_embedded(self) -> bool:
        """Whether we run PostgreSQL ourselves."""
        return self.database_url is None


def provider_setting(provider: str, name: str) -> str | None:
    """Read `VIDGATE_<PROVIDER>_<NAME>`, such as `VIDGATE_KLING_KEY`; `None` if unset or empty.

    Which providers there are is the registry's to know, so these are no fields of `Settings`.
    """
    return os.environ.get(provider_variable(provider, name)) or None


def provider_variable(provider: str, name: str) -> str:
    """The name of a variable of a provider's, such as `VIDGATE_KLING_KEY`."""
    return f"VIDGATE_{provider.upper()}_{name}"
