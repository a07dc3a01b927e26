"""What providers said when they were asked, and which task another one repeats.

Revision: e7a4c90b13d8
Follows: 4e8b1f6c2a70
"""

import sqlalchemy as sa
from alembic import op

revision = "e7a4c90b13d8"
down_revision = "e19b4f6d7c02"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ZERO = sa.text("0")


def upgrade() -> None:
    op.add_column("attempts", sa.Column("asks", sa.Integer(), nullable=False, server_default=_ZERO))
    op.add_column("attempts", sa.Column("asked_at", _TIME))
    op.add_column("attempts", sa.Column("said", sa.Text(), comment="at the last ask"))
    op.add_column(
        "attempts", sa.Column("calls", sa.Integer(), nullable=False, server_default=_ZERO)
    )
    op.add_column("attempts", sa.Column("called_at", _TIME))
    op.create_table(
        "asks",
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="among all asks of the attempt"),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("before_at", _TIME, comment="when the ask before was, which said something else"),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name="asks_attempt_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("attempt_id", "number", name="asks_pkey"),
        comment="Asks whose answer was another than that of the ask before.",
    )
    op.add_column("tasks", sa.Column("resubmitted_from", sa.Uuid(), comment="the task it repeats"))
    op.create_table_comment(
        "inputs", "Inline media: needed until the last submit, then kept a while for repairs."
    )


def downgrade() -> None:
    op.create_table_comment(
        "inputs", "Inline media, deleted once the last attempt was accepted or the task is final."
    )
    op.drop_column("tasks", "resubmitted_from")
    op.drop_table("asks")
    for name in ("called_at", "calls", "said", "asked_at", "asks"):
        op.drop_column("attempts", name)
