"""The whole job with everything logged: what is in the log, and what is not."""

from __future__ import annotations

import base64
import csv
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eadm_sync.app.logs import OWN, configure
from eadm_sync.app.rekeying import retire, rotate
from eadm_sync.config.keys import read_keys
from eadm_sync.config.settings import LoggingSettings
from eadm_sync.state import tables

from .conftest import Town


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Everything, as JSON, in a file; libraries that log at all do so from debug on."""
    root = logging.getLogger()
    before = list(root.handlers)
    file = tmp_path / "all.log"
    configure(LoggingSettings(level="debug", format="json", file=file), tmp_path)
    yield file
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
        handler.close()
    for name in OWN:
        logging.getLogger(name).setLevel(logging.NOTSET)


def secrets_of(town: Town) -> set[str]:
    """Every national id of the sources, and every key in each form that it might be printed in."""
    with town.file("hr/persons.csv").open(encoding="utf-8", newline="") as file:
        found = {row["Fødselsnummer"] for row in csv.DictReader(file, delimiter=";")}
    with town.file("school/users.csv").open(encoding="utf-8", newline="") as file:
        found |= {row["identifier"] for row in csv.DictReader(file)}
    for key in read_keys(town.folder / "var" / "eadm-sync.key"):
        found |= {key.secret.hex(), base64.b64encode(key.secret).decode(), repr(key.secret)}
    return found - {""}


def send_national_ids(town: Town) -> None:
    """Has a rule send the national id to AD: it then is in payloads, in known state, and in what targets refuse."""
    path = town.folder / "rulesets" / "employees.yaml"
    text = path.read_text(encoding="utf-8")
    new = text.replace("      info: ", '      norEduPersonNIN: "{{ person.national_id }}"\n      info: ', 1)
    assert new != text
    path.write_text(new, encoding="utf-8")


def test_the_whole_job_logs_no_secret_and_no_name(town: Town, log: Path):
    """Import, plan, delivery, refusals, a target away, a broken source, rotated keys: ids and figures, nothing else."""
    send_national_ids(town)
    secrets = secrets_of(town)
    assert len(secrets) > 200
    town.fail("ad", {"kind": "rejected", "every": 3})
    town.fail("entra", {"kind": "unavailable", "every": 50})
    town.sync()
    rotate(town.context)
    secrets |= secrets_of(town)
    town.later(hours=1).deliver()
    retire(town.context, sleep=lambda _: None)
    town.file("hr/positions.csv").write_bytes(town.file("hr/positions.csv").read_bytes()[:-40])
    town.sync()

    text = log.read_text(encoding="utf-8")
    events = [json.loads(line) for line in text.splitlines()]
    names = {row.name for row in town.rows(tables.people)}
    assert {"run.started", "run.ended", "item.failed", "key.rotated", "key.retired"} <= {one["event"] for one in events}
    assert not [secret for secret in secrets if secret in text]
    assert not [name for name in names if name in text]


def test_events_of_a_run_can_be_told_from_those_of_another(small_town: Town, log: Path):
    """Each names its run; failures name target and item, so that `queue show` tells the rest."""
    small_town.fail("ad", {"kind": "rejected", "every": 2})
    first, second = small_town.sync().run_id, small_town.later(hours=1).sync().run_id

    events: list[dict[str, Any]] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    runs = [one["run"] for one in events if one["event"] in {"run.started", "run.ended"}]
    assert runs == [first, first, second, second]
    failed = [one for one in events if one["event"] == "item.failed"]
    assert failed
    assert {(one["target"], one["error"]) for one in failed} == {("ad", "Rejected")}
    assert {one["item"] for one in failed} <= {item.id for item in small_town.items()}
