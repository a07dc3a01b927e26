"""Jimeng's own format."""

import re

from starlette.types import Scope

from vidgate.api.dialect import Dialect
from vidgate.api.dialects.jimeng.authentication import authenticate
from vidgate.api.dialects.jimeng.errors import write_error
from vidgate.api.dialects.jimeng.routes import router

__all__ = ["DIALECT"]

_ACTION = re.compile(rb"(?:^|&)Action=")


def _has_action(scope: Scope) -> bool:
    """Whether it is a call: the vendor's SDK can set a host but no path."""
    return _ACTION.search(scope["query_string"]) is not None


DIALECT = Dialect(
    prefixes=("/jimeng",),
    routers=(router,),
    errors={"/jimeng": write_error, "/": write_error},
    schemes={"/jimeng": authenticate, "/": authenticate},
    claims_root=_has_action,
)
