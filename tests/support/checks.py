"""For every kind of check, a value that passes and one that does not."""

from typing import Any

from vidgate.providers.fields import Absent, Check, Items, Length, OneOf, Within

__all__ = ["samples_of"]


def samples_of(check: Check) -> tuple[Any, Any]:
    match check:
        case OneOf(allowed=allowed, passed=passed):
            return (*allowed, *passed)[0], "no-such-value"
        case Absent():
            return False, True
        case Within(least=least, most=most):
            return least, most + 1
        case Length(most=most):
            return "x" * most, "x" * (most + 1)
        case Items(most=most):
            return [{}] * most, [{}] * (most + 1)
        case _:  # an adapter's own kind brings them
            good, bad = getattr(check, "samples")  # noqa: B009 - no part of the protocol
            return good, bad
