"""Where webhooks go, with what they are signed, and what became of each try to deliver one.

Revision: 6a8f13d25c70
Follows: 2f60b8d1c93e
"""

import sqlalchemy as sa
from alembic import op

revision = "6a8f13d25c70"
down_revision = "2f60b8d1c93e"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("event_types", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("disabled_reason", sa.Text(), comment="null while it is enabled"),
        sa.Column("failing_since", _TIME, comment="of the first failure in a row"),
        sa.Column("removed_at", _TIME),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="webhook_endpoints_account_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="webhook_endpoints_pkey"),
    )
    op.create_index(
        "webhook_endpoints_account_id_idx",
        "webhook_endpoints",
        ["account_id", "id"],
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.add_column(
        "webhook_secrets",
        sa.Column(
            "endpoint_id",
            sa.Uuid(),
            sa.ForeignKey("webhook_endpoints.id", name="webhook_secrets_endpoint_id_fkey"),
            comment="null: signs what goes to the callback_url of a task",
        ),
    )
    op.alter_column("webhook_secrets", "expires_at", comment="null: the one that is shown")
    op.create_index("webhook_secrets_endpoint_id_idx", "webhook_secrets", ["endpoint_id"])
    op.create_index(
        "webhook_secrets_current_key",
        "webhook_secrets",
        ["account_id", "endpoint_id"],
        unique=True,
        postgresql_where=sa.text("expires_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.add_column(
        "deliveries",
        sa.Column("endpoint_id", sa.Uuid(), comment="null: goes to the callback_url of the task"),
    )
    op.add_column(
        "deliveries",
        sa.Column(
            "host",
            sa.Text(),
            nullable=False,
            server_default=sa.text("''"),
            comment="with its port",
        ),
    )
    op.create_index(
        "deliveries_host_due_idx",
        "deliveries",
        ["host", "due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("deliveries_account_id_idx", "deliveries", ["account_id", "created_at", "id"])
    op.create_index("deliveries_endpoint_id_idx", "deliveries", ["endpoint_id", "created_at"])
    op.create_index("deliveries_created_at_idx", "deliveries", ["created_at"])
    op.create_table(
        "delivery_tries",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), comment="of the answer; null: there was none"),
        sa.Column("error", sa.Text()),
        sa.Column("answer", sa.Text(), comment="its beginning"),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name="delivery_tries_delivery_id_fkey",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="delivery_tries_pkey"),
        comment="What became of each try to deliver a webhook.",
    )


def downgrade() -> None:
    op.drop_table("delivery_tries")
    for name in ("created_at", "endpoint_id", "account_id", "host_due"):
        op.drop_index(f"deliveries_{name}_idx", "deliveries")
    op.drop_column("deliveries", "host")
    op.drop_column("deliveries", "endpoint_id")
    op.drop_index("webhook_secrets_current_key", "webhook_secrets")
    op.drop_index("webhook_secrets_endpoint_id_idx", "webhook_secrets")
    op.drop_column("webhook_secrets", "endpoint_id")
    op.drop_table("webhook_endpoints")
