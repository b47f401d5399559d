"""The command line: parse, one call into `app`, render, exit code. Only here is anything printed.

Nothing is imported at the top of any module of this package but Typer and what costs as little: `--help` has to answer
at once. Commands import what they call when they are called.
"""

from __future__ import annotations


def main() -> None:
    """The program `eadm-sync`."""
    import gc
    import io
    import sys

    from eadm_sync.cli.failing import run
    from eadm_sync.cli.program import program

    gc.set_threshold(50_000, 20, 20)  # what is loaded at the start stays: to look through it again costs a tenth of it
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a Polish name on a Latin-1 terminal is no reason to stop
    code = run(program)
    gc.freeze()  # else the interpreter looks through all of it once more before it ends: a fifth of a short command
    raise SystemExit(code)
