"""The first step of a lip-sync: which faces are in the video.

It makes no job, so whatever it answers nothing was made.

Source: the face recognition and lip-sync pages under https://kling.ai/document-api/api/video/,
read 2026-09-20.
"""

from collections.abc import Mapping
from typing import Any

from vidgate.models.outcomes import Fault, FaultKind, Rejected
from vidgate.providers.kling.answers import Envelope, to_integer
from vidgate.providers.kling.generations import is_given, objects
from vidgate.providers.kling.models import ADVANCED_LIP_SYNC

__all__ = ["first_step", "second_step"]

_SEARCHED = ("video_id", "video_url")


def first_step(
    endpoint: str, body: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Part a body in those of the two steps; `None` where one step is enough."""
    if endpoint != ADVANCED_LIP_SYNC or is_given(body.get("session_id")):
        return None
    first = {name: body[name] for name in _SEARCHED if name in body}
    return first, {name: value for name, value in body.items() if name not in _SEARCHED}


def second_step(following: Mapping[str, Any], envelope: Envelope) -> dict[str, Any] | Rejected:
    """Write the second body: the face that is seen longest speaks, from where it is seen.

    Raises:
        ProviderProtocolError: The answer names no session.
    """
    if not envelope.is_accepted:
        # After such a failure a job may exist elsewhere; here none can.
        failure = envelope.fault(FaultKind.FAULT, "Kling could not look for faces in the video.")
        return Rejected(envelope.refusal() or failure)
    data = envelope.data if isinstance(envelope.data, Mapping) else {}
    session = data.get("session_id")
    if not isinstance(session, (str, int)) or isinstance(session, bool) or not str(session):
        raise envelope.error("and gave no session for the faces")
    faces = [face for face in objects(data.get("face_data")) if _face_id(face) is not None]
    if not faces:
        told = "No face was found in the video.", "Kling found no face in the video."
        return Rejected(Fault(FaultKind.BAD_PARAMETER, "no_face", *told))
    face = max(faces, key=_visible)
    filled = {"face_id": _face_id(face), "sound_insert_time": _moment(face, "start_time")}
    chosen = [{**filled, **entry} for entry in objects(following.get("face_choose"))]
    return {**following, "session_id": session, "face_choose": chosen}


def _face_id(face: Mapping[str, Any]) -> str | int | None:
    value = face.get("face_id")
    is_id = isinstance(value, (str, int)) and not isinstance(value, bool)
    return value if is_id and str(value) else None


def _moment(face: Mapping[str, Any], name: str) -> int:
    """Milliseconds; also where they are written as text."""
    return to_integer(face.get(name)) or 0


def _visible(face: Mapping[str, Any]) -> int:
    return _moment(face, "end_time") - _moment(face, "start_time")
