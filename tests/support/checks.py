"""For every kind of check, a value that passes and those that just do not."""

from typing import Any

from vidgate.providers.fields import Absent, Check, Items, Length, OneOf, Within

__all__ = ["samples_of"]


def samples_of(check: Check) -> tuple[Any, list[Any]]:
    """Give a value that passes, and one beyond each bound: refused values, at least one."""
    match check:
        case OneOf(allowed=allowed, passed=passed):
            return (*allowed, *passed)[0], ["no-such-value"]
        case Absent():
            return False, [True]
        case Within(least=least, most=most):
            return least, [least - 1, most + 1]
        case Length(least=least, most=most):
            # An empty text is not given.
            return "x" * most, ["x" * n for n in (least - 1, most + 1) if n > 0]
        case Items(least=least, most=most):
            # An empty list passes.
            return [{}] * most, [[{}] * n for n in (least - 1, most + 1) if n > 0]
        case _:  # an adapter's own kind brings them
            good, bad = getattr(check, "samples")  # noqa: B009 - no part of the protocol
            return good, [bad]
