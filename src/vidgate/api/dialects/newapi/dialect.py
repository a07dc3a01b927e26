"""The new-api dialect."""

from vidgate.api.dialect import Dialect
from vidgate.api.dialects.newapi.routes import poll_route, router

__all__ = ["DIALECT"]

DIALECT = Dialect(prefixes=("/v1",), routers=(router,), polls=(poll_route,))
