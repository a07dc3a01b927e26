"""vidgate: one HTTP API in front of many video generation providers."""

__version__ = "0.1.0"
