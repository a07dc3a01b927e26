"""Rates and places beside the budgets, and which windows an amount was held in.

Nothing has used `budgets` or `entries.window_id` so far.

Revision: 1f6c8e2ad097
Follows: b64e2f8d0a17
"""

import sqlalchemy as sa
from alembic import op

revision = "1f6c8e2ad097"
down_revision = "b64e2f8d0a17"
branch_labels = None
depends_on = None

_WINDOWS = sa.ARRAY(sa.BigInteger())
_CHECKS = {
    "period": "period IN ('total', 'day', 'week', 'month', 'minute', 'at_once')",
    "measure": (
        "measure IN ('micros', 'tasks', 'native_units', 'requests', 'reads', 'in_flight', 'queued')"
    ),
}
_LEAST = "\"limit\" >= CASE WHEN measure IN ('requests', 'reads') THEN 1 ELSE 0 END"


def upgrade() -> None:
    for name, condition in _CHECKS.items():
        op.drop_constraint(op.f(f"budgets_{name}_check"), "budgets", type_="check")
        op.create_check_constraint(op.f(f"budgets_{name}_check"), "budgets", condition)
    op.create_check_constraint(op.f("budgets_limit_check"), "budgets", _LEAST)
    op.create_index(
        "budgets_key",
        "budgets",
        ["scope", "scope_id", "measure", "period", "models"],
        unique=True,
    )
    op.create_index("budgets_updated_at_idx", "budgets", ["updated_at"])
    op.execute(
        "CREATE CONSTRAINT TRIGGER budgets_touch AFTER INSERT OR UPDATE ON budgets "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (pg_trigger_depth() = 0) "
        "EXECUTE FUNCTION vidgate_touch()"
    )
    op.create_table_comment("budgets", "What may be used at once, in a minute, and over a period.")
    op.create_check_constraint(op.f("budget_windows_held_check"), "budget_windows", "held >= 0")
    op.drop_column("entries", "window_id")
    op.add_column(
        "attempts",
        sa.Column(
            "cost_micros",
            sa.BigInteger(),
            comment="what its job is expected to cost; null where its channel has no limit",
        ),
    )
    for table in ("entries", "outputs", "costs"):
        op.add_column(table, sa.Column("windows", _WINDOWS, comment="of budgets that it counts in"))
    op.create_table(
        "replicas",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="replicas_pkey"),
        prefixes=["UNLOGGED"],
        comment="Processes that serve, while reads are limited: each has its share.",
    )


def downgrade() -> None:
    raise NotImplementedError("money is never thrown away")
