from __future__ import annotations

import pytest
from jinja2 import nodes

from eadm_sync.ruleset.containers import unescaped


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("OU={{ affiliation.unit.name }},{{ target.base_dn }}", 1),
        ("OU={{ affiliation.unit.name | dn }},{{ target.base_dn }}", 0),
        ("OU={{ affiliation.unit.name | dn | lower }}", 1),  # what is done behind it could undo it
        ("OU={{ affiliation.unit.name | lower | dn }}", 0),
        ("OU=Skole {{ affiliation.unit.code }},OU=A", 1),  # in the middle of a value
        ("OU={{ affiliation.unit.code | slug }}-{{ person.id }}", 1),
        ("{{ 'OU=' ~ affiliation.unit.name ~ ',' if affiliation.unit is defined }}OU=A", 1),
        ("{{ 'OU=' ~ (affiliation.unit.name | dn) ~ ',' if affiliation.unit is defined }}OU=A", 0),
        ("OU={{ affiliation.unit.name if affiliation.primary else affiliation.title }}", 2),
        ("OU={{ 'Skoler' if affiliation.primary else 'Andre' }},OU=A", 0),
        ("OU=A+CN={{ affiliation.title }}", 1),
        ("OU=A\\,{{ affiliation.title }}", 1),  # an escaped comma ends nothing
        ("OU=A,{{ offices[affiliation.unit.code].container }}", 0),  # a whole container of an administrator's table
        ("/Ansatte/{{ affiliation.unit.name }}", 0),  # no distinguished name
        ("{{ affiliation.unit.name }}", 0),
    ],
)
def test_values_that_stand_as_they_are_in_a_distinguished_name_are_found(text: str, bare: int):
    """Only what a record says, within the value of a part, and not behind `dn`."""
    found = unescaped(text)
    assert len(found) == bare
    assert all(isinstance(node, nodes.Expr) for node in found)
