"""The schema: every table, as SQLAlchemy Core writes it.

Statuses are text with a CHECK, defaults are the server's, and times are `timestamptz` in UTC. Rows
of `accounts`, `tokens` and `channels` are never deleted, only marked: every process re-reads what
changed by `updated_at`, which a deferred trigger sets as the last statement before the commit.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

__all__ = [
    "NOBODY",
    "access_keys",
    "accounts",
    "admin_acts",
    "attempts",
    "balances",
    "budget_windows",
    "budgets",
    "channel_states",
    "channels",
    "copies",
    "costs",
    "credentials",
    "deliveries",
    "delivery_tries",
    "entries",
    "facts",
    "former_keys",
    "idempotency_keys",
    "inputs",
    "metadata",
    "notices",
    "outputs",
    "price_books",
    "purchase_rates",
    "rates",
    "replicas",
    "tasks",
    "token_uses",
    "tokens",
    "turns",
    "webhook_endpoints",
    "webhook_secrets",
]

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

_EMPTY_OBJECT = text("'{}'::jsonb")
_EMPTY_LIST = text("'{}'::text[]")
NOBODY = text("'00000000-0000-0000-0000-000000000000'::uuid")
"""Owns what an earlier version made, which did not write down whose it is."""

_TASK_STATUSES = "('queued', 'in_progress', 'succeeded', 'failed', 'cancelled')"
_LIVE_ATTEMPT = "status IN ('pending', 'submitting', 'running')"


def _time(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _created_at() -> Column[Any]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _updated_at() -> Column[Any]:
    return Column(
        "updated_at", DateTime(timezone=True), nullable=False, server_default=func.now(), index=True
    )


facts = Table(
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    _created_at(),
    comment="What a deployment knows of itself, such as the fingerprint of its secret key.",
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("factor", Numeric, nullable=False, server_default=text("1"), comment="on every price"),
    Column("channel_tags", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    _time("removed_at"),
    _created_at(),
    _updated_at(),
    CheckConstraint("factor >= 0", name="factor"),
    Index("accounts_factor_idx", "id", postgresql_where=text("factor <> 1")),
    Index("accounts_name_key", "name", unique=True, postgresql_where=text("removed_at IS NULL")),
)

balances = Table(
    "balances",
    metadata,
    Column("account_id", Uuid, ForeignKey("accounts.id"), primary_key=True),
    Column("available", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False, server_default=text("0")),
    Column("overdraft", BigInteger, nullable=False, server_default=text("0")),
    _created_at(),
    CheckConstraint("held >= 0", name="held"),
    CheckConstraint("overdraft >= 0", name="overdraft"),
    comment="Only prepaid accounts have a row, so that the others never wait for one.",
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the key"),
    Column("models", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("networks", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("quota_micros", BigInteger, comment="null: no quota of its own"),
    Column("requests_per_minute", Integer),
    Column("max_in_flight", Integer),
    Column("strict", Boolean, nullable=False, server_default=text("false")),
    Column("queue_wait", Interval, comment="null: as the deployment says"),
    Column("sees", Text, nullable=False, server_default=text("'account'")),
    Column("channel_tags", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    _time("expires_at"),
    _time("revoked_at"),
    _created_at(),
    _updated_at(),
    CheckConstraint("sees IN ('own', 'account')", name="sees"),
)

former_keys = Table(
    "former_keys",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("token_id", Uuid, ForeignKey("tokens.id"), nullable=False, index=True),
    _time("expires_at", nullable=False),
    comment="What a token's key was before; it works until then.",
)

token_uses = Table(
    "token_uses",
    metadata,
    Column("token_id", Uuid, ForeignKey("tokens.id"), primary_key=True),
    _time("used_at", nullable=False),
    comment="To a minute; apart, so that nobody re-reads the token for it.",
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("token_id", Uuid, ForeignKey("tokens.id"), nullable=False, index=True),
    Column("access_key", Text, nullable=False, unique=True),
    Column("secret", LargeBinary, nullable=False, comment="encrypted"),
    _time("revoked_at"),
    _created_at(),
    _updated_at(),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("event_types", ARRAY(Text), nullable=False),
    Column("token_id", Uuid, comment="null: told of all that is the account's"),
    Column("disabled_reason", Text, comment="null while it is enabled"),
    Column("failing_since", DateTime(timezone=True), comment="of the first failure in a row"),
    _time("removed_at"),
    _created_at(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(
        "webhook_endpoints_account_id_idx",
        "account_id",
        "id",
        postgresql_where=text("removed_at IS NULL"),
    ),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("accounts.id"), nullable=False, index=True),
    Column(
        "endpoint_id",
        Uuid,
        ForeignKey("webhook_endpoints.id"),
        index=True,
        comment="null: signs what goes to the callback_url of a task",
    ),
    Column("secret", LargeBinary, nullable=False, comment="encrypted"),
    Column("expires_at", DateTime(timezone=True), comment="null: the one that is shown"),
    _created_at(),
    Index(
        "webhook_secrets_current_key",
        "account_id",
        "endpoint_id",
        unique=True,
        postgresql_where=text("expires_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    ),
)

channels = Table(
    "channels",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("credential_id", Uuid, nullable=False, comment="the one new attempts are pinned to"),
    Column("models", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("model_map", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("settings", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("weight", Integer, nullable=False, server_default=text("1")),
    Column("max_concurrency", Integer),
    Column("tags", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("on_unknown", Text, nullable=False, server_default=text("'fail'")),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("callback_secret", LargeBinary, comment="encrypted"),
    Column("proxy", LargeBinary, comment="encrypted"),
    _time("removed_at"),
    _created_at(),
    _updated_at(),
    CheckConstraint("on_unknown IN ('fail', 'resubmit')", name="on_unknown"),
    CheckConstraint("weight >= 0", name="weight"),
    CheckConstraint("max_concurrency > 0", name="max_concurrency"),
    Index("channels_name_key", "name", unique=True, postgresql_where=text("removed_at IS NULL")),
)

channel_states = Table(
    "channel_states",
    metadata,
    Column("channel_id", Uuid, ForeignKey("channels.id"), primary_key=True),
    Column("state", Text, nullable=False, server_default=text("'ok'")),
    Column("reason", Text),
    _time("since"),
    Column("openings", Integer, nullable=False, server_default=text("0")),
    Column("probe_at", DateTime(timezone=True), comment="when it may be tried again"),
    Column("learned_cap", Integer, comment="jobs at once that the provider took"),
    _time("learned_at"),
    Column("notice_at", DateTime(timezone=True), comment="null: nothing to tell"),
    CheckConstraint("state IN ('ok', 'open', 'half_open', 'credential', 'balance')", name="state"),
    CheckConstraint("learned_cap > 0", name="learned_cap"),
    comment="How each channel does, for all processes; without a row it does well.",
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("channel_id", Uuid, ForeignKey("channels.id"), nullable=False, index=True),
    Column("base_url", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False, comment="encrypted"),
    _created_at(),
    comment="Never changed but by a rotation of the secret key: attempts are pinned to a row.",
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("token_id", Uuid, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("revision", Integer, nullable=False, server_default=text("0")),
    Column("model", Text, nullable=False),
    Column("provider", Text),
    Column("upstream_model", Text),
    Column("request", JSONB, nullable=False, comment="the neutral request, inline media apart"),
    Column("details", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("echo", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("facts", JSONB, nullable=False, server_default=_EMPTY_OBJECT, comment="what is run"),
    Column("warnings", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("end_user", Text),
    Column("seed", BigInteger),
    Column("callback_url", Text),
    Column(
        "cancel_after",
        Text,
        comment="a client's own deadline, or what came of it",
    ),
    Column("reserved_micros", BigInteger, nullable=False, server_default=text("0")),
    Column("charged_micros", BigInteger),
    Column("error_code", Text),
    Column("error_message", Text),
    _time("created_at", nullable=False),
    _time("started_at"),
    _time("finished_at"),
    _time("removed_at"),
    Column("amended_at", DateTime(timezone=True), comment="when a final one was changed"),
    Column("resubmitted_from", Uuid, comment="the task it repeats"),
    PrimaryKeyConstraint("id"),
    CheckConstraint(f"status IN {_TASK_STATUSES}", name="status"),
    # Each of a client's filters finds its tasks in the order of the list.
    Index("tasks_account_id_id_idx", "account_id", "id"),
    Index("tasks_account_token_id_idx", "account_id", "token_id", "id"),
    Index("tasks_account_status_id_idx", "account_id", "status", "id"),
    Index("tasks_account_model_id_idx", "account_id", "model", "id"),
    Index(
        "tasks_account_end_user_id_idx",
        "account_id",
        "end_user",
        "id",
        postgresql_where=text("end_user IS NOT NULL"),
    ),
    # Each revision sets one of these times.
    Index(
        "tasks_changed_idx",
        "account_id",
        text("GREATEST(created_at, started_at, finished_at, amended_at)"),
        "id",
    ),
    Index("tasks_amended_at_idx", "amended_at", postgresql_where=text("amended_at IS NOT NULL")),
    Index(
        "tasks_unfinished_idx",
        "created_at",
        postgresql_where=text("status IN ('queued', 'in_progress')"),
    ),
    postgresql_partition_by="RANGE (id)",
)

outputs = Table(
    "outputs",
    metadata,
    Column("task_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("result", JSONB),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("hold", JSONB, comment="the money held for it; null where nothing is charged"),
    _time("finished_at"),
    Column("windows", ARRAY(BigInteger), comment="of budgets that it counts in"),
    PrimaryKeyConstraint("task_id", "position"),
    CheckConstraint(f"status IN {_TASK_STATUSES}", name="status"),
    postgresql_partition_by="RANGE (task_id)",
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("task_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False, server_default=NOBODY),
    Column("token_id", Uuid, nullable=False, server_default=NOBODY),
    Column("position", Integer, nullable=False),
    Column("number", Integer, nullable=False, comment="1 for the first of its output"),
    Column("channel_id", Uuid, ForeignKey("channels.id"), nullable=False),
    Column("credential_id", Uuid, ForeignKey("credentials.id"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("upstream_model", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("correlation", Text, nullable=False, comment="by which the provider may be asked"),
    Column("status", Text, nullable=False),
    Column("ref_id", Text),
    Column("ref_kind", Text),
    Column("pace", JSONB, nullable=False),
    Column("progress", Integer),
    _time("progressed_at"),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("polls", Integer, nullable=False, server_default=text("0")),
    Column("misses", Integer, nullable=False, server_default=text("0")),
    Column("doubts", Integer, nullable=False, server_default=text("0")),
    _time("doubted_at"),
    _time("seen_running_at"),
    Column("due_at", DateTime(timezone=True), comment="null: nothing more to do"),
    Column("lease_id", Uuid),
    _time("lease_until"),
    _time("deadline_at", nullable=False),
    _time("sent_at"),
    _time("submit_ends_at"),
    _time("accepted_at"),
    _time("finished_at"),
    Column("find_page", JSONB),
    Column("fault_kind", Text),
    Column("fault_code", Text),
    Column("fault_message", Text),
    Column("last_reason", Text, comment="why the last ask said nothing certain"),
    Column("result", JSONB, comment="also one that came after the task was final"),
    Column("asks", Integer, nullable=False, server_default=text("0")),
    _time("asked_at"),
    Column("said", Text, comment="at the last ask"),
    Column("calls", Integer, nullable=False, server_default=text("0")),
    _time("called_at"),
    Column("price", JSONB, comment="what its video is charged by; null for nothing"),
    _created_at(),
    Column(
        "cost_micros",
        BigInteger,
        comment="what its job is expected to cost; null where its channel has no limit",
    ),
    CheckConstraint(
        "status IN ('pending', 'submitting', 'running', "
        "'succeeded', 'failed', 'cancelled', 'unknown')",
        name="status",
    ),
    Index(
        "attempts_live_key",
        "task_id",
        "position",
        unique=True,
        postgresql_where=text(_LIVE_ATTEMPT),
    ),
    Index("attempts_task_id_idx", "task_id"),
    # Whether a job that was found is another attempt's.
    Index(
        "attempts_channel_ref_idx",
        "channel_id",
        "ref_id",
        postgresql_where=text("ref_id IS NOT NULL"),
    ),
    Index(
        "attempts_due_at_idx",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL AND status <> 'pending'"),
    ),
    # Each channel is looked at by itself, and no more of it is read than is taken.
    Index(
        "attempts_channel_due_idx",
        "channel_id",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL AND status <> 'pending'"),
    ),
    # What waits is asked about by channel, and when it has waited for too long.
    Index(
        "attempts_waiting_idx",
        "channel_id",
        "due_at",
        postgresql_where=text("status = 'pending'"),
    ),
    # Those who wait take turns: each token's first are found at their own place in the index.
    Index(
        "attempts_turn_idx",
        "channel_id",
        "account_id",
        "token_id",
        "id",
        postgresql_where=text("status = 'pending'"),
    ),
    Index("attempts_overdue_idx", "deadline_at", postgresql_where=text("status = 'pending'")),
    # Progress is told in the order in which it was made.
    Index(
        "attempts_progress_idx",
        "account_id",
        "progressed_at",
        "id",
        postgresql_where=text("status = 'running' AND progressed_at IS NOT NULL"),
    ),
    # How long the latest jobs of each kind took.
    Index(
        "attempts_history_idx",
        "channel_id",
        "upstream_model",
        "finished_at",
        postgresql_where=text("status = 'succeeded'"),
    ),
    Index(
        "attempts_channel_live_idx", "channel_id", "status", postgresql_where=text(_LIVE_ATTEMPT)
    ),
)

asks = Table(
    "asks",
    metadata,
    Column("attempt_id", Uuid, ForeignKey("attempts.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False, comment="among all asks of the attempt"),
    _time("at", nullable=False),
    Column("said", Text, nullable=False),
    Column(
        "before_at",
        DateTime(timezone=True),
        comment="when the ask before was, which said something else",
    ),
    PrimaryKeyConstraint("attempt_id", "number"),
    comment="Asks whose answer was another than that of the ask before.",
)

turns = Table(
    "turns",
    metadata,
    Column("channel_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("token_id", Uuid, nullable=False),
    _time("served_at", nullable=False),
    PrimaryKeyConstraint("channel_id", "account_id", "token_id"),
    comment="When each token last had its turn at a channel, by the server's own clock.",
)

inputs = Table(
    "inputs",
    metadata,
    Column("task_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False),
    Column("media_type", Text),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("task_id", "position"),
    comment="Inline media: needed until the last submit, then kept a while for repairs.",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("task_id", Uuid, nullable=False),
    Column("answer", JSONB, comment="a refusal to repeat; null where the task itself answers"),
    Column(
        "acknowledged",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="a repetition was told of the task, which must not be undone any more",
    ),
    Column(
        "delivered", Boolean, comment="the client has the answer; null where that does not count"
    ),
    _created_at(),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    PrimaryKeyConstraint("account_id", "key"),
    Index(
        "idempotency_keys_undelivered_idx",
        "account_id",
        "fingerprint",
        postgresql_where=text("delivered IS FALSE"),
    ),
)

entries = Table(
    "entries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("from_book", Text, nullable=False),
    Column("to_book", Text, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("token_id", Uuid),
    Column("task_id", Uuid),
    Column("position", Integer),
    Column("reference", Text),
    Column("reason", Text),
    Column("actor", Text, nullable=False),
    Column("price_version", BigInteger),
    Column("native_units", Numeric, comment="the provider's own"),
    Column("native_unit", Text),
    Column("basis", Text, comment="where the amount is from"),
    Column("windows", ARRAY(BigInteger), comment="of budgets that it counts in"),
    CheckConstraint("micros > 0", name="micros"),
    CheckConstraint("from_book <> to_book", name="books"),
    CheckConstraint(
        "kind IN ('reserve', 'settle', 'release', 'extra', 'refund', 'credit', 'import', 'adjust', "
        "'expire')",
        name="kind",
    ),
    Index(
        "entries_task_key",
        "task_id",
        "position",
        "kind",
        unique=True,
        postgresql_where=text("kind IN ('reserve', 'settle', 'release', 'extra')"),
    ),
    Index(
        "entries_reference_key",
        "account_id",
        "kind",
        "reference",
        unique=True,
        postgresql_where=text("reference IS NOT NULL"),
    ),
    Index("entries_account_id_idx", "account_id", "id"),
    # What was charged in all, without a look at the rows themselves.
    Index(
        "entries_charged_idx",
        "account_id",
        "token_id",
        postgresql_include=["micros"],
        postgresql_where=text("kind IN ('settle', 'extra')"),
    ),
    comment="Every movement of money, from book to book. A trigger refuses every change.",
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("scope_id", Text, nullable=False),
    Column("models", ARRAY(Text), nullable=False, server_default=_EMPTY_LIST),
    Column("period", Text, nullable=False),
    Column("tz", Text, nullable=False, server_default=text("'UTC'")),
    Column("measure", Text, nullable=False),
    Column("limit", BigInteger, nullable=False),
    Column("warn_at", Numeric, nullable=False, server_default=text("0.8")),
    Column("raise", BigInteger),
    _time("raise_until"),
    _time("removed_at"),
    _created_at(),
    _updated_at(),
    CheckConstraint(
        "scope IN ('account', 'token', 'end_user', 'channel', 'vendor_account')", name="scope"
    ),
    CheckConstraint(
        "period IN ('total', 'day', 'week', 'month', 'minute', 'at_once')", name="period"
    ),
    CheckConstraint(
        "measure IN ('micros', 'tasks', 'native_units', 'requests', 'reads', 'in_flight', "
        "'queued')",
        name="measure",
    ),
    CheckConstraint(
        "\"limit\" >= CASE WHEN measure IN ('requests', 'reads') THEN 1 ELSE 0 END", name="limit"
    ),
    Index("budgets_scope_idx", "scope", "scope_id", postgresql_where=text("removed_at IS NULL")),
    Index("budgets_key", "scope", "scope_id", "measure", "period", "models", unique=True),
    comment="What may be used at once, in a minute, and over a period.",
)

budget_windows = Table(
    "budget_windows",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("budget_id", Uuid, ForeignKey("budgets.id"), nullable=False),
    _time("starts_at", nullable=False),
    Column("used", BigInteger, nullable=False, server_default=text("0")),
    Column("held", BigInteger, nullable=False, server_default=text("0")),
    UniqueConstraint("budget_id", "starts_at"),
    CheckConstraint("held >= 0", name="held"),
)

costs = Table(
    "costs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attempt_id", Uuid, nullable=False),
    Column("task_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False),
    Column("channel_id", Uuid, nullable=False),
    Column("model", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("native_units", Numeric, comment="null: nobody knows"),
    Column("native_unit", Text),
    Column("basis", Text, nullable=False),
    Column("micros", BigInteger, comment="what they cost the operator"),
    Column("windows", ARRAY(BigInteger), comment="of budgets that it counts in"),
    UniqueConstraint("attempt_id", "state"),
    CheckConstraint("state IN ('made', 'failed', 'unknown', 'late')", name="state"),
    Index("costs_task_id_idx", "task_id"),
    Index("costs_channel_at_idx", "channel_id", "at"),
    comment="What attempts cost at their providers, also those that made nothing.",
)

price_books = Table(
    "price_books",
    metadata,
    Column("version", BigInteger, Identity(always=True), primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    _created_at(),
    comment="Never changed: tasks name the version that priced them. The newest one counts.",
)

notices = Table(
    "notices",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("type", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="What the operator is to be told; gone once it was.",
)

purchase_rates = Table(
    "purchase_rates",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel_id", Uuid, ForeignKey("channels.id"), nullable=False),
    Column("from_at", DateTime(timezone=True), nullable=False),
    Column("document", JSONB, nullable=False, comment="as a price book's"),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    _created_at(),
    Index("purchase_rates_channel_idx", "channel_id", "from_at", "id"),
    comment="What a channel's account pays; of each the last that has begun counts.",
)

rates = Table(
    "rates",
    metadata,
    Column("key", Text, primary_key=True),
    _time("tat", nullable=False),
    prefixes=["UNLOGGED"],
    comment="When the next request of a limit may come; a crash of the server forgets it.",
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", Uuid, primary_key=True),
    _time("seen_at", nullable=False),
    prefixes=["UNLOGGED"],
    comment="Processes that serve, while reads are limited: each has its share.",
)


def _work_columns() -> list[Any]:
    return [
        Column("tries", Integer, nullable=False, server_default=text("0")),
        _time("due_at"),
        Column("lease_id", Uuid),
        _time("lease_until"),
        Column("last_reason", Text),
    ]


deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("task_id", Uuid, nullable=False, index=True),
    Column("account_id", Uuid, nullable=False),
    Column("endpoint_id", Uuid, comment="null: goes to the callback_url of the task"),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False, server_default=text("''"), comment="with its port"),
    Column("event", Text, nullable=False),
    Column("body", LargeBinary),
    Column("status", Text, nullable=False),
    *_work_columns(),
    _time("finished_at"),
    _created_at(),
    CheckConstraint("status IN ('pending', 'delivered', 'parked')", name="status"),
    Index("deliveries_due_at_idx", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    # Each host is looked at by itself, and no more of it is read than is taken.
    Index("deliveries_host_due_idx", "host", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("deliveries_account_id_idx", "account_id", "created_at", "id"),
    Index("deliveries_endpoint_id_idx", "endpoint_id", "created_at"),
    Index("deliveries_created_at_idx", "created_at"),
)

delivery_tries = Table(
    "delivery_tries",
    metadata,
    Column("delivery_id", Uuid, ForeignKey("deliveries.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    _time("at", nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("status", Integer, comment="of the answer; null: there was none"),
    Column("error", Text),
    Column("answer", Text, comment="its beginning"),
    PrimaryKeyConstraint("delivery_id", "number"),
    comment="What became of each try to deliver a webhook.",
)

cancellations = Table(
    "cancellations",
    metadata,
    Column("task_id", Uuid, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    _time("due_at", nullable=False),
    Column("lease_id", Uuid),
    _time("lease_until"),
    Index("cancellations_due_at_idx", "due_at"),
    comment="Tasks to be cancelled then, unless they are final before.",
)

copies = Table(
    "copies",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("task_id", Uuid, nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("source_url", Text, nullable=False),
    Column("location", Text),
    Column("size_bytes", BigInteger),
    Column("status", Text, nullable=False),
    *_work_columns(),
    _time("finished_at"),
    _created_at(),
    CheckConstraint("status IN ('pending', 'stored', 'failed', 'deleted')", name="status"),
    Index("copies_due_at_idx", "due_at", postgresql_where=text("due_at IS NOT NULL")),
)

admin_acts = Table(
    "admin_acts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    _created_at(),
    Column("origin", Text, nullable=False, server_default=text("''")),
    Column("reason", Text),
    Column("before", JSONB, comment="null: it did not exist"),
    Column("after", JSONB),
    Index("admin_acts_subject_id_idx", "subject", "id"),
    comment="What was changed by hand; rows are never changed or deleted.",
)
