"""A directory in one SQLite file: what the targets `embedded` and `file` both stand on."""
