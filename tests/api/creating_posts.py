"""A request of every creating route, by the dialect and the kind of route."""

from typing import Any

__all__ = ["POSTS"]

POSTS: dict[str, tuple[str, dict[str, Any]]] = {
    "newapi": ("/v1/video/generations", {"model": "kling-v2-6", "prompt": "a boat"}),
    "openai": ("/v1/videos", {"model": "kling-v2-6", "prompt": "a boat"}),
    "openai remix": ("/v1/videos/task_1/remix", {"prompt": "a boat"}),
    "openai edit": ("/v1/videos/edits", {"video": {"id": "task_1"}, "prompt": "a boat"}),
    "openai extension": ("/v1/videos/extensions", {"video": {"id": "task_1"}, "prompt": "a boat"}),
    "kling": ("/kling/v1/videos/text2video", {"model_name": "kling-v2-6", "prompt": "a boat"}),
    "kling path": ("/kling/text-to-video/kling-3.0", {"prompt": "a boat"}),
    "jimeng": (
        "/jimeng?Action=CVSync2AsyncSubmitTask&Version=2022-08-31",
        {"req_key": "jimeng_t2v_v30", "prompt": "a boat"},
    ),
    "vidu": ("/vidu/ent/v2/text2video", {"model": "viduq2", "prompt": "a boat"}),
}
