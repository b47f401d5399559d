"""Maps a person's row, and the rows that belong to it, to a SourcePerson; keeps former parts where new ones are bad."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import attrgetter
from typing import Any

import msgspec

from eadm_sync.importing import national_id
from eadm_sync.importing.children import ChildRow
from eadm_sync.importing.keys import KeyMask
from eadm_sync.importing.mapping import Entry, Fault, Values
from eadm_sync.importing.records import SourcePerson
from eadm_sync.importing.values import Unconvertible
from eadm_sync.model import Affiliation, ClassMembership
from eadm_sync.state.crypto import Vault

_id_of = attrgetter("id")


@dataclass
class Attempt:
    """What could be made of a person's rows.

    Attributes:
        fields: The person's own fields, or None where the row is bad.
        faults: Of the person's row.
        row_faults: Of the rows that belong to the person.
        affiliations: The good ones, by id.
        bad_affiliations: Ids whose row is bad.
        lost: A row that belongs to the person is bad, and nobody knows which affiliation it is.
        lost_classes: A class membership is bad.
    """

    fields: dict[str, Any] | None = None
    faults: list[Fault] = field(default_factory=list)
    row_faults: list[tuple[ChildRow, Fault]] = field(default_factory=list)
    affiliations: dict[str, Affiliation] = field(default_factory=dict)
    bad_affiliations: set[str] = field(default_factory=set)
    lost: bool = False
    lost_classes: bool = False

    @property
    def sound(self) -> bool:
        """Whether every row was good."""
        return not (self.faults or self.row_faults or self.lost)


class PersonMapper:
    """Maps the people of one source."""

    def __init__(self, source: str, vault: Vault, mask: KeyMask, today: date) -> None:
        self._source = source
        self._vault = vault
        self._mask = mask
        self._today = today

    def whole(
        self, key: str, entry: Entry, values: Values, rows: Iterable[tuple[Entry, Values]]
    ) -> SourcePerson | None:
        """The person, as `attempt` and `person` make it, where nothing is wrong; else None, and `attempt` says what is.

        Nearly everybody goes this way, which stops at the first fault instead of keeping account of all.
        """
        try:
            fields = entry.whole(values)
            if self._judge(fields):
                return None
            affiliations = self._whole_affiliations(rows)
        except Unconvertible:
            return None
        if affiliations is None:
            return None
        if len(affiliations) > 1:
            affiliations.sort(key=_id_of)
        return SourcePerson(source=self._source, key=key, affiliations=tuple(affiliations), **fields)

    def _whole_affiliations(self, rows: Iterable[tuple[Entry, Values]]) -> list[Affiliation] | None:
        """The affiliations with their classes, where nothing is wrong with them together; else None.

        Raises:
            Unconvertible: Something is wrong with a row by itself.
        """
        source, found = self._source, dict[str, Affiliation]()
        classes: list[tuple[Entry, Values]] = []
        for row in rows:
            entry, values = row
            if entry.role == "class_memberships":
                classes.append(row)
                continue
            id_ = f"{source}:{self._mask(entry.key(values) if entry.key else '')}"
            if id_ in found:
                return None
            found[id_] = Affiliation(id=id_, source=source, **entry.whole(values))
        return _whole_classes(found, classes) if classes else list(found.values())

    def attempt(self, entry: Entry, values: Values, rows: Sequence[ChildRow]) -> Attempt:
        """Maps everything that can be mapped."""
        attempt = Attempt()
        fields, attempt.faults = entry.convert(values)
        attempt.faults += self._judge(fields)
        if not attempt.faults:
            attempt.fields = fields
        classes = [row for row in rows if row.entry.role == "class_memberships"]
        self._affiliations([row for row in rows if row.entry.role == "affiliations"] if classes else rows, attempt)
        if classes:
            self._classes(classes, attempt)
        return attempt

    def _judge(self, fields: dict[str, Any]) -> list[Fault]:
        """What only the fields together show; seals the national id."""
        faults = []
        if not (fields.get("given_name") or fields.get("family_name")):
            faults.append(Fault("family_name", "is empty, and so is given_name"))
        born = fields.get("birth_date")
        if born is not None and born > self._today:
            faults.append(Fault("birth_date", "is in the future"))
        for name in ("national_id", "former_national_id"):
            if text := fields.pop(name, None):
                parsed = national_id.parse(text, today=self._today)
                if isinstance(parsed, national_id.NationalId):
                    fields[name] = self._vault.seal(parsed.number, "national_id")
                else:
                    faults.append(Fault(name, parsed.value))
        if text := fields.pop("former_key", None):
            try:
                fields["former_key"] = self._mask(text)
            except Unconvertible as error:
                faults.append(Fault("former_key", error.reason))
        return faults

    def _affiliations(self, rows: Sequence[ChildRow], attempt: Attempt) -> None:
        for row in rows:
            try:
                key = self._mask(row.entry.key(row.values) if row.entry.key else "")
            except Unconvertible as error:
                attempt.row_faults.append((row, Fault("key", error.reason)))
                attempt.lost = True
                continue
            id_ = f"{self._source}:{key}"
            fields, faults = row.entry.convert(row.values)
            if id_ in attempt.affiliations or id_ in attempt.bad_affiliations:
                if faults or attempt.affiliations.get(id_) != Affiliation(id=id_, source=self._source, **fields):
                    attempt.bad_affiliations.add(id_)  # which of the two is right?
                faults.append(Fault("key", "is there twice"))
            elif faults:
                attempt.bad_affiliations.add(id_)
            else:
                attempt.affiliations[id_] = Affiliation(id=id_, source=self._source, **fields)
            attempt.row_faults += [(row, fault) for fault in faults]

    def _classes(self, rows: list[ChildRow], attempt: Attempt) -> None:
        """Gives each class membership to the affiliation it fits best."""
        found: dict[str, set[ClassMembership]] = {}
        for row in rows:
            fields, faults = row.entry.convert(row.values)
            unit, code = _unit_and_code(row.entry, row.values, fields)
            if not faults and not code:
                faults.append(Fault("class_group", "is empty"))
            owner = None if faults else _best(attempt.affiliations, unit, fields.get("role", ""))
            if owner is None:
                faults = faults or [Fault("person", "has no affiliation that the class membership could belong to")]
                attempt.row_faults += [(row, fault) for fault in faults]
                attempt.lost_classes = True
            else:
                found.setdefault(owner, set()).add(ClassMembership(code=code, **fields))
        _enter_classes(attempt.affiliations, found)

    def person(self, key: str, attempt: Attempt, former: SourcePerson | None) -> SourcePerson | None:
        """The person, with former parts in place of bad ones; None where neither will do.

        A row that is bad never counts as absent: it must not take anything from anybody.
        """
        if attempt.fields is None and former is None:
            return None
        affiliations = attempt.affiliations
        if not attempt.sound and former is not None:
            affiliations = _repaired(attempt, former)
        ordered = tuple(affiliations[id_] for id_ in sorted(affiliations))
        if attempt.fields is None:
            return msgspec.structs.replace(former, affiliations=ordered) if former else None
        return SourcePerson(source=self._source, key=key, affiliations=ordered, **attempt.fields)


def _unit_and_code(entry: Entry, values: Values, fields: dict[str, Any]) -> tuple[str | None, str]:
    """Unit and class group of a class membership, taken out of its fields; the class's own unit stands last."""
    unit = values[-1] if entry.class_group else fields.pop("unit", None)
    return unit, fields.pop("class_group", "")


def _whole_classes(
    affiliations: dict[str, Affiliation], rows: Sequence[tuple[Entry, Values]]
) -> list[Affiliation] | None:
    """The affiliations with the class memberships that fit them best; None where one names no class or fits none.

    Raises:
        Unconvertible: Something is wrong with a row by itself.
    """
    found: dict[str, set[ClassMembership]] = {}
    for entry, values in rows:
        fields = entry.whole(values)
        unit, code = _unit_and_code(entry, values, fields)
        owner = _best(affiliations, unit, fields.get("role", ""))
        if not code or owner is None:
            return None
        found.setdefault(owner, set()).add(ClassMembership(code=code, **fields))
    _enter_classes(affiliations, found)
    return list(affiliations.values())


def _enter_classes(affiliations: dict[str, Affiliation], found: dict[str, set[ClassMembership]]) -> None:
    for owner, classes in found.items():
        affiliations[owner] = msgspec.structs.replace(affiliations[owner], classes=_sorted_classes(classes))


def _best(affiliations: dict[str, Affiliation], unit: str | None, role: str) -> str | None:
    """Id of the affiliation a class membership belongs to: the one at that unit, of that kind, the first."""
    if not affiliations:
        return None
    if len(affiliations) == 1:
        return next(iter(affiliations))
    return min(affiliations.values(), key=lambda each: (each.unit != unit, each.kind != role, each.id)).id


def _sorted_classes(classes: set[ClassMembership]) -> tuple[ClassMembership, ...]:
    if len(classes) == 1:
        return tuple(classes)
    return tuple(sorted(classes, key=lambda each: (each.code, each.role, each.start or date.min, each.end or date.max)))


def _repaired(attempt: Attempt, former: SourcePerson) -> dict[str, Affiliation]:
    """The good affiliations, and the former ones in place of the bad."""
    repaired = dict(attempt.affiliations)
    for each in former.affiliations:
        if each.id in attempt.bad_affiliations or (attempt.lost and each.id not in repaired):
            repaired[each.id] = each
        elif attempt.lost_classes and each.id in repaired:
            classes = {*each.classes, *repaired[each.id].classes}
            repaired[each.id] = msgspec.structs.replace(repaired[each.id], classes=_sorted_classes(classes))
    return repaired
