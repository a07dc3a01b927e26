"""Adapter for any server that speaks OpenAI's videos format."""

from vidgate.providers.openai_compatible.adapter import OpenAICompatible

__all__ = ["OpenAICompatible"]
