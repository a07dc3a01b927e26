"""The OpenAI dialect."""

from vidgate.api.dialect import Dialect
from vidgate.api.dialects.openai import content, routes
from vidgate.api.dialects.openai.errors import write_error
from vidgate.api.dialects.openai.polling import poll_route

__all__ = ["DIALECT"]

DIALECT = Dialect(
    prefixes=("/v1",),
    routers=(content.router, routes.router),
    polls=(poll_route,),
    errors={"/v1/videos": write_error},
)
