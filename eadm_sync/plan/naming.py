"""What rules ask about somebody while they are evaluated: identifiers, and what sealed fields hold."""

from __future__ import annotations

from sqlalchemy import Connection

from eadm_sync.identifiers import Identifiers
from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.plan.adopting import Adopting, adopted_name
from eadm_sync.plan.inputs import Inputs
from eadm_sync.ruleset import IdentifierRule, fits
from eadm_sync.ruleset.naming import Reached
from eadm_sync.state.known import Known


class Naming:
    """Answers for one person after another.

    It knows nothing of who evaluates. So an evaluator that holds its methods, and all the names with it, is freed with
    whoever made the plan, before that is written down.

    Attributes:
        identifiers: Those of the people who were loaded last, and what is given to them.
        known: What is known of the person who is being looked at.
    """

    def __init__(self, inputs: Inputs, connection: Connection, adopting: Adopting) -> None:
        self.identifiers = Identifiers(
            connection, inputs.vault.digest, inputs.ruleset.identifiers, inputs.basis.today, adopting.strangers
        )
        self.known = Known()
        self._inputs = inputs
        self._adopting = adopting
        self._reached = Reached()

    def identify(self, name: str, person: Person, affiliation: Affiliation) -> str:
        """A person's identifier: what they have, what an account of theirs is called already, or a new one.

        Raises:
            NoFreeCandidate: None was free.
            NameTaken: The account's is another's.
            Undecided: An account may be theirs, so that its name may be, too.
        """
        held = self.identifiers.held(person.id, name)
        if held is not None:
            return held
        rule = self._inputs.ruleset.identifiers[name]
        taken = self._taken_over(rule, person, affiliation)
        return taken or self.identifiers.name(rule, person, affiliation, self._inputs.organisation, self._reached)

    def _taken_over(self, rule: IdentifierRule, person: Person, affiliation: Affiliation) -> str | None:
        """The name that the person's account has already, kept unless the rule would have it follow another."""
        organisation = self._inputs.organisation
        keeps = (lambda name: fits(rule, person, affiliation, organisation, name)) if rule.follows else None
        return adopted_name(self._adopting, self.identifiers, rule, person.id, self.known, keeps)

    def reveal(self, sealed: Sealed) -> str:
        """The plain text of a sealed field."""
        return self._inputs.vault.open(sealed, "national_id")
