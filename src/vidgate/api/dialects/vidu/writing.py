"""Tasks, as Vidu answers them."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from vidgate.api.writing import plain_number
from vidgate.models.tasks import TaskSnapshot

__all__ = ["write_created", "write_listed"]


def write_created(task: TaskSnapshot, native: Mapping[str, Any]) -> dict[str, Any]:
    """Write the answer to the POST that made a task.

    Args:
        task: As it stands.
        native: The same as the vendor's query would answer it.
    """
    return {
        "task_id": task.public_id,
        "type": native["type"],
        "state": "failed" if native["state"] == "failed" else "created",
        **_echo(task),
        # What it costs is known at its end.
        "credits": native["credits"],
        "payload": native["payload"],
        "created_at": _timestamp(task),
    }


def write_listed(task: TaskSnapshot, native: Mapping[str, Any]) -> dict[str, Any]:
    """Write a task in a list.

    Args:
        task: As it stands.
        native: What the vendor's query would answer of it.
    """
    return {**_echo(task), **native, "model": task.model, "created_at": _timestamp(task)}


def _echo(task: TaskSnapshot) -> dict[str, Any]:
    """What was asked for, completed with what runs."""
    sent = task.echo.get("request")
    sent = dict(sent) if isinstance(sent, Mapping) else {}
    facts = task.facts
    completed = {
        "model": task.model,
        "prompt": task.asked.get("prompt", ""),
        "images": [],
        "duration": plain_number(facts.get("duration_seconds")) or 0,
        "seed": task.seed or 0,
        "resolution": facts.get("resolution", ""),
        "aspect_ratio": "",
        "movement_amplitude": "auto",
        "bgm": False,
        "audio": facts.get("sound", False),
        "off_peak": facts.get("off_peak", False),
        "watermark": False,
        **sent,
    }
    # A seed of 0 asks for any; the one that was taken is the better answer.
    return completed | {"seed": sent.get("seed") or task.seed or 0}


def _timestamp(task: TaskSnapshot) -> str:
    return f"{task.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
