"""Renders the arguments of programs that follow changes to one person's accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eadm_sync.desired import DesiredAccount
from eadm_sync.model import Affiliation, Person
from eadm_sync.plan.change import Value
from eadm_sync.ruleset import Organisation
from eadm_sync.ruleset.organisation import NO_UNIT
from eadm_sync.ruleset.rules import After, Identify, Reveal


class Arguments:
    """Renders with the affiliation that the account's attributes were rendered with, where something gives it."""

    def __init__(
        self,
        person: Person,
        affiliations: Sequence[Affiliation],
        organisation: Organisation,
        identify: Identify,
        reveal: Reveal,
    ) -> None:
        self._person = person
        self._affiliations = {one.id: one for one in affiliations}
        self._units = organisation.units
        self._identify = identify
        self._reveal = reveal

    def render(
        self, after: After, account: DesiredAccount | None, held: Mapping[str, Value], event: str
    ) -> tuple[str | None, ...]:
        """A program's arguments.

        Args:
            after: The program.
            account: What the rules give, or None where nothing does.
            held: What the account holds; only texts can be read.
            event: What happened to it.
        """
        affiliation = self._affiliations.get(account.affiliation) if account else None
        home = self._units.get(affiliation.unit or "", NO_UNIT) if affiliation else NO_UNIT
        texts = {name: value for name, value in held.items() if isinstance(value, str)}
        return after.make(self._person, affiliation, home, self._identify, self._reveal, texts, event)
