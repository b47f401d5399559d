from __future__ import annotations

import pytest
import sqlalchemy as sa

from exportqueue import define

CONDITIONS = {
    "ix_queue_items_due": "state = 'ready' AND not_before IS NULL",
    "ix_queue_items_delayed": "state = 'ready' AND not_before IS NOT NULL",
    "ix_queue_items_running": "state = 'running'",
    "ix_queue_items_dead": "state = 'dead'",
    "ix_queue_items_object": "finished_at IS NULL",
    "ix_queue_items_subject": "finished_at IS NULL",
    "ix_queue_items_finished": "finished_at IS NOT NULL",
}


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://"])
def test_finished_items_are_in_no_index_but_their_own(url: str):
    """Each index on items holds those alone that its queries look for, whatever the database."""
    made: list[str] = []
    engine = sa.create_mock_engine(
        url, lambda statement, *_, **__: made.append(str(statement.compile(dialect=engine.dialect)))
    )
    metadata = sa.MetaData()
    define(metadata)
    metadata.create_all(engine, checkfirst=False)

    found = {line.split()[2]: line.partition(" WHERE ")[2].strip() for line in made if " ON queue_items " in line}
    assert found == CONDITIONS
