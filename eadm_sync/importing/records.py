"""What an import keeps of a source: one record per person, units and class groups as that source has them, bad rows."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from eadm_sync.model import Affiliation, Sealed


class SourcePerson(msgspec.Struct, frozen=True, omit_defaults=True):
    """One person as one source has them: `model.Person` without an id, with its place in the source.

    Attributes:
        source: Name of the source.
        key: The source's own key; a keyed hash where that is a national id.
        given_name: As in Person, and so are the others.
        affiliations: Those of this source, sorted by id.
        former_key: The key that the source had for the person before, as it says itself; masked as `key`.
        former_national_id: The national id or D-number that the person had before, as the source says itself.
    """

    source: str
    key: str
    given_name: str = ""
    family_name: str = ""
    birth_date: date | None = None
    national_id: Sealed | None = None
    employee_number: str | None = None
    email: str | None = None
    mobile: str | None = None
    username: str | None = None
    affiliations: tuple[Affiliation, ...] = ()
    extra: dict[str, str] = {}
    deceased: bool = False
    former_key: str | None = None
    former_national_id: Sealed | None = None


class Quarantined(msgspec.Struct, frozen=True):
    """Something in a source that could not be taken over; never holds the value at fault.

    Attributes:
        source: Name of the source.
        kind: `record` for a row that is wrong in itself; `contradiction` for records that cannot all be true.
        file: File as an administrator would type it, or "".
        line: 1-based line, 0 where there is none.
        key: Key of the person, unit or class group, masked as SourcePerson's; None where it could not be read.
        field: Mapped field at fault, or None for the row as a whole.
        reason: What is wrong; reads on after the field's name.
    """

    source: str
    kind: Literal["record", "contradiction"]
    file: str
    line: int
    key: str | None
    field: str | None
    reason: str


class Hold(msgspec.Struct, frozen=True):
    """What is not believed of a source: those people (or units) stay exactly as they were, new ones wait.

    Attributes:
        brake: What releases it: "<source>.vanished", "<source>.vanished[unit 32]", "<source>.incomplete",
            "<source>.units", "<source>.new", "<source>.changed", "<source>.anomalous".
        reason: Why.
        population: How many there were.
        vanished: How many are concerned: of absences, those who are gone or have lost all their affiliations.
        limit: How many may be, or None where the file itself is not believed.
    """

    brake: str
    reason: str
    population: int
    vanished: int
    limit: int | None = None

    @property
    def what(self) -> str:
        """What is held: vanished, incomplete, units, new, changed or anomalous."""
        return self.brake.partition(".")[2].partition("[")[0]


encode_person = msgspec.msgpack.Encoder().encode
decode_person = msgspec.msgpack.Decoder(SourcePerson).decode
