"""The queue as a library of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import exportqueue

PACKAGE = Path(exportqueue.__file__).parent

SCRIPT = """
import pkgutil, sys
from importlib import import_module
from importlib.metadata import packages_distributions

NEEDED = {"exportqueue", "sqlalchemy", "msgspec", "typing_extensions", "greenlet"}  # the last two by SQLAlchemy
OTHERS = {"eadm_sync", "connectors", *packages_distributions()} - NEEDED

class NothingElse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in OTHERS:
            raise ModuleNotFoundError(f"{name} is not for the queue to import", name=name)

sys.meta_path.insert(0, NothingElse())

import exportqueue
for module in pkgutil.walk_packages(exportqueue.__path__, "exportqueue."):
    import_module(module.name)

import sqlalchemy as sa
from exportqueue import Result, Verdict, VerdictKind

engine = sa.create_engine("sqlite:///queue.db")
payload = b"{}"
delivered = []

@sa.event.listens_for(engine, "connect")
def connected(connection, record):
    connection.isolation_level = None

@sa.event.listens_for(engine, "begin")
def begun(connection):
    connection.exec_driver_sql("BEGIN IMMEDIATE")

class handler:
    def deliver(items):
        for item in items:
            delivered.append(item.object_key)
            yield Result(item.id)

    def record(conn, results):
        pass

def classify(error):
    return Verdict(VerdictKind.RETRY)

exec(sys.argv[1])
print(*delivered)
"""


def test_it_runs_on_sqlalchemy_and_msgspec_alone(tmp_path: Path):
    """All of it can be imported, and the README's example works, where nothing else is to be had."""
    shutil.copytree(PACKAGE, tmp_path / "exportqueue")
    example = (PACKAGE / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, example],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["account/7", "member/7/staff"]
