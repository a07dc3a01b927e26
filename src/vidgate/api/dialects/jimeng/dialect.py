"""Jimeng's own format."""

import re

from starlette.types import Scope

from vidgate.api.dialect import Dialect
from vidgate.api.dialects.jimeng.authentication import authenticate
from vidgate.api.dialects.jimeng.errors import write_error
from vidgate.api.dialects.jimeng.routes import router, write_callback

__all__ = ["DIALECT"]

_ACTION = re.compile(rb"(?:^|&)Action=")


def _has_action(scope: Scope) -> bool:
    """Whether it is a call: the vendor's SDK can set a host but no path."""
    return _ACTION.search(scope["query_string"]) is not None


DIALECT = Dialect(
    name="jimeng",
    prefixes=("/jimeng",),
    routers=(router,),
    errors={"/jimeng": write_error, "/": write_error},
    schemes={"/jimeng": authenticate, "/": authenticate},
    write_callback=write_callback,
    claims_root=_has_action,
)
