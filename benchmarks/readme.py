"""Writes the table of figures in README.md from the last result of `make bench-full`, or else of `make bench`.

make bench-table
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.report import Figure, latest, table
from benchmarks.town import PROJECT

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


def main() -> None:
    """Writes the table.

    Raises:
        SystemExit: Nothing has been measured.
    """
    result = latest("full") or latest("quick")
    if result is None:
        sys.exit("there are no figures yet: make bench")
    path = PROJECT / "README.md"
    path.write_text(with_figures(path.read_text(encoding="utf-8"), result), encoding="utf-8")


def with_figures(text: str, result: Figure) -> str:
    """The README with a result's figures between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{section(result)}\n{END}{after}"


def section(result: Figure) -> str:
    """What stands between the marks."""
    machine, met = result["machine"], sum(row["met"] for row in result["rows"] if row["aim"])
    aims = sum(bool(row["aim"]) for row in result["rows"])
    made = "make bench-full" if result["kind"] == "full" else "make bench"
    when = f"{result['taken_at'][:10]} at {result['commit']}"
    return f"""\
{result["people"]:,} people in two sources, three targets, the rulesets of this project; {machine["cpu"]}, \
{machine["cores"]} cores, Python {machine["python"]}, SQLite {machine["sqlite"]}; taken on {when} \
by `{made}`. The floor is the least that a Python program has to do for the same result, or somebody
else's program for the same work, timed in the same run. {met} of {aims} aims are met. [What each figure
means](docs/performance.md).

{table(result["rows"])}"""


def is_current(readme: Path) -> bool:
    """Whether the README shows the last result, or there is none."""
    result = latest("full") or latest("quick")
    text = readme.read_text(encoding="utf-8")
    return result is None or with_figures(text, result) == text


if __name__ == "__main__":
    main()
