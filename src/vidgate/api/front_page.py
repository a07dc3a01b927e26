"""The page for people who open the gateway's address in a browser, and its icon."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

import vidgate
from vidgate.api.dialects.registry import DIALECTS

__all__ = ["router"]

_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#1d4ed8"/>'
    '<path d="M12 9.5v13l11-6.5z" fill="#fff"/></svg>'
)
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:4rem auto;padding:0 1rem;"
    "color:#111;background:#fff}code{background:#8883;padding:.1em .3em;border-radius:3px}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#111}a{color:#8ab4f8}}"
)
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>vidgate</title>
<link rel="icon" href="/favicon.ico" type="image/svg+xml">
<style>{_STYLE}</style>
</head>
<body>
<h1>vidgate {vidgate.__version__}</h1>
<p>One HTTP API in front of many video generation providers. It is running.</p>
<ul>
<li><a href="/docs">The routes, with examples</a> (<a href="/openapi.json">OpenAPI</a>)</li>
<li><code>POST /v1/video/generations</code> and <code>POST /v1/videos</code> create a video; both
need a token, <code>Authorization: Bearer sk-…</code></li>
<li><a href="/readyz">Whether requests may be sent here</a></li>
</ul>
</body>
</html>
"""
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def show_front_page(request: Request) -> Response:
    if any(one.claims_root and one.claims_root(request.scope) for one in DIALECTS):
        raise HTTPException(405, headers={"Allow": "POST"})  # a call, by the wrong method
    return Response(_PAGE, headers=_HEADERS, media_type="text/html")


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def show_icon() -> Response:
    headers = {**_HEADERS, "Cache-Control": "public, max-age=86400"}
    return Response(_ICON, headers=headers, media_type="image/svg+xml")
