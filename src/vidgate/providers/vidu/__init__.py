"""Adapter for Vidu: videos from text and pictures, templates, and what is done to videos."""

from vidgate.providers.vidu.adapter import Vidu

__all__ = ["Vidu"]
