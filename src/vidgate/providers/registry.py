"""The one list of providers."""

from collections.abc import Mapping

from vidgate.providers.base import Provider
from vidgate.providers.jimeng import Jimeng
from vidgate.providers.kling import Kling
from vidgate.providers.openai_compatible import OpenAICompatible
from vidgate.providers.vidu import Vidu

__all__ = ["PROVIDERS", "build_providers"]

PROVIDERS: tuple[type[Provider], ...] = (Kling, Jimeng, Vidu, OpenAICompatible)


def build_providers(*, map_retired_models: bool) -> Mapping[str, Provider]:
    """Make each provider's adapter, by name."""
    return {one.name: one(map_retired_models=map_retired_models) for one in PROVIDERS}
