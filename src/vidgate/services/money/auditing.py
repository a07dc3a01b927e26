"""The books, proved once a day by one of the processes."""

from datetime import timedelta
from typing import Final

import structlog

from vidgate.db.engine import Database
from vidgate.db.ledger_check import check_books, claim_check
from vidgate.services.metrics import Metrics

__all__ = ["Auditor"]

_log = structlog.get_logger(__name__)

_EVERY: Final = timedelta(hours=24)
_QUESTION_SECONDS: Final = 60.0
"""A process that stops waits for the question under way."""


class Auditor:
    """Proves the books, and tells metrics and the log of what is wrong."""

    def __init__(self, *, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def round(self) -> None:
        """Prove the books if nobody has done so for a day."""
        if not await claim_check(self._database, _EVERY):
            return
        wrong = await check_books(self._database, seconds=_QUESTION_SECONDS)
        self._metrics.ledger(0 if wrong is None else max(1, wrong.micros))
        if wrong is not None:
            _log.error("The books are wrong; `vidgate ledger check` tells", told=wrong.sentence)
