"""Writes what has changed: `python -m docs.generator`."""

from __future__ import annotations

import sys

from docs.generator.pages import DOCS, pages


def main() -> None:
    """Writes every generated file that is not as it should be, and names it."""
    for name, content in pages().items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
            sys.stdout.write(f"docs/{name}\n")


main()
