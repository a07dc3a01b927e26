"""How many connections a server takes, in all and from one address."""

import resource
from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address

import structlog

from vidgate.config import Network

__all__ = ["ConnectionBounds"]

_log = structlog.get_logger(__name__)

_SHARE = 4
"""One address has at most this part of all connections."""

_RESERVED = 4
"""This part of the open files is for what we open ourselves, to providers and the database."""


class ConnectionBounds:
    """Counts the connections of one server.

    What is idle holds a file, and without a bound whoever opens a thousand of them keeps everybody
    else out.

    Args:
        most: In all.
        proxies: Whose addresses have no bound of their own.
    """

    def __init__(self, most: int, *, proxies: Iterable[Network] = ()) -> None:
        self._most = most
        self._share = max(most // _SHARE, 1)
        self._proxies = tuple(proxies)
        self._by_address: Counter[str] = Counter()
        self._total = 0
        self._told: set[str | None] = set()

    @classmethod
    def of_process(cls, *, proxies: Iterable[Network] = ()) -> "ConnectionBounds":
        """Take as many as the open files allow."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(files - files // _RESERVED, proxies=proxies)

    def enter(self, address: str) -> bool:
        """Count a connection; whether it may be served. It has to `leave` in any case."""
        self._total += 1
        self._by_address[address] += 1
        if self._total > self._most:
            self._tell(None, self._most)
            return False
        if self._by_address[address] > self._share and not self._is_many(address):
            self._tell(address, self._share)
            return False
        return True

    def leave(self, address: str) -> None:
        """Count it no longer."""
        self._total -= 1
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]
        # What was told is told again only after it was over.
        if self._total <= self._most // 2:
            self._told.discard(None)
        if self._by_address.get(address, 0) <= self._share // 2:
            self._told.discard(address)

    def _is_many(self, address: str) -> bool:
        """Whether many may be behind an address: proxies, and whoever is on this machine."""
        try:
            parsed = ip_address(address)
        except ValueError:  # a socket without one
            return True
        return parsed.is_loopback or any(parsed in network for network in self._proxies)

    def _tell(self, address: str | None, most: int) -> None:
        if address not in self._told:
            self._told.add(address)
            _log.warning("Too many connections; more are closed", address=address, most=most)
