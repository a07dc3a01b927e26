"""Adapter for Vidu: text, first frame, first and last frame, and references to video."""

from vidgate.providers.vidu.adapter import Vidu

__all__ = ["Vidu"]
