"""Logging: one handler, one form, and no secrets."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor
from typing_extensions import override

from vidgate.config import LogFormat, Settings

__all__ = ["configure_logging", "mask"]

_SECRETS = (
    (re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"), "sk-***"),
    (re.compile(r"\b((?:bearer|token):?\s++)[A-Za-z0-9._~+/=|-]{16,}+", re.IGNORECASE), r"\1***"),
    (
        re.compile(
            r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++\.)"
            r"((?:[A-Za-z0-9_-]*-)?)eyJ[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++\.[A-Za-z0-9_-]*+"
        ),
        r"\1***",
    ),
    (
        re.compile(r"(?<![A-Za-z0-9._~+/=-])[A-Za-z0-9._~+/=-]{8,}+\|[A-Za-z0-9._~+/=|-]{8,}+"),
        "***|***",
    ),
    (re.compile(r"(/callbacks/[^/\s\"'?]+/)[^/\s\"'?]+"), r"\1***"),
    (re.compile(r"(/content/)[A-Za-z0-9_-]{32,}"), r"\1***"),
    (re.compile(r"(://[^/@\s:\"'\\]*:)[^/@\s\"'\\]+@"), r"\1***@"),
)
"""Tokens, `Authorization` values, signed tokens, two-part credentials, the addresses that
providers call, content links, passwords in URLs. No letter is looked at again and again: a client's
words may be in a line, and for 60,000 letters that took ten seconds."""

_QUIET_LOGGERS = ("uvicorn.access", "httpx", "httpcore", "alembic.runtime.plugins")
"""Loggers that say at every step what we say ourselves, or what nobody asked for."""

_HANDLER = "vidgate"


def mask(text: str) -> str:
    """Blot out whatever looks like a secret.

    The last line of defence: what logs should not have got one in the first place.
    """
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def configure_logging(settings: Settings) -> None:
    """Send our log and that of the libraries to standard error, in the form that was set.

    May be called again; handlers that others added stay.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = _StandardError()
    handler.set_name(_HANDLER)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _drop_colours],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings.log_format),
                _mask_line,
            ],
        )
    )
    root = logging.getLogger()
    for other in [other for other in root.handlers if other.get_name() == _HANDLER]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.NOTSET)
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _renderers(log_format: LogFormat) -> list[Processor]:
    if log_format is LogFormat.JSON:
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _drop_colours(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Leave out uvicorn's second copy of its message, the one for terminals."""
    event.pop("color_message", None)
    return event


_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in {9, 10}
}
"""What a client can put into a path must not move the cursor of whoever reads the log."""


def _mask_line(_logger: Any, _name: str, event: EventDict | str) -> str:
    """Mask the line as it will be written: nothing that a renderer makes can slip by."""
    return mask(str(event)).translate(_CONTROLS)


class _StandardError(logging.Handler):
    """Writes to what `sys.stderr` is at that moment."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - logging must never break what it tells of
            self.handleError(record)
