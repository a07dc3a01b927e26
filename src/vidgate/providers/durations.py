"""What every provider makes of a duration of 0."""

from collections.abc import Sequence

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest

__all__ = ["refuse_zero"]


def refuse_zero(request: VideoRequest, allowed: Sequence[int] = ()) -> None:
    """Refuse a duration of 0, which means an automatic one, where a model has none.

    Args:
        request: As it came.
        allowed: Whole seconds that the model does take, where they are known.

    Raises:
        UnsupportedParameterError: The duration is 0.
    """
    if request.duration_seconds == 0:
        raise UnsupportedParameterError(
            "duration",
            "Only a model that chooses the length of a video itself takes 0 here; send a number "
            "of seconds.",
            allowed=allowed,
        )
