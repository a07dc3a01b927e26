"""Remarks on a request that was not carried out to the letter."""

from collections.abc import Iterable
from typing import assert_never

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskWarning, WarningCode
from vidgate.providers.base import Translation

__all__ = ["check_strict", "make_warnings", "warnings_of"]

_MOST = 20
"""Warnings of one code that a task keeps: the names of unknown fields are the client's, and there
may be thousands of them."""

_NAME_CHARACTERS = 100
"""What is kept of a name; no documented one has half of it."""

_REST = "..."
"""Stands for the fields that are not named one by one."""

_MEASURES = frozenset({"size", "duration", "seconds"})
"""Fields that are taken to the nearest value. A model is replaced where it is retired, and any
other field has the value that the rest needs."""


def warnings_of(request: VideoRequest, translation: Translation) -> tuple[TaskWarning, ...]:
    """The remarks on a request as it is sent.

    Args:
        request: With what its dialect had no use for.
        translation: With what its adapter did.
    """
    return make_warnings(
        ignored=(*translation.ignored, *request.ignored),
        adjusted=translation.adjusted,
        unknown=translation.unknown,
    )


def make_warnings(
    *,
    ignored: Iterable[str] = (),
    adjusted: Iterable[str] = (),
    unknown: Iterable[str] = (),
) -> tuple[TaskWarning, ...]:
    """Write warnings, each field once.

    Args:
        ignored: Names of fields.
        adjusted: Names with values, as `size=1:1@720p`.
        unknown: Names of fields.
    """
    return (
        *_one_by_one(WarningCode.IGNORED, ignored),
        *_one_by_one(WarningCode.ADJUSTED, adjusted),
        *_one_by_one(WarningCode.UNKNOWN, unknown),
    )


def check_strict(translation: Translation) -> None:
    """Refuse what would otherwise be a warning, under `Prefer: handling=strict`.

    Raises:
        UnsupportedParameterError: It names the field.
    """
    for name in translation.ignored:
        raise UnsupportedParameterError(_cut(name), f"The model has no use for {_shown(name)}.")
    for change in translation.adjusted:
        name, _, value = change.partition("=")
        if name in _MEASURES:
            message = f"{name} cannot be met exactly."
        elif name == "model":
            message = "The model that was asked for is retired."
        else:
            message = f"The rest of the request needs {name} to be {value}; ask for that too."
        raise UnsupportedParameterError(name, message, allowed=(value,))
    for name in translation.unknown:
        message = f"{_shown(name)} is not in the vendor's documentation; leave it out."
        raise UnsupportedParameterError(_cut(name), message)


def _one_by_one(code: WarningCode, entries: Iterable[str]) -> list[TaskWarning]:
    every = list(dict.fromkeys(entries))
    warnings = [_warning(code, entry) for entry in every[:_MOST]]
    if len(every) > _MOST:
        message = f"The same was done with {len(every) - _MOST} more fields."
        warnings.append(TaskWarning(code, _REST, message))
    return warnings


def _warning(code: WarningCode, entry: str) -> TaskWarning:
    match code:
        case WarningCode.IGNORED:
            message = f"The model has no use for {_shown(entry)}; it was ignored."
        case WarningCode.UNKNOWN:
            message = (
                f"{_shown(entry)} is not in the vendor's documentation; it was passed on unchanged."
            )
        case WarningCode.ADJUSTED:
            name, _, value = entry.partition("=")
            if name in _MEASURES:
                message = (
                    f"{name} was taken to {value}, the nearest that can be made of this request."
                )
            elif name == "model":
                message = f"model was set to {value}, since the one that was asked for is retired."
            else:
                message = f"{name} was set to {value}, which the rest of the request needs."
            return TaskWarning(code, name, message, value)
        case _:
            assert_never(code)
    return TaskWarning(code, _cut(entry), message)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else f"{name[:_NAME_CHARACTERS]}..."


def _shown(name: str) -> str:
    """A name as a sentence can have it, whatever the client put into it."""
    name = _cut(name)
    return name if name.isprintable() and name.strip() else repr(name)
