"""`vidgate generate`: a client of the HTTP API that ends with a file."""

import base64
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vidgate.cli.client import Client, ClientError, TaskLostError, warnings_in
from vidgate.cli.demo import read_demo_token
from vidgate.cli.downloading import download, require_free
from vidgate.cli.output import JsonOption, print_json, say
from vidgate.cli.progress import Progress
from vidgate.cli.running import load_settings, read_key
from vidgate.exceptions import ConfigurationError

__all__ = ["generate"]

_URL = "http://127.0.0.1:3000"
_LARGEST_IMAGE = 20_000_000
"""Bytes that the gateway takes of an image."""


def generate(
    prompt: Annotated[str, typer.Argument(help="What the video shows.")],
    *,
    model: Annotated[str, typer.Option(help="One that `vidgate models` lists.")],
    images: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="PATH_OR_URL", help="First frame, last frame, …; repeat."),
    ] = None,
    duration: Annotated[float | None, typer.Option(min=0.001, help="Seconds.")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Such as 1920x1080, or 16:9.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; else the task's id and .mp4.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    url: Annotated[str, typer.Option(envvar="VIDGATE_URL", help="Where vidgate is served.")] = _URL,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="VIDGATE_TOKEN",
            show_envvar=True,
            help="`-` reads it from standard input; without: the demo's.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a video: ask for it, wait for it, download it."""
    if output is not None and not force:
        require_free(output)
    body = _body(prompt, model, images or [], duration, size)
    with Client(url, _token(token)) as client:
        task_id, warnings = client.submit(body)
        say(f"Task {task_id}")
        _warn(warnings)
        try:
            task = _wait(client, task_id)
            # Another channel than the first may have run it.
            _warn([warning for warning in warnings_in(task) if warning not in warnings])
            if as_json:
                print_json(task)
            if task["status"] != "succeeded":
                error = task.get("error") or {}
                raise ClientError(error.get("message") or "The video could not be made.")
            path = download(task["url"], output or Path(f"{task_id}.mp4"), force=force)
        except (KeyboardInterrupt, TaskLostError):
            say(_how_to_fetch(client.url, task_id))
            raise
    if as_json:
        say(str(path))
    else:
        typer.echo(path)


def _warn(warnings: list[str]) -> None:
    for warning in warnings:
        say(f"warning: {warning}")


def _wait(client: Client, task_id: str) -> dict[str, Any]:
    with Progress() as progress:
        while True:
            task, pause = client.poll(task_id)
            progress.show(task["status"], task.get("progress") or 0)
            if task["status"] in {"succeeded", "failed"}:
                return task
            time.sleep(pause)


def _how_to_fetch(url: str, task_id: str) -> str:
    return (
        "The task goes on without us; fetch it later with:\n"
        f'curl -H "Authorization: Bearer $VIDGATE_TOKEN" {url}/v1/video/generations/{task_id}'
    )


def _token(given: str | None) -> str:
    if given is not None:
        return read_key(given)
    token = read_demo_token(load_settings().data_dir)
    if token is None:
        raise ConfigurationError("There is no token: set VIDGATE_TOKEN or give --token.")
    return token


def _body(
    prompt: str, model: str, images: list[str], duration: float | None, size: str | None
) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "prompt": prompt}
    if duration is not None:
        body["duration"] = int(duration) if duration.is_integer() else duration
    if size is not None:
        body["size"] = size
    contents = [_image(image) for image in images]
    if len(contents) == 1:
        body["image"] = contents[0]
    elif contents:
        body["images"] = contents
    return body


def _image(given: str) -> str:
    if given.startswith(("http://", "https://", "data:")):
        return given
    with Path(given).open("rb") as file:
        if os.fstat(file.fileno()).st_size > _LARGEST_IMAGE:
            raise ConfigurationError(
                f"{given} has more than {_LARGEST_IMAGE // 1_000_000} MB; make it smaller."
            )
        return base64.b64encode(file.read()).decode()
