"""Spans of time as people write them."""

from datetime import timedelta

__all__ = ["write_span"]


def write_span(span: timedelta) -> str:
    """Write whole seconds such as `1h30m`."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
