"""How a fault in a file is shown: its place, the line, and what is underlined in it."""

from __future__ import annotations

import pytest

from eadm_sync.cli.failing import tell_problem
from eadm_sync.errors import Problem


def shown(excerpt: str, column: int, width: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines told of a problem."""
    tell_problem(Problem("a.yaml", 3, column, "wrong", "right", None, excerpt, width))
    return capsys.readouterr().err.splitlines()


def test_the_fault_is_underlined(capsys: pytest.CaptureFixture[str]):
    """Place and message, the line, the mark below it, and what would be right."""
    assert shown("  when: workin", 9, 6, capsys) == [
        "a.yaml:3:9: wrong",
        "      when: workin",
        "            ^^^^^^",
        "    right",
    ]


@pytest.mark.parametrize(
    ("excerpt", "column"),
    [
        ("\t\tworkin", 3),  # shown as escapes, which are longer
        ("\x00 workin", 3),
        ("æøå workin", 5),
    ],
)
def test_the_mark_stands_below_the_fault_whatever_is_before_it(
    excerpt: str, column: int, capsys: pytest.CaptureFixture[str]
):
    """What cannot be printed takes more room than in the file."""
    _, line, mark, _ = shown(excerpt, column, 6, capsys)

    assert line[mark.index("^") :] == "workin"


@pytest.mark.parametrize("column", [1, 100, 5_000, 100_000])
def test_of_a_long_line_the_part_around_the_fault_is_shown(column: int, capsys: pytest.CaptureFixture[str]):
    """A line without end does not fill the terminal, and the fault is in what is shown."""
    excerpt = "x" * (column - 1) + "FAULT" + "x" * 100_000

    _, line, mark, _ = shown(excerpt, column, 5, capsys)

    assert line[mark.index("^") :][:5] == "FAULT"
    assert len(line) < 200
    assert mark.count("^") == 5
