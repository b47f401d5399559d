"""Who is in a group: twenty are added together, and one who cannot be is alone in it."""

from __future__ import annotations

from connectors.contract import Action, Kind, Operation
from connectors.entra.members import Members
from connectors.errors import Rejected

from .playing import GROUP, URL, Answer, memory, run

KARI, OLA = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
JOINING = [Operation(key, Kind.MEMBERSHIP, Action.CREATE, anchor=GROUP, account=key) for key in (KARI, OLA)]
ODD: Answer = (400, {"error": {"code": "Request_BadRequest", "message": "Ola is not taken."}})
ORDINARY: Answer = (200, {"groupTypes": [], "mailEnabled": False})


def test_one_who_is_refused_keeps_nobody_else_out():
    """For a reason that nobody here knows: each is then added alone, and the one at fault is told of."""
    steps = [[ODD], [ORDINARY], [(204, None), ODD], [ORDINARY]]

    outcomes = run(Members(URL, memory()).chain(GROUP, JOINING), *steps)

    errors = {one.operation_id: one.error for one in outcomes}
    assert errors[KARI] is None
    assert isinstance(errors[OLA], Rejected)
    assert "Ola is not taken." in str(errors[OLA])


def test_a_group_that_nobody_can_be_added_to_is_not_tried_for_each():
    """A dynamic group's rule says who is in it; that is asked once."""
    dynamic = (200, {"groupTypes": ["DynamicMembership"]})

    outcomes = run(Members(URL, memory()).chain(GROUP, JOINING), [ODD], [dynamic])

    assert ["dynamic" in str(one.error) for one in outcomes] == [True, True]
