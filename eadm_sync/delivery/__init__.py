"""From accepted plan to target: changes become queue items, items become operations, outcomes become known state."""
