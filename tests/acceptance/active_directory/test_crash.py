"""The domain controller dies in the middle of many changes, again and again: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from connectors.contract import Kind
from exportqueue import State
from tests.acceptance.active_directory.conftest import Domain
from tests.samba import DomainController

CHANGES = int(os.environ.get("DOMAIN_CRASH_CHANGES", "300"))
"""Memberships, about; `make crash-domain` has 5 000 of them delivered."""
PEOPLE = 30 if CHANGES < 2000 else 120
KILLS = 2 if CHANGES < 2000 else 10
JOINERS = 5


def rules(groups: int) -> str:
    """So many groups of everybody who works."""
    one = "  - {{rule: crowd-{0}, target: ad, for_each: person, when: working, name: CROWD-{0:03}, container: '{1}'}}"
    container = "OU=Grupper,{{ target.base_dn }}"
    return "\n".join(["ruleset: crowds", "groups:", *(one.format(number, container) for number in range(groups))])


def test_a_domain_controller_that_dies_loses_and_doubles_nothing(controller: DomainController, tmp_path: Path) -> None:
    """Killed at moments that chance chooses, and started again: each change arrives, and is told of once."""
    domain = Domain(controller, tmp_path / "town", PEOPLE, batch_size=50)
    domain.make_container(domain.base)
    town = domain.town
    assert town.sync().is_complete
    working = len(town.content("ad")["accounts"])
    town.later(hours=1)
    for number in range(JOINERS):
        town.hire(f"9000{number}", "Ny", f"Ansatt{number}")
    groups = CHANGES // working + 1
    (town.folder / "rulesets" / "zz-crowds.yaml").write_text(rules(groups), encoding="utf-8")
    told = len(town.told())
    town.sync(deliver=False)
    assert len(town.items()) > CHANGES

    def restart() -> None:
        controller.kill()
        controller.start()

    cut_short = town.deliver_through_kills("ad", KILLS, kill=controller.kill, restart=restart)
    town.deliver_to_the_end()

    assert cut_short == KILLS
    assert not town.items(State.DEAD)
    domain.assert_known_is_true()
    content = domain.town.content("ad")
    assert len(content["accounts"]) == working + JOINERS
    lines = Counter((row.target, row.object, row.action) for row in town.told()[told:] if row.kind != "password")
    assert set(lines.values()) == {1}
    assert sum(line[0] == "ad" for line in lines) > CHANGES
    sizes = Counter(group for group, _ in content["memberships"] if group.startswith("group:crowd-"))
    assert len(sizes) == groups
    assert len(set(sizes.values())) == 1
    assert town.later(hours=1).sync().is_complete
    assert town.made
    assert not [line for line in town.made.lines if line[2] in {Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP}]
