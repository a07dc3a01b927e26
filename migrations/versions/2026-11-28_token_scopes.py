"""What a token sees, from where it may come, which channels it may use, and its former keys.

Tokens that were made before see all that is their account's, as they did; so do those that are made
by what went before.

Revision: d4a91c7be230
Follows: b50c6e83d1f7
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "d4a91c7be230"
down_revision = "b50c6e83d1f7"
branch_labels = None
depends_on = None

_TAGGED = {"accounts": "channel_tags", "tokens": "channel_tags", "channels": "tags"}


def upgrade() -> None:
    for table, name in _TAGGED.items():
        column = sa.Column(
            name, postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")
        )
        op.add_column(table, column)
    op.add_column(
        "tokens", sa.Column("sees", sa.Text(), nullable=False, server_default=sa.text("'account'"))
    )
    op.create_check_constraint(op.f("tokens_sees_check"), "tokens", "sees IN ('own', 'account')")
    op.create_table(
        "former_keys",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="former_keys_pkey"),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name="former_keys_token_id_fkey"),
        comment="What a token's key was before; it works until then.",
    )
    op.create_index("former_keys_token_id_idx", "former_keys", ["token_id"])
    op.create_table(
        "token_uses",
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_id", name="token_uses_pkey"),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name="token_uses_token_id_fkey"),
        comment="To a minute; apart, so that nobody re-reads the token for it.",
    )
    op.add_column(
        "webhook_endpoints",
        sa.Column("token_id", sa.Uuid(), comment="null: told of all that is the account's"),
    )
    op.create_index("tasks_account_token_id_idx", "tasks", ["account_id", "token_id", "id"])


def downgrade() -> None:
    op.drop_index("tasks_account_token_id_idx", table_name="tasks")
    op.drop_column("webhook_endpoints", "token_id")
    op.drop_table("token_uses")
    op.drop_table("former_keys")
    op.drop_constraint(op.f("tokens_sees_check"), "tokens")
    op.drop_column("tokens", "sees")
    for table, name in _TAGGED.items():
        op.drop_column(table, name)
