"""Kling AI video generation, both generations of its API."""

from vidgate.providers.kling.adapter import Kling

__all__ = ["Kling"]
