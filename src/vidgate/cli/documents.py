"""Accounts, tokens, channels and tasks as the command line prints them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from vidgate.logs import mask
from vidgate.models.accounts import Account, Token
from vidgate.models.acts import Act
from vidgate.models.attempts import Attempt
from vidgate.models.channels import Channel
from vidgate.models.ids import (
    ACCOUNT_PREFIX,
    ATTEMPT_PREFIX,
    CHANNEL_PREFIX,
    ENDPOINT_PREFIX,
    TASK_PREFIX,
    TOKEN_PREFIX,
    public_id,
)
from vidgate.models.money import Balance, format_amount
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import TaskError, TaskSnapshot
from vidgate.models.webhooks import Delivery, DeliveryTry, WebhookEndpoint

if TYPE_CHECKING:
    from vidgate.services.channels.catalogue import ModelOffer
    from vidgate.services.channels.channel_test import ChannelCheck

__all__ = [
    "account_document",
    "act_document",
    "attempt_document",
    "channel_document",
    "check_document",
    "delivery_document",
    "endpoint_document",
    "model_document",
    "task_document",
    "token_document",
    "try_document",
]


def account_document(account: Account, balance: Balance | None, currency: str) -> dict[str, Any]:
    """An account, with the balance that it has if it is prepaid."""

    def amount(micros: int) -> str:
        return f"{format_amount(micros)} {currency}"

    return {
        "id": public_id(ACCOUNT_PREFIX, account.id),
        "object": "account",
        "name": account.name,
        "channel_tags": list(account.channel_tags),
        "factor": f"{account.factor.normalize():f}",
        "removed": account.removed,
        "prepaid": balance is not None,
        "available": None if balance is None else amount(balance.available),
        "held": None if balance is None else amount(balance.held),
        "balance": None
        if balance is None
        else {"available_micros": balance.available, "held_micros": balance.held},
        "created_at": _unix(account.created_at),
    }


def act_document(act: Act) -> dict[str, Any]:
    """Who changed what, and why."""
    return {
        "object": "act",
        "act": act.name,
        "actor": act.author.actor,
        "origin": act.author.origin,
        "reason": mask(act.author.reason) if act.author.reason else None,
        "before": act.before,
        "after": act.after,
        "created_at": _unix(act.at),
    }


def token_document(
    token: Token, account_name: str, used_at: datetime | None = None
) -> dict[str, Any]:
    """A token, without its key, which nobody knows any more."""
    return {
        "id": public_id(TOKEN_PREFIX, token.id),
        "object": "token",
        "name": token.name,
        "account": account_name,
        "account_id": public_id(ACCOUNT_PREFIX, token.account_id),
        "models": list(token.models),
        "channel_tags": list(token.channel_tags),
        "addresses": list(token.addresses),
        "sees": token.sees.value,
        "strict": token.strict,
        "queue_wait_seconds": _seconds(token.queue_wait),
        "revoked": token.revoked,
        "expires_at": _unix(token.expires_at),
        "last_used_at": _unix(used_at),
        "created_at": _unix(token.created_at),
    }


def channel_document(channel: Channel) -> dict[str, Any]:
    """A channel, without its key and its other secrets."""
    return {
        "id": public_id(CHANNEL_PREFIX, channel.id),
        "object": "channel",
        "name": channel.name,
        "provider": channel.provider,
        "base_url": channel.base_url,
        "tags": list(channel.tags),
        "models": list(channel.models),
        "model_map": dict(channel.model_map),
        "priority": channel.priority,
        "weight": channel.weight,
        "max_concurrency": channel.max_concurrency,
        "learned_concurrency": channel.health.learned_cap,
        "on_unknown": channel.on_unknown.value,
        "has_callback_secret": channel.callback_secret is not None,
        "has_proxy": channel.proxy is not None,
        "enabled": channel.enabled,
        "state": channel.health.state.value,
        "reason": mask(channel.health.reason) if channel.health.reason else None,
        "since": _unix(channel.health.since),
        "created_at": _unix(channel.created_at),
    }


def check_document(check: "ChannelCheck") -> dict[str, Any]:
    """What came of a channel's test."""
    return {
        "object": "channel.test",
        "channel_id": public_id(CHANNEL_PREFIX, check.channel.id),
        "name": check.channel.name,
        "provider": check.channel.provider,
        "works": check.works,
        "message": mask(check.sentence),
        "seconds": round(check.seconds, 3),
    }


def endpoint_document(endpoint: WebhookEndpoint, account_name: str) -> dict[str, Any]:
    """A webhook endpoint; its secret is shown when it is made or rotated."""
    return {
        "id": endpoint.public_id,
        "object": "webhook_endpoint",
        "name": endpoint.name,
        "account": account_name,
        "account_id": public_id(ACCOUNT_PREFIX, endpoint.account_id),
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "enabled": endpoint.disabled_reason is None,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": _unix(endpoint.failing_since),
        "created_at": _unix(endpoint.created_at),
    }


def delivery_document(delivery: Delivery) -> dict[str, Any]:
    """One event on its way to one receiver."""
    endpoint = delivery.endpoint_id
    return {
        "id": delivery.public_id,
        "object": "delivery",
        "task_id": public_id(TASK_PREFIX, delivery.task_id),
        "event": delivery.event.value,
        "status": delivery.status.value,
        "endpoint_id": public_id(ENDPOINT_PREFIX, endpoint) if endpoint else None,
        "url": delivery.url,
        "tries": delivery.tries,
        "created_at": _unix(delivery.created_at),
        "due_at": _unix(delivery.due_at),
        "finished_at": _unix(delivery.finished_at),
        "last_reason": mask(delivery.last_reason) if delivery.last_reason else None,
    }


def try_document(tried: DeliveryTry) -> dict[str, Any]:
    """One try to deliver."""
    return {
        "at": _unix(tried.at),
        "milliseconds": tried.milliseconds,
        "status": tried.status,
        "error": mask(tried.error) if tried.error else None,
        "answer": mask(tried.answer) if tried.answer else None,
    }


def model_document(offer: "ModelOffer") -> dict[str, Any]:
    """A model, and where it is run."""
    capabilities = offer.capabilities
    actions = capabilities.actions if capabilities else {}
    return {
        "id": offer.name,
        "object": "model",
        "provider": offer.provider,
        "retired": bool(capabilities and capabilities.successor),
        "successor": capabilities.successor if capabilities else None,
        "actions": {
            action.value: {
                "endpoint": one.endpoint,
                "durations": list(one.durations),
                "tiers": list(one.tiers),
                "ratios": list(one.ratios),
                "images": list(one.images),
                "prompt_characters": one.prompt_characters,
                "sound": one.sound,
                "seed": one.seed,
                "negative_prompt": one.negative_prompt,
            }
            for action, one in actions.items()
        },
        "earliest_seconds": _seconds(capabilities.earliest if capabilities else None),
        "usual_seconds": _seconds(capabilities.usual if capabilities else None),
        "link_lifetime_seconds": _seconds(capabilities.link_lifetime if capabilities else None),
        "channels": [channel.name for channel in offer.channels],
    }


def task_document(task: TaskSnapshot, account_names: Mapping[UUID, str]) -> dict[str, Any]:
    """A task as its operator sees it: with the finer words for its status, and whose it is."""
    result = task.result
    return {
        "id": task.public_id,
        "task_id": task.public_id,
        "object": "video",
        "model": task.model,
        "status": task.status.value,
        "progress": task.progress,
        "account": account_names.get(task.account_id),
        "account_id": public_id(ACCOUNT_PREFIX, task.account_id),
        "provider": task.provider,
        "upstream_model": task.upstream_model,
        "user": task.user,
        "seed": task.seed,
        "created_at": _unix(task.created_at),
        "started_at": _unix(task.started_at),
        "completed_at": _unix(task.finished_at),
        "url": result.url if result else None,
        "expires_at": _unix(result.expires_at) if result else None,
        "error": _error(task.error),
        "metadata": dict(task.details),
        "warnings": [
            {"code": warning.code.value, "param": warning.param, "message": warning.message}
            for warning in task.warnings
        ],
        "dialect": task.dialect,
        "removed": task.removed,
        "cost": result.cost if result else None,
        "cost_unit": result.cost_unit if result else None,
        "outputs": [
            {
                "status": output.status.value,
                "url": output.result.url if output.result else None,
                "cost": output.result.cost if output.result else None,
                "cost_unit": output.result.cost_unit if output.result else None,
                "error": _error(output.error),
            }
            for output in task.outputs
        ],
    }


def attempt_document(
    attempt: Attempt, channels: Mapping[UUID, Channel], late: VideoResult | None = None
) -> dict[str, Any]:
    """An attempt: where, when, and what came of it.

    Args:
        attempt: The attempt.
        channels: By their ids.
        late: A video that counts for nothing, `None` if it has none.
    """
    channel = channels.get(attempt.channel_id)
    fault = attempt.fault_kind and {
        "kind": attempt.fault_kind,
        "code": attempt.fault_code,
        "message": mask(attempt.fault_message or ""),
    }
    return {
        "id": public_id(ATTEMPT_PREFIX, attempt.id),
        "object": "attempt",
        "output": attempt.position,
        "number": attempt.number,
        "channel": channel.name if channel else None,
        "channel_id": public_id(CHANNEL_PREFIX, attempt.channel_id),
        "provider": attempt.provider,
        "upstream_model": attempt.upstream_model,
        "upstream_task_id": attempt.ref.id if attempt.ref else None,
        "status": attempt.status.value,
        "progress": attempt.progress,
        "tries": attempt.tries,
        "polls": attempt.polls,
        "asks": attempt.asks,
        "calls": attempt.calls,
        "created_at": _unix(attempt.created_at),
        "sent_at": _unix(attempt.sent_at),
        "accepted_at": _unix(attempt.accepted_at),
        "due_at": _unix(attempt.due_at),
        "deadline_at": _unix(attempt.deadline_at),
        "finished_at": _unix(attempt.finished_at),
        "error": fault or None,
        "last_reason": mask(attempt.last_reason) if attempt.last_reason else None,
        "late_url": late.url if late else None,
    }


def _error(error: TaskError | None) -> dict[str, str] | None:
    return None if error is None else {"code": error.code, "message": error.message}


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _unix(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
