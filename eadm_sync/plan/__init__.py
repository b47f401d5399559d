"""The difference between desired and known state, as data: changes, summary, brakes, hash."""
