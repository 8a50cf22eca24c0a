"""Data sets, and how good an artifact is on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Make the table of data, and the column beside an artifact's verification."""
    op.create_table(
        "data",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("model_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
    )
    op.create_index("ix_data_model_id", "data", ["model_id"])
    op.add_column("artifact", sa.Column("quality", sa.JSON))
