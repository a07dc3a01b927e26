"""The one list of stand-ins."""

from collections.abc import Mapping

from vidgate.sandbox.jimeng import Jimeng
from vidgate.sandbox.kling import Kling
from vidgate.sandbox.openai import OpenAI
from vidgate.sandbox.seedance import Seedance
from vidgate.sandbox.stand_in import StandIn
from vidgate.sandbox.vidu import Vidu

__all__ = ["SANDBOX_KEYS", "SANDBOX_MODELS", "STAND_INS"]

STAND_INS: tuple[type[StandIn], ...] = (Kling, Jimeng, Vidu, Seedance, OpenAI)

SANDBOX_KEYS: Mapping[str, str] = {one.name: one.key for one in STAND_INS}
"""One accepted credential for each provider, as an operator would type it."""

SANDBOX_MODELS: Mapping[str, tuple[str, ...]] = {
    one.name: one.models for one in STAND_INS if one.models
}
"""The models of those that have none by name, which a channel has to list."""
