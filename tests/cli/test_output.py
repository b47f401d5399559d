"""What is printed where: tables on a terminal, plain lines in a pipe, and never what data would do to either."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from eadm_sync.cli import output
from eadm_sync.model import Sealed


def printing(name: str) -> str:
    """A program that prints a table with a name in it."""
    return f"from eadm_sync.cli.output import table; table(['id', 'name'], [['1', {name!r}], ['2', 'Åse']])"


def on_a_terminal(code: str, **environ: str) -> str:
    """What a program prints on a terminal of 60 columns."""
    main, other = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm", "COLUMNS": "60", **environ}
    with subprocess.Popen([sys.executable, "-c", code], stdout=other, env=environment) as process:
        process.wait()
    os.close(other)
    with os.fdopen(main, "rb") as screen:
        return screen.read1().decode()


def test_a_pipe_gets_plain_rows(hostile: str, dangerous: frozenset[str]) -> None:
    """One line for each row, one tab between two cells, no colour, nothing cut off."""
    made = subprocess.run([sys.executable, "-c", printing(hostile)], capture_output=True, text=True, check=True)
    lines = made.stdout.splitlines()
    assert [line.count("\t") for line in lines] == [1, 1, 1]
    assert lines[2] == "2\tÅse"
    assert "[bold]x[/]" in lines[1]
    assert not dangerous & set(made.stdout.replace("\t", ""))


def test_a_terminal_gets_a_table(hostile: str) -> None:
    """In colour, but none of it from data; markup in data is text."""
    shown = on_a_terminal(printing(hostile))
    assert "───" in shown
    assert "\x1b[1m" in shown
    assert "\x1b[31m" not in shown
    assert "[bold]x[/]" in shown
    assert "\t" not in shown


def test_no_color_is_respected() -> None:
    """As no-color.org has it."""
    code = "from eadm_sync.cli.output import line, styled; line(styled('all is well', 'green'))"
    assert on_a_terminal(code) == "\x1b[32mall is well\x1b[0m\r\n"
    assert on_a_terminal(code, NO_COLOR="1") == "all is well\r\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (["a", None, "b\n"], "a, , b\\x0a"),
        (Sealed(b"cipher", b"digest"), "***"),
        ("a\u2028b\x85c", "a\\x2028b\\x85c"),  # line ends that are not LF
        ("1\u200b2\xad\u061c\U000e0041", "1\\x200b2\\xad\\x61c\\xe0041"),  # what nobody sees
    ],
)
def test_values_become_one_line(value: object, shown: str) -> None:
    """Whatever they are."""
    assert output.clean(value) == shown


def test_json_holds_the_very_text_and_harms_no_terminal(
    capsys: pytest.CaptureFixture[str], hostile: str, dangerous: frozenset[str]
) -> None:
    """Escapes of JSON's own, so that programs read what was there; sealed values and bytes stay inside."""
    output.json_list([{"name": hostile, "secret": Sealed(b"cipher", b"digest")}])
    printed = capsys.readouterr().out
    assert json.loads(printed) == [{"name": hostile, "secret": "***"}]
    assert not dangerous & set(printed)


@pytest.mark.parametrize("unseen", ["\u200b", "\x9b", "\u061c", "\U000e0041"])
def test_json_shows_what_nobody_sees(capsys: pytest.CaptureFixture[str], unseen: str) -> None:
    """Also beyond the first 65 536 characters, where an escape of JSON takes two."""
    output.json_document([unseen])
    printed = capsys.readouterr().out
    assert json.loads(printed) == [unseen]
    assert printed.isascii()
