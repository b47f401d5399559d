"""Records the pages of `docs/wire-logs/` anew: `make wire-logs`."""

from __future__ import annotations

import sys

from tests.wire_logs.pages import FOLDER, SYSTEMS, recorded


def main() -> None:
    """Writes every page that is not as it should be, and names it."""
    for system in SYSTEMS:
        name, content = recorded(system)
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            sys.stdout.write(f"docs/wire-logs/{name}\n")


if __name__ == "__main__":
    main()
