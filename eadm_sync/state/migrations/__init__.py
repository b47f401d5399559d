"""Alembic migrations of the state database. A released one is never changed; the next one goes on from it."""
