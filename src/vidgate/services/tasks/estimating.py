"""What a request would cost, made of it as a submit makes it and not stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from vidgate.models.accounts import Caller
from vidgate.models.money import Hold
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskWarning
from vidgate.services.tasks.planning import Planner
from vidgate.services.views.estimates import Estimates

__all__ = ["Estimator", "Preview"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would come of a request.

    Attributes:
        outputs: How many videos.
        holds: What would be held for each of them; empty without prices.
        warnings: What would not be done to the letter.
        usual: How long such a video takes once it runs, `None` where nobody knows.
        queue: How many wait where it would begin.
    """

    outputs: int
    holds: Sequence[Hold]
    warnings: Sequence[TaskWarning]
    usual: timedelta | None
    queue: int


class Estimator:
    """Goes the way of a submit up to where it is stored. Nothing is written, nobody is asked."""

    def __init__(self, *, planner: Planner, estimates: Estimates) -> None:
        self._planner = planner
        self._estimates = estimates

    async def preview(self, caller: Caller, request: VideoRequest, *, dialect: str) -> Preview:
        """Tell what would come of a request.

        What an account or a token has left is no part of it: whoever has too little asks this too.

        Raises:
            RequestError: As a submit would be refused before it is stored.
        """
        prepared = await self._planner.prepare(caller, request, {})
        plan = await self._planner.plan(caller, prepared, dialect=dialect)
        options = [option.attempt for option in plan.options[0]]
        usual = await self._estimates.usual(options[0].channel_id, options[0].upstream_model)
        return Preview(
            outputs=len(plan.options),
            holds=plan.holds,
            warnings=plan.task.warnings,
            usual=options[0].pace.usual if usual is None else usual,
            queue=await self._estimates.waiting([one.channel_id for one in options]),
        )
