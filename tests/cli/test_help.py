"""Help answers at once and is complete."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from eadm_sync.cli import commands
from eadm_sync.cli.program import MODULES, commands_of

SCRIPT = """
import io, json, sys, contextlib
from eadm_sync.cli.failing import run
from eadm_sync.cli.program import program
import typer
pages = {}
def walk(group, words):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            walk(command, (*words, name))
        else:
            pages[" ".join((*words, name))] = None
walk(typer.main.get_command(program), ())
for words in ("", *pages):
    sys.argv = ["eadm-sync", *words.split(), "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as page:
        code = run(program)
    pages[words] = [code, page.getvalue()]
heavy = sorted({"sqlalchemy", "pydantic", "jinja2", "rich", "alembic", "msgraph", "cryptography"} & set(sys.modules))
if "typer._adapters" in sys.modules:  # newer releases of Typer load Pydantic themselves for what they parse
    heavy = [name for name in heavy if name != "pydantic"]
print(json.dumps({"pages": pages, "heavy": heavy}))
"""


def test_every_command_explains_itself_without_loading_anything_heavy() -> None:
    """With an example and its exit codes; no page needs a database, a model, a template or Rich."""
    made = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    found = json.loads(made.stdout)
    assert found["heavy"] == []
    assert len(found["pages"]) > 20
    for words, (code, page) in found["pages"].items():
        assert code == 0, words
        if words:
            assert page.count(f"eadm-sync {words}") > 1, words  # beyond the line that says how it is used
            assert "exit code" in page.lower(), words


def test_each_command_is_listed_with_the_module_that_has_it() -> None:
    """None is forgotten in the list, and none is listed that is not there."""
    modules = sorted(module.name for module in iter_modules(commands.__path__))
    offered = {
        module: set(commands_of(module))
        for module in modules
        if hasattr(import_module(f"eadm_sync.cli.commands.{module}"), "register")
    }

    listed = {module: {name for name, of in MODULES.items() if of == module} for module in offered}
    assert offered == listed


LOOK = """
import json, sys
from eadm_sync.cli.failing import run
from eadm_sync.cli.program import program
code = run(program)
print(json.dumps([code, sorted(sys.modules)]))
"""

HEAVY = {"alembic", "googleapiclient", "httpx", "ldap3", "msgraph", "psycopg", "rich", "sqlalchemy.dialects.postgresql"}
"""What no command needs that reads the state in SQLite and prints into a pipe."""

WRITING = {"eadm_sync.delivery.deliverer", "eadm_sync.importing.importing", "structlog"}
"""What reads sources, writes to targets, or logs."""


@pytest.mark.parametrize(
    ("words", "needed", "not_needed"),
    [
        # counts alone: no rules
        (
            ["status"],
            "eadm_sync.app.status",
            {"eadm_sync.ruleset", "jinja2", "cryptography"},
        ),
        # the rules, and what the state has of one person
        (["explain", "hr:1001"], "eadm_sync.app.explaining", {"eadm_sync.app.correlating", "eadm_sync.app.syncing"}),
        (["people", "list"], "eadm_sync.app.listing", {"eadm_sync.app.planning"}),
    ],
)
def test_what_looks_loads_only_what_it_needs(
    settled: Path, words: list[str], needed: str, not_needed: set[str]
) -> None:
    """Each package here costs a start some hundredths of a second, or tenths."""
    made = subprocess.run([sys.executable, "-c", LOOK, *words], cwd=settled, capture_output=True, text=True, check=True)

    code, loaded = json.loads(made.stdout.splitlines()[-1])
    assert code == 0
    assert needed in loaded
    assert not (HEAVY | WRITING | not_needed) & set(loaded)


def test_the_version_is_told() -> None:
    """As packaging knows it."""
    from eadm_sync import __version__  # noqa: PLC0415 - beside its only use

    made = subprocess.run([sys.executable, "-m", "eadm_sync", "--version"], capture_output=True, text=True, check=True)
    assert made.stdout == f"eadm-sync {__version__}\n"
