"""Webhook endpoints of accounts: made, changed, tried and removed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import orjson

from vidgate.constants import WEBHOOK_ENDPOINTS
from vidgate.db.clock import Clock
from vidgate.db.webhooks import WebhookStore
from vidgate.exceptions import (
    ConfigurationError,
    ConflictError,
    InvalidParameterError,
    NotFoundError,
)
from vidgate.models.accounts import Sight
from vidgate.models.acts import Author
from vidgate.models.ids import (
    ENDPOINT_PREFIX,
    EVENT_PREFIX,
    TASK_PREFIX,
    new_id,
    parse_public_id,
    public_id,
)
from vidgate.models.webhooks import EventType, WebhookEndpoint
from vidgate.providers.transport.guard import Network, UnsafeUrlError, check_url
from vidgate.services.deliveries.sender import WebhookSender
from vidgate.services.deliveries.webhook_secrets import (
    WebhookSecrets,
    hint_of,
    new_webhook_secret,
)
from vidgate.services.secrets import Purpose, SecretBox

__all__ = ["WebhookEndpoints"]

_NAME_CHARACTERS: Final = 255


class WebhookEndpoints:
    """What clients may do with the endpoints in sight, and their operator for them.

    Who sees only what is its own is told only of that by its endpoints.

    What an operator does names its author, `by`, and is written down as an act.

    Args:
        allowed_networks: Where webhooks may go although it is not public.
    """

    def __init__(
        self,
        *,
        store: WebhookStore,
        secrets: WebhookSecrets,
        box: SecretBox,
        sender: WebhookSender,
        clock: Clock,
        allowed_networks: Sequence[Network],
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._box = box
        self._sender = sender
        self._clock = clock
        self._allowed_networks = allowed_networks

    async def create(
        self,
        sight: Sight,
        *,
        name: str,
        url: str,
        event_types: Sequence[str],
        by: Author | None = None,
    ) -> tuple[WebhookEndpoint, str]:
        """Make an endpoint, which is told of the tasks in sight.

        Returns:
            The endpoint and its secret, which is shown this once.

        Raises:
            InvalidParameterError: A value is impossible; it names the field.
            ConflictError: The account has as many as it may have.
        """
        name, url = _checked_name(name), self._checked_url(url)
        types = _checked_types(event_types)
        secret = new_webhook_secret()
        made = await self._store.create(
            sight,
            name=name,
            url=url,
            event_types=types,
            secret=self._box.encrypt(Purpose.WEBHOOK, secret),
            most=WEBHOOK_ENDPOINTS,
            author=by,
        )
        if made is None:
            raise ConflictError(
                f"An account may have {WEBHOOK_ENDPOINTS} webhook endpoints; delete one first.",
                code="too_many_webhook_endpoints",
            )
        return replace(made, secret_hint=hint_of(secret)), secret

    async def one(self, sight: Sight, endpoint_id: str) -> WebhookEndpoint:
        """One endpoint.

        Raises:
            NotFoundError: There is no such endpoint in sight.
        """
        known = parse_public_id(ENDPOINT_PREFIX, endpoint_id)
        endpoint = await self._store.one(known) if known else None
        if endpoint is None or not sight.covers(endpoint):
            raise NotFoundError(
                f"There is no webhook endpoint {endpoint_id[:40]!r}.",
                param="webhook_endpoint_id",
            )
        return await self._hinted(endpoint)

    async def find(self, name_or_id: str) -> WebhookEndpoint:
        """The endpoint of that id, or the only one of that name, whoever's it is.

        Raises:
            ConfigurationError: There is none, or more than one.
        """
        known = parse_public_id(ENDPOINT_PREFIX, name_or_id)
        endpoint = await self._store.one(known) if known else None
        if endpoint is not None:
            return await self._hinted(endpoint)
        named = [one for one in await self._store.every() if one.name == name_or_id]
        if not named:
            raise ConfigurationError(
                f"There is no webhook endpoint {name_or_id!r}; `vidgate webhook list` shows them."
            )
        if len(named) > 1:
            ids = ", ".join(one.public_id for one in named)
            raise ConfigurationError(f"There is more than one endpoint of that name: {ids}.")
        return await self._hinted(named[0])

    async def require_enabled(self, endpoint_id: UUID) -> None:
        """Check that webhooks go to an endpoint.

        Raises:
            ConfigurationError: It was deleted, or it is disabled.
        """
        endpoint = await self._store.one(endpoint_id)
        if endpoint is None:
            raise ConfigurationError("Its endpoint was deleted.")
        if endpoint.disabled_reason is not None:
            raise ConfigurationError(
                f"The endpoint is disabled: {endpoint.disabled_reason} "
                f"`vidgate webhook set {endpoint.public_id} --enable` enables it."
            )

    async def page(
        self, sight: Sight, *, after: str | None, limit: int
    ) -> tuple[list[WebhookEndpoint], bool]:
        """The endpoints in sight, newest first, and whether more follow.

        Raises:
            NotFoundError: `after` is no endpoint in sight.
        """
        last = None if after is None else await self.one(sight, after)
        found = await self._store.page(sight, after=last, limit=limit + 1)
        return [await self._hinted(one) for one in found[:limit]], len(found) > limit

    async def update(
        self,
        sight: Sight,
        endpoint_id: str,
        *,
        name: str | None = None,
        url: str | None = None,
        event_types: Sequence[str] | None = None,
        disabled_reason: str | None = None,
        by: Author | None = None,
    ) -> WebhookEndpoint:
        """Change an endpoint; what is `None` stays. A disabled one is enabled again.

        With a `disabled_reason` it is disabled.

        Raises:
            NotFoundError: There is no such endpoint in sight.
            InvalidParameterError: A value is impossible; it names the field.
        """
        endpoint = await self.one(sight, endpoint_id)
        changed = replace(
            endpoint,
            name=endpoint.name if name is None else _checked_name(name),
            url=endpoint.url if url is None else self._checked_url(url),
            event_types=endpoint.event_types
            if event_types is None
            else tuple(_checked_types(event_types)),
            disabled_reason=disabled_reason,
        )
        if changed == endpoint:
            return endpoint
        written = await self._store.update(changed, by)
        if written is None:
            raise NotFoundError("The webhook endpoint was deleted.", param="webhook_endpoint_id")
        return replace(written, secret_hint=endpoint.secret_hint)

    async def remove(self, sight: Sight, endpoint_id: str, *, by: Author | None = None) -> None:
        """Remove an endpoint; what is on its way to it is given up.

        Raises:
            NotFoundError: There is no such endpoint in sight.
        """
        endpoint = await self.one(sight, endpoint_id)
        await self._store.remove(endpoint, by)

    async def rotate_secret(
        self,
        sight: Sight,
        endpoint_id: str,
        *,
        overlap: timedelta,
        by: Author | None = None,
    ) -> tuple[WebhookEndpoint, str]:
        """Give an endpoint a new secret; the old one signs beside it for `overlap`.

        Raises:
            NotFoundError: There is no such endpoint in sight.
        """
        endpoint = await self.one(sight, endpoint_id)
        secret, written = await self._secrets.rotate(
            endpoint.account_id, endpoint.id, overlap=overlap, by=by
        )
        return replace(written or endpoint, secret_hint=hint_of(secret)), secret

    async def try_out(self, sight: Sight, endpoint_id: str, event_type: str) -> int:
        """Send a test event at once.

        Returns:
            The status that the endpoint answered.

        Raises:
            NotFoundError: There is no such endpoint in sight.
            InvalidParameterError: There is no such event.
            ConflictError: The endpoint did not answer.
        """
        endpoint = await self.one(sight, endpoint_id)
        [event] = _checked_types([event_type], param="event_type")
        now = self._clock.now()
        event_id = public_id(EVENT_PREFIX, new_id())
        body = orjson.dumps(
            {
                "id": event_id,
                "object": "event",
                "type": event.value,
                "created_at": int(now.timestamp()),
                "data": {"id": public_id(TASK_PREFIX, UUID(int=0))},
                "test": True,
            }
        ).decode()
        sent = await self._sender.send(
            endpoint.url,
            body,
            account_id=endpoint.account_id,
            endpoint_id=endpoint.id,
            event_id=event_id,
            now=now,
        )
        if sent.answer is None:
            raise ConflictError(
                f"The endpoint did not answer: {sent.error}", code="webhook_endpoint_unreachable"
            )
        return sent.answer.status

    async def _hinted(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        secret = await self._secrets.current(endpoint.account_id, endpoint.id)
        return replace(endpoint, secret_hint=hint_of(secret))

    def _checked_url(self, url: str) -> str:
        try:
            check_url(url, allowed_networks=self._allowed_networks)
        except UnsafeUrlError as error:
            raise InvalidParameterError(f"url cannot be called: {error}", param="url") from None
        return url


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= _NAME_CHARACTERS or not name.isprintable():
        raise InvalidParameterError(
            f"name must have 1 to {_NAME_CHARACTERS} printable characters.", param="name"
        )
    return name


def _checked_types(names: Sequence[str], *, param: str = "event_types") -> list[EventType]:
    known = {event.value: event for event in EventType}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        allowed = ", ".join(known)
        raise InvalidParameterError(f"{param} must be among {allowed}.", param=param)
    return [event for event in EventType if event.value in names]
