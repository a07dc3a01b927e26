"""Kling's own format."""

from vidgate.api.dialect import Dialect
from vidgate.api.dialects.kling.authentication import authenticate
from vidgate.api.dialects.kling.errors import write_error
from vidgate.api.dialects.kling.routes import router

__all__ = ["DIALECT"]

DIALECT = Dialect(
    prefixes=("/kling",),
    routers=(router,),
    errors={"/kling": write_error},
    schemes={"/kling/v1": authenticate, "/kling/account": authenticate},
)
