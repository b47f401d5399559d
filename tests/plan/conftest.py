"""A small office in real files: a handful of people in one CSV file, two directories, and rules written as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from connectors.contract import Kind, RemoteObject
from eadm_sync.app.context import open_context
from eadm_sync.app.planning import Planned
from eadm_sync.app.syncing import SyncReport, sync
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.plan.brakes import Hold

FIRST_DAY = date(2026, 8, 17)
COLUMNS = "number;given;family;kind;unit;start;end"
UNITS = "code;name;parent;manager\n1;Kommune;;\n11;Skole;1;2\n12;Teknisk;1;\n"

Line = tuple[str, ...]
"""A change in short: ("hr:1", "ad", "account", "create"), with the group or the product behind it, if any."""


@dataclass
class Office:
    """One installation of two targets, `ad` and `web`; whatever is planned is agreed to and delivered.

    Attributes:
        folder: Where everything stands.
        clock: Stands still until it is set.
        lines: The changes of the last plan that no brake held.
        held: Those that one held.
        holds: The brakes that did.
        problems: People whom the rules could not serve, with the reason.
        evaluated: How many people the last plan looked at.
    """

    folder: Path
    clock: FixedClock = field(default_factory=lambda: FixedClock(datetime.combine(FIRST_DAY, time(4), UTC)))
    lines: list[Line] = field(default_factory=list)
    held: list[Line] = field(default_factory=list)
    holds: tuple[Hold, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    evaluated: int = 0

    def people(self, *rows: str) -> Office:
        """Writes the source: "1;Kari;Li;employee;11" and so on."""
        width = COLUMNS.count(";")
        lines = [row + ";" * (width - row.count(";")) for row in rows]
        (self.folder / "people.csv").write_text("\n".join([COLUMNS, *lines, ""]), encoding="utf-8")
        return self

    def rules(self, text: str) -> Office:
        """Writes the ruleset."""
        (self.folder / "rules.yaml").write_text("ruleset: r\n" + dedent(text), encoding="utf-8")
        return self

    def configure(self, target: str, **options: Any) -> Office:
        """Changes settings of a target."""
        path = self.folder / "config.yaml"
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings["targets"][target].update(options)
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return self

    def on(self, day: date) -> Office:
        """Sets the clock to the morning of a day."""
        self.clock.moment = datetime.combine(day, time(4), UTC)
        return self

    def sync(self, **options: Any) -> SyncReport:
        """The main job."""
        return sync(open_context(self.folder / "config.yaml", self.clock), self._agree, **options)

    def _agree(self, made: Planned) -> bool:
        plan = made.plan
        self.holds, self.evaluated = plan.holds, plan.evaluated
        self.problems = {problem.person: problem.reason for problem in plan.problems}
        self.lines, self.held = [], []
        for _, accepted, held in plan.judged():
            for changes, lines in ((accepted, self.lines), (held, self.held)):
                for change in changes:
                    what = change.sku or (change.group if change.kind in {Kind.MEMBERSHIP, Kind.NESTING} else None)
                    line = (change.subject, change.target, str(change.kind), str(change.action))
                    lines.append((*line, *([what] if what else [])))
        return True

    # ------------------------------------------------------------ what is where

    def objects(self, kind: Kind, target: str = "ad") -> list[RemoteObject]:
        """What a target holds of one kind."""
        with open_context(self.folder / "config.yaml", self.clock).make_target(target) as opened:
            return [one for one in opened.read(kind) if isinstance(one, RemoteObject) and not one.deleted]

    def names(self, target: str = "ad") -> dict[str | None, object]:
        """Person → name of their account."""
        return {one.owner: one.attributes["name"] for one in self.objects(Kind.ACCOUNT, target)}

    def members(self, target: str = "ad") -> set[tuple[object, str | None]]:
        """(name of the group, person) of every membership."""
        groups = {one.anchor: one.attributes["name"] for one in self.objects(Kind.GROUP, target)}
        owners = {one.anchor: one.owner for one in self.objects(Kind.ACCOUNT, target)}
        found = self.objects(Kind.MEMBERSHIP, target)
        return {(groups[one.group or ""], owners[one.account or ""]) for one in found}

    def licences(self, target: str = "ad") -> set[tuple[str | None, str | None]]:
        """(person, product) of every licence."""
        owners = {one.anchor: one.owner for one in self.objects(Kind.ACCOUNT, target)}
        return {(owners[one.account or ""], one.sku) for one in self.objects(Kind.LICENCE, target)}


def _configuration() -> dict[str, Any]:
    return {
        "organisation": {"name": "Office", "time_zone": "Europe/Oslo"},
        "state": {"url": "sqlite:///state.db", "key_file": "key"},
        "rulesets": ["rules.yaml"],
        "sources": {
            "hr": {
                "type": "csv",
                "files": {"people": "people.csv", "units": "units.csv"},
                "delimiter": ";",
                "dates": ["%Y-%m-%d"],
                "brake": {"max_vanished_fraction": 1.0},
                "map": {
                    "people": {
                        "from": "people",
                        "key": "{{ row.number }}",
                        "given_name": "{{ row.given }}",
                        "family_name": "{{ row.family }}",
                    },
                    "affiliations": {
                        "from": "people",
                        "person": "{{ row.number }}",
                        "key": "{{ row.number }}",
                        "kind": "{{ row.kind }}",
                        "unit": "{{ row.unit }}",
                        "start": "{{ row.start }}",
                        "end": "{{ row.end }}",
                    },
                    "units": {
                        "from": "units",
                        "code": "{{ row.code }}",
                        "name": "{{ row.name }}",
                        "parent": "{{ row.parent }}",
                        "manager": "{{ row.manager }}",
                    },
                },
            }
        },
        "targets": {name: {"type": "embedded", "account_name": "name", "path": f"{name}.db"} for name in ("ad", "web")},
        "brakes": {"targets": {"account": {"disable": {"max_fraction": 0.9, "floor": 10}}}},
    }


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An office without people and rules."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(_configuration()), encoding="utf-8")
    (tmp_path / "units.csv").write_text(UNITS, encoding="utf-8")
    write_key_file(tmp_path / "key")
    return Office(tmp_path)
