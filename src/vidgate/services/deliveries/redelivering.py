"""Sending again what did not arrive, on an operator's word."""

from datetime import datetime

from vidgate.db.clock import Clock
from vidgate.db.deliveries import DeliveryStore
from vidgate.exceptions import ConfigurationError
from vidgate.models.acts import Author
from vidgate.models.ids import EVENT_PREFIX, parse_public_id
from vidgate.models.webhooks import Delivery
from vidgate.services.deliveries.endpoints import WebhookEndpoints

__all__ = ["Redelivering"]


class Redelivering:
    """Begins the schedule of deliveries anew; their ids stay, so that a receiver knows them."""

    def __init__(
        self, *, deliveries: DeliveryStore, endpoints: WebhookEndpoints, clock: Clock
    ) -> None:
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._clock = clock

    async def one(self, delivery_id: str, by: Author) -> Delivery:
        """Send one again, also one that has arrived.

        Raises:
            ConfigurationError: There is none of that id, or it is being sent at this moment.
        """
        known = parse_public_id(EVENT_PREFIX, delivery_id)
        found = await self._deliveries.one(known) if known else None
        if found is None:
            raise ConfigurationError(
                "There is no delivery of that id; `vidgate webhook deliveries` shows them."
            )
        if found.endpoint_id is not None:
            await self._endpoints.require_enabled(found.endpoint_id)
        again = await self._deliveries.redeliver(found.id, self._clock.now(), by)
        if again is None:
            raise ConfigurationError("It is being sent at this moment; look again in a minute.")
        return again

    async def since(self, endpoint: str, since: datetime, by: Author) -> int:
        """Send everything again that an endpoint missed since then.

        Args:
            endpoint: Its name or id.
            since: The earliest moment of what is sent again.
            by: Who wants it.

        Returns:
            How many.

        Raises:
            ConfigurationError: There is no such endpoint, or it is disabled.
        """
        found = await self._endpoints.find(endpoint)
        await self._endpoints.require_enabled(found.id)
        return await self._deliveries.recover(found.id, since, self._clock.now(), by)
