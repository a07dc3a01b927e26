"""The new-api dialect's request, as a neutral one."""

from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.api.video_requests import Asked, read_video_request
from vidgate.providers.field_meanings import CALLBACK_URL, FieldMeanings

__all__ = ["read_request"]

_ALIASES = {"webhook_url": CALLBACK_URL}


def read_request(form: Form, *, meanings: FieldMeanings, strict: bool = False) -> Asked:
    """Read the fields of `POST /v1/video/generations`.

    Decodes pictures, which takes time.

    Raises:
        InvalidParameterError: A field is missing, of the wrong type or impossible; it names it.
        BodyTooLargeError: A picture is over its limit.
    """
    return read_video_request(FieldReader(form), strict=strict, meanings=meanings, aliases=_ALIASES)
