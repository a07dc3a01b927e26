"""Logging: one line an event, one form, and no secrets."""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

import structlog
from structlog.typing import EventDict
from typing_extensions import override

from vidgate.config import LogFormat, Settings

__all__ = ["configure_logging", "mask"]

_SECRETS = (
    ("sk-", re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"), "sk-***"),
    (
        "bearer",
        re.compile(r"\b(bearer:?\s++)[A-Za-z0-9._~+/=|-]{16,}+", re.IGNORECASE),
        r"\1***",
    ),
    (
        "token",
        re.compile(r"\b(token:?\s++)[A-Za-z0-9._~+/=|-]{16,}+", re.IGNORECASE),
        r"\1***",
    ),
    (
        "eyj",
        re.compile(
            r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++\.)"
            r"((?:[A-Za-z0-9_-]*-)?)eyJ[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++\.[A-Za-z0-9_-]*+"
        ),
        r"\1***",
    ),
    (
        "|",
        re.compile(r"(?<![A-Za-z0-9._~+/=-])[A-Za-z0-9._~+/=-]{8,}+\|[A-Za-z0-9._~+/=|-]{8,}+"),
        "***|***",
    ),
    ("/callbacks/", re.compile(r"(/callbacks/[^/\s\"'?]+/)[^/\s\"'?]+"), r"\1***"),
    ("/content/", re.compile(r"(/content/)[A-Za-z0-9_-]{32,}"), r"\1***"),
    ("://", re.compile(r"(://[^/@\s:\"'\\]*:)[^/@\s\"'\\]+@"), r"\1***@"),
)
"""Tokens, `Authorization` values, signed tokens, two-part credentials, the addresses that
providers call, content links, passwords in URLs; before each a marker, in small letters, without
which there is none: looking for it costs a hundredth. No letter is looked at again and again: a
client's words may be in a line, and for 60,000 letters that took ten seconds."""

_QUIET_LOGGERS = ("uvicorn.access", "httpx", "httpcore", "alembic.runtime.plugins")
"""Loggers that say at every step what we say ourselves, or what nobody asked for."""

_HANDLER = "vidgate"

_Form: TypeAlias = Callable[[EventDict], str]


def mask(text: str) -> str:
    """Blot out whatever looks like a secret.

    The last line of defence: what logs should not have got one in the first place.
    """
    # What is put in the place of a secret holds no marker that stands behind its own.
    small = text.lower()
    for marker, pattern, replacement in _SECRETS:
        if marker in small:
            text = pattern.sub(replacement, text)
    return text


def configure_logging(settings: Settings) -> None:
    """Send our log and that of the libraries to standard error, in the form that was set.

    May be called again; handlers that others added stay.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    form = _FORMS[settings.log_format]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level],
        logger_factory=partial(_Logger, form),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = _StandardError()
    handler.set_name(_HANDLER)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.StackInfoRenderer(),
                structlog.stdlib.ExtraAdder(),
                _drop_colours,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                lambda _logger, _name, event: _line(form, event),
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


def _line(form: _Form, event: EventDict) -> str:
    """Write an event as a line of the log, or several if it has a traceback."""
    event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    if event.get("exc_info"):
        event = structlog.processors.format_exc_info(None, "", event)
    # As it will be written: nothing that a form makes can slip by.
    line = mask(form(event))
    return line if line.isprintable() else line.translate(_CONTROLS)


_BELOW = ("stack", "exception")
"""What is written below its line."""

_AMBIGUOUS = re.compile(r"[ \t=\r\n\"']")
"""What a text can't hold without quotes around it."""

_to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


def _to_text(event: EventDict) -> str:
    """Write an event as structlog's console does without colours, in a tenth of the time."""
    below = [event.pop(name) for name in _BELOW if name in event]
    parts = [f"{event.pop('timestamp')} [{event.pop('level'):<9}] {event.pop('event')!s:<30}"]
    if logger := event.pop("logger", ""):
        parts.append(f"[{logger}]")
    parts += [f"{key}={_value(event[key])}" for key in sorted(event)]
    return "\n".join([" ".join(parts), *below])


def _value(value: object) -> str:
    return value if isinstance(value, str) and not _AMBIGUOUS.search(value) else repr(value)


_FORMS: Mapping[LogFormat, _Form] = {LogFormat.TEXT: _to_text, LogFormat.JSON: _to_json}


def _drop_colours(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Leave out uvicorn's second copy of its message, the one for terminals."""
    event.pop("color_message", None)
    return event


_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in {9, 10}
}
"""What a client can put into a path must not move the cursor of whoever reads the log."""


def _write(line: str) -> None:
    """Write to what `sys.stderr` is at this moment."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _Logger:
    """Writes what one module tells, without the detour over a `LogRecord`."""

    def __init__(self, form: _Form, name: str = "") -> None:
        self._form = form
        self._name = name

    def write(self, /, **event: Any) -> None:
        event["logger"] = self._name
        try:
            _write(_line(self._form, event))
        except Exception as error:  # noqa: BLE001 - logging must never break what it tells of
            self._tell_of(error)

    debug = info = warning = error = critical = write

    def _tell_of(self, error: Exception) -> None:
        event = {"event": "A line could not be logged", "level": "error", "logger": self._name}
        with suppress(Exception):
            _write(_line(self._form, event | {"reason": type(error).__name__}))


class _StandardError(logging.Handler):
    """Writes what libraries tell."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            _write(self.format(record))
        except Exception:  # noqa: BLE001 - logging must never break what it tells of
            self.handleError(record)
