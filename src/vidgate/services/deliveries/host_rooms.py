"""How many webhooks may be on their way to each host, as it bears them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vidgate.constants import (
    WEBHOOK_FAILURES,
    WEBHOOK_MAX_PAUSE,
    WEBHOOK_PAUSE,
    WEBHOOKS_PER_HOST,
)

__all__ = ["HostRooms"]


@dataclass(slots=True)
class _Host:
    """What is known of one host.

    Attributes:
        under_way: Tries that have no answer yet.
        failures: Tries in a row that the host did not answer.
        closed_until: Before which a failing host is left alone.
    """

    under_way: int = 0
    failures: int = 0
    closed_until: datetime | None = None

    def room(self, now: datetime) -> int:
        if self.closed_until is None:
            return max(0, WEBHOOKS_PER_HOST - self.under_way)
        return 1 if now >= self.closed_until and not self.under_way else 0


class HostRooms:
    """A breaker and a limit for each host, in this process.

    A host that does not answer is asked by one try at a time, after pauses that grow, so that its
    timeouts take little of what all hosts share.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def free(self, now: datetime) -> Mapping[str, int]:
        """The room of every host that does not have the ordinary one."""
        return {name: host.room(now) for name, host in self._hosts.items()}

    def enter(self, name: str) -> None:
        """Count a try that begins."""
        self._hosts.setdefault(name, _Host()).under_way += 1

    def leave(self, name: str, *, answered: bool | None, now: datetime) -> None:
        """Count a try that ended.

        Args:
            name: The host.
            answered: Whether the host answered, whatever it said; `None` where it was not asked.
            now: Database time.
        """
        host = self._hosts[name]
        host.under_way -= 1
        if answered:
            host.failures, host.closed_until = 0, None
        elif answered is False:
            host.failures += 1
            if host.failures >= WEBHOOK_FAILURES:
                doublings = min(host.failures - WEBHOOK_FAILURES, 16)
                pause = min(WEBHOOK_PAUSE * 2**doublings, WEBHOOK_MAX_PAUSE)
                host.closed_until = now + pause
        if not host.under_way and not host.failures:
            del self._hosts[name]
