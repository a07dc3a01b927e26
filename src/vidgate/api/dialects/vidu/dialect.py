"""Vidu's own format."""

from vidgate.api.dialect import Dialect
from vidgate.api.dialects.vidu.errors import write_error
from vidgate.api.dialects.vidu.routes import router

__all__ = ["DIALECT"]

DIALECT = Dialect(prefixes=("/vidu",), routers=(router,), errors={"/vidu": write_error})
