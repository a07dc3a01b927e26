"""Nobody keeps others out by holding connections."""

from ipaddress import IPv4Network, IPv6Network

import pytest
from structlog.testing import capture_logs

from vidgate.cli.bounds import ConnectionBounds

ONE, OTHER = "192.0.2.1", "192.0.2.2"
PROXIES = (IPv4Network("10.0.0.0/24"), IPv6Network("fd00::/8"))


def test_one_address_has_a_share() -> None:
    bounds = ConnectionBounds(8)

    assert [bounds.enter(ONE) for _ in range(3)] == [True, True, False]
    assert bounds.enter(OTHER)
    for _ in range(2):
        bounds.leave(ONE)
    assert bounds.enter(ONE)


@pytest.mark.parametrize("address", ["10.0.0.7", "fd00::7", "127.0.0.1", "::1", ""])
def test_who_speaks_for_many_has_all(address: str) -> None:
    bounds = ConnectionBounds(8, proxies=PROXIES)

    assert [bounds.enter(address) for _ in range(9)] == [True] * 8 + [False]
    assert not bounds.enter(ONE)


def test_it_is_told_once_until_it_is_over() -> None:
    bounds = ConnectionBounds(8)

    with capture_logs() as logs:
        for _ in range(2):
            for _ in range(5):
                bounds.enter(ONE)
            for _ in range(5):
                bounds.leave(ONE)

    assert [(entry["address"], entry["most"]) for entry in logs] == [(ONE, 2)] * 2


def test_nothing_is_remembered_of_who_left() -> None:
    bounds = ConnectionBounds(8)
    for number in range(1000):
        bounds.enter(f"192.0.2.{number}")
        bounds.leave(f"192.0.2.{number}")

    assert not bounds._by_address
    assert not bounds._told
