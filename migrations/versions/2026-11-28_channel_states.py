"""How each channel does: whether it takes work, how much of it, and how long jobs take.

Revision: c17e5b9f3d28
Follows: 8d2a7c40e1b5
"""

import sqlalchemy as sa
from alembic import op

revision = "c17e5b9f3d28"
down_revision = "8d2a7c40e1b5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "attempts_history_idx",
        "attempts",
        ["channel_id", "upstream_model", "finished_at"],
        postgresql_where=sa.text("status = 'succeeded'"),
    )
    op.create_table(
        "channel_states",
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'ok'"), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("openings", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("probe_at", sa.DateTime(timezone=True), comment="when it may be tried again"),
        sa.Column("learned_cap", sa.Integer(), comment="jobs at once that the provider took"),
        sa.Column("learned_at", sa.DateTime(timezone=True)),
        sa.Column("notice_at", sa.DateTime(timezone=True), comment="null: nothing to tell"),
        sa.CheckConstraint(
            "state IN ('ok', 'open', 'half_open', 'credential', 'balance')",
            name="channel_states_state_check",
        ),
        sa.CheckConstraint("learned_cap > 0", name="channel_states_learned_cap_check"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="channel_states_channel_id_fkey"
        ),
        sa.PrimaryKeyConstraint("channel_id", name="channel_states_pkey"),
        comment="How each channel does, for all processes; without a row it does well.",
    )


def downgrade() -> None:
    op.drop_table("channel_states")
    op.drop_index("attempts_history_idx", table_name="attempts")
