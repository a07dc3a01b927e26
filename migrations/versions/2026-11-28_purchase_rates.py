"""What channels pay, what the operator is told of money, and an index for what was charged.

Revision: b64e2f8d0a17
Follows: d4a91c7be230
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "b64e2f8d0a17"
down_revision = "d4a91c7be230"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "entries_charged_idx",
        "entries",
        ["account_id", "token_id"],
        postgresql_include=["micros"],
        postgresql_where=sa.text("kind IN ('settle', 'extra')"),
    )

    op.create_table(
        "purchase_rates",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", JSONB(), nullable=False, comment="as a price book's"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="purchase_rates_channel_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="purchase_rates_pkey"),
        comment="What a channel's account pays; of each the last that has begun counts.",
    )
    op.create_index("purchase_rates_channel_idx", "purchase_rates", ["channel_id", "from_at", "id"])
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name="notices_pkey"),
        comment="What the operator is to be told; gone once it was.",
    )


def downgrade() -> None:
    op.drop_table("notices")
    op.drop_table("purchase_rates")
    op.drop_index("entries_charged_idx", table_name="entries")
