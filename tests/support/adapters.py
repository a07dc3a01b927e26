"""Every adapter as the tests ask it: its channel, its submits, its polls, and their answers."""

from datetime import UTC, datetime
from typing import Final

from vidgate.providers.registry import build_providers

__all__ = ["ADAPTERS", "NOW"]

NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADAPTERS: Final = build_providers(map_retired_models=True)
