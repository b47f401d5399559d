"""Help answers at once and is complete."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


LOOK = """
import json, sys
from eadm_sync.cli.failing import run
from eadm_sync.cli.program import program
sys.argv = ["eadm-sync", "status"]
run(program)
print(json.dumps(sorted(sys.modules)))
"""


def test_status_loads_nothing_that_reads_rules(tmp_path: Path) -> None:
    """On an installation as it is made: no rules, templates, migrations, nor drivers of other databases."""
    subprocess.run([sys.executable, "-m", "eadm_sync", "init", "."], cwd=tmp_path, capture_output=True, check=True)

    made = subprocess.run([sys.executable, "-c", LOOK], cwd=tmp_path, capture_output=True, text=True, check=True)

    loaded = json.loads(made.stdout.splitlines()[-1])
    assert "eadm_sync.app.status" in loaded
    assert not {"eadm_sync.ruleset", "jinja2", "alembic", "psycopg", "httpx", "ldap3"} & set(loaded)


def test_the_version_is_told() -> None:
    """As packaging knows it."""
    from eadm_sync import __version__  # noqa: PLC0415 - beside its only use

    made = subprocess.run([sys.executable, "-m", "eadm_sync", "--version"], capture_output=True, text=True, check=True)
    assert made.stdout == f"eadm-sync {__version__}\n"
