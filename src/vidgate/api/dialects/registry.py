"""The one list of dialects."""

from vidgate.api.dialect import Dialect
from vidgate.api.dialects.jimeng.dialect import DIALECT as JIMENG
from vidgate.api.dialects.kling.dialect import DIALECT as KLING
from vidgate.api.dialects.newapi.dialect import DIALECT as NEWAPI
from vidgate.api.dialects.openai.dialect import DIALECT as OPENAI
from vidgate.api.dialects.vidu.dialect import DIALECT as VIDU

__all__ = ["DIALECTS"]

DIALECTS: tuple[Dialect, ...] = (NEWAPI, OPENAI, KLING, JIMENG, VIDU)
