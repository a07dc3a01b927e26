"""Entries, balances, budgets, costs and price books, in the place of what nothing used.

Revision: 8f3b6d1e90ac
Follows: e7a4c90b13d8
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "8f3b6d1e90ac"
down_revision = "c17e5b9f3d28"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_JSON = postgresql.JSONB()
_NOW = sa.text("now()")


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def upgrade() -> None:
    op.drop_table("ledger")
    op.drop_table("prices")
    op.drop_column("balances", "micros")
    op.add_column("balances", sa.Column("available", sa.BigInteger(), nullable=False))
    for name in ("held", "overdraft"):
        op.add_column(
            "balances",
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        )
        op.create_check_constraint(op.f(f"balances_{name}_check"), "balances", f"{name} >= 0")
    op.create_table_comment(
        "balances", "Only prepaid accounts have a row, so that the others never wait for one."
    )
    op.add_column(
        "accounts",
        sa.Column(
            "factor",
            sa.Numeric(),
            server_default=sa.text("1"),
            nullable=False,
            comment="on every price",
        ),
    )
    op.create_check_constraint(op.f("accounts_factor_check"), "accounts", "factor >= 0")
    op.create_index(
        "accounts_factor_idx", "accounts", ["id"], postgresql_where=sa.text("factor <> 1")
    )
    op.add_column(
        "outputs",
        sa.Column("hold", _JSON, comment="the money held for it; null where nothing is charged"),
    )
    op.add_column(
        "attempts",
        sa.Column("price", _JSON, comment="what its video is charged by; null for nothing"),
    )
    _create_entries()
    _create_budgets()
    op.create_table(
        "costs",
        _id(),
        sa.Column("at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("native_units", sa.Numeric(), comment="null: nobody knows"),
        sa.Column("native_unit", sa.Text()),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("micros", sa.BigInteger(), comment="what they cost the operator"),
        sa.CheckConstraint(
            "state IN ('made', 'failed', 'unknown', 'late')", name=op.f("costs_state_check")
        ),
        sa.PrimaryKeyConstraint("id", name="costs_pkey"),
        sa.UniqueConstraint("attempt_id", "state", name="costs_attempt_id_state_key"),
        comment="What attempts cost at their providers, also those that made nothing.",
    )
    op.create_index("costs_task_id_idx", "costs", ["task_id"])
    op.create_index("costs_channel_at_idx", "costs", ["channel_id", "at"])
    op.create_table(
        "price_books",
        sa.Column("version", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("document", _JSON, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("version", name="price_books_pkey"),
        comment=("Never changed: tasks name the version that priced them. The newest one counts."),
    )
    op.create_table(
        "rates",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tat", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name="rates_pkey"),
        prefixes=["UNLOGGED"],
        comment="When the next request of a limit may come; a crash of the server forgets it.",
    )
    op.execute(
        """
        CREATE FUNCTION vidgate_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME;
        END
        $$
        """
    )
    for table in ("entries", "price_books"):
        op.execute(
            f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION vidgate_refuse()"
        )


def _create_entries() -> None:
    op.create_table(
        "entries",
        _id(),
        sa.Column("at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("from_book", sa.Text(), nullable=False),
        sa.Column("to_book", sa.Text(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid()),
        sa.Column("task_id", sa.Uuid()),
        sa.Column("position", sa.Integer()),
        sa.Column("reference", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), comment="of a budget"),
        sa.Column("price_version", sa.BigInteger()),
        sa.Column("native_units", sa.Numeric(), comment="the provider's own"),
        sa.Column("native_unit", sa.Text()),
        sa.Column("basis", sa.Text(), comment="where the amount is from"),
        sa.CheckConstraint("micros > 0", name=op.f("entries_micros_check")),
        sa.CheckConstraint("from_book <> to_book", name=op.f("entries_books_check")),
        sa.CheckConstraint(
            "kind IN ('reserve', 'settle', 'release', 'extra', 'refund', 'credit', 'import', "
            "'adjust', 'expire')",
            name=op.f("entries_kind_check"),
        ),
        sa.PrimaryKeyConstraint("id", name="entries_pkey"),
        comment="Every movement of money, from book to book. A trigger refuses every change.",
    )
    op.create_index(
        "entries_task_key",
        "entries",
        ["task_id", "position", "kind"],
        unique=True,
        postgresql_where=sa.text("kind IN ('reserve', 'settle', 'release', 'extra')"),
    )
    op.create_index(
        "entries_reference_key",
        "entries",
        ["account_id", "kind", "reference"],
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index("entries_account_id_idx", "entries", ["account_id", "id"])


def _create_budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Text(), nullable=False),
        sa.Column(
            "models", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False
        ),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("tz", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=False),
        sa.Column("warn_at", sa.Numeric(), server_default=sa.text("0.8"), nullable=False),
        sa.Column("raise", sa.BigInteger()),
        sa.Column("raise_until", _TIME),
        sa.Column("removed_at", _TIME),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("updated_at", _TIME, server_default=_NOW, nullable=False),
        sa.CheckConstraint(
            "scope IN ('account', 'token', 'end_user', 'channel', 'vendor_account')",
            name=op.f("budgets_scope_check"),
        ),
        sa.CheckConstraint(
            "period IN ('total', 'day', 'week', 'month')", name=op.f("budgets_period_check")
        ),
        sa.CheckConstraint(
            "measure IN ('micros', 'tasks', 'native_units')", name=op.f("budgets_measure_check")
        ),
        sa.PrimaryKeyConstraint("id", name="budgets_pkey"),
    )
    op.create_index(
        "budgets_scope_idx",
        "budgets",
        ["scope", "scope_id"],
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "budget_windows",
        _id(),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", _TIME, nullable=False),
        sa.Column("used", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["budget_id"], ["budgets.id"], name="budget_windows_budget_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="budget_windows_pkey"),
        sa.UniqueConstraint(
            "budget_id", "starts_at", name="budget_windows_budget_id_starts_at_key"
        ),
    )


def downgrade() -> None:
    raise NotImplementedError("money is never thrown away")
