"""The pauses in a text that a lip-sync speaks.

Source: https://platform.vidu.com/docs (lip-sync), read 2026-11-20.
"""

import re

from vidgate.exceptions import UnsupportedParameterError

__all__ = ["check_pauses"]

_PAUSE = re.compile(r"<#\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*#>")
"""Such as `<#1.5#>`, in seconds; what is written otherwise is the vendor's to read."""

_SHORTEST_SECONDS = 0.01
_LONGEST_SECONDS = 99.99


def check_pauses(text: object, param: str) -> None:
    """Refuse a pause that is too short or too long.

    Args:
        text: As it is sent; what is no text passes.
        param: What the client wrote it as.

    Raises:
        UnsupportedParameterError: There is one.
    """
    pauses = map(float, _PAUSE.findall(text)) if isinstance(text, str) else ()
    if not all(_SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS for seconds in pauses):
        raise UnsupportedParameterError(
            param, f"A pause lasts from {_SHORTEST_SECONDS} to {_LONGEST_SECONDS} seconds."
        )
