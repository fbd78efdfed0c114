"""Run the migrations on the connection that `hri.registry.database` opened, inside its transaction."""

from __future__ import annotations

from alembic import context

from hri.registry.schema import metadata

_connection = context.config.attributes["connection"]

context.configure(connection=_connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
