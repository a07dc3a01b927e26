"""Jimeng AI video generation on Volcengine Visual, API version 2022-08-31.

Two calls, both a signed `POST /?Action=…&Version=2022-08-31`: `CVSync2AsyncSubmitTask`, then
`CVSync2AsyncGetResult`; for OmniHuman `CVSubmitTask` and `CVGetResult`. What is a model elsewhere
is the body's `req_key` here, and both calls need the same one. Its oddities:

- Errors come in two layers: the gateway's `ResponseMetadata.Error`, and the service's flat `code`,
  which may ride on HTTP 200. Only `code` 10000 is success, and `done` alone is not.
- A failed job has no status word: it shows as an error code on the poll.
- Task ids have up to 20 digits, more than a signed 64-bit integer holds.
- The video's URL lives one hour, the task twelve.
- A label in the video is asked for with the poll, not with the submit.
- Only what waits in the queue can be cancelled, by an action of the version 2024-06-06.
- There is no client token and no list: nobody can tell what became of a submit without an answer.

Source: https://www.volcengine.com/docs/85621/1777001 (Pro), /1792704 (text), /1785204 (first
frame), /1791184 (first and last), /1802721 (1080P), /1544774 (S2.0), /1798351 and /2201579
(motion), /1829013 (OmniHuman), and for the signature
https://www.volcengine.com/docs/6369/67269, read 2026-11-20
"""

from vidgate.providers.jimeng.adapter import Jimeng

__all__ = ["Jimeng"]
