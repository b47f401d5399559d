"""The twelve things that go wrong in this field, each turned round: here they do not. Numbered as the product has them.

1. A filter slip or an empty export deletes everybody.        7. The full sync takes nine hours.
2. A brake that blocks leavers also blocks joiners.           8. A failure ends with exit code 0.
3. Leavers are never removed.                                 9. Nobody can say why.
4. A silent mail match hands one person another's account.   10. A group of 13 000 members reads as empty.
5. A rename is read as a delete and a create.                11. Throttling loses changes.
6. A username comes back to life in another's hands.         12. Passwords stand in the configuration file.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Action, Kind, Operation, RemoteObject, Target, Value
from connectors.embedded import open_target
from connectors.embedded.options import EmbeddedOptions
from eadm_sync.app.purging import purge
from eadm_sync.app.reconciling import reconcile
from eadm_sync.app.retaining import retain
from eadm_sync.cli.failing import run
from eadm_sync.cli.program import program
from eadm_sync.plan.change import membership_key
from eadm_sync.state import tables
from eadm_sync.state.known import KnownAccount, KnownGroup
from eadm_sync.state.outcomes import Confirmations, confirm
from exportqueue import State

from .conftest import FIRST_DAY, Town

LEAVER, NUMBER = "hr:001028", "001028"
RETENTION = timedelta(days=365)
HEALTH = "13"

Slip = Callable[[Town], None]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command line as if it had been typed in the town's folder; returns exit code and all that was said."""

    def typed(town: Town, *words: str) -> tuple[int, str]:
        monkeypatch.chdir(town.folder)
        monkeypatch.setattr("sys.argv", ["eadm-sync", *words])
        capsys.readouterr()
        code = run(program)
        said = capsys.readouterr()
        return code, said.out + said.err

    return typed


# ---------------------------------------------------------------- 1


def _empty_persons(town: Town) -> None:
    town.edit("hr/persons.csv", lambda _: None)


def _empty_positions(town: Town) -> None:
    town.edit("hr/positions.csv", lambda _: None)


def _half_persons(town: Town) -> None:
    town.edit("hr/persons.csv", lambda row: row if int(row["Ansattnr"]) % 2 else None)


def _empty_school(town: Town) -> None:
    for name in ("school/users.csv", "school/enrollments.csv"):
        town.edit(name, lambda _: None)


def _slip_in_the_import(town: Town) -> None:
    town.configure(lambda settings: settings["sources"]["hr"]["map"]["people"].update(where="row.Ansattnr == '0'"))


def _slip_in_a_rule(town: Town) -> None:
    path = town.folder / "rulesets" / "employees.yaml"
    text = path.read_text(encoding="utf-8").replace("affiliation.kind == 'employee'", "affiliation.kind == 'external'")
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "slip",
    [_empty_persons, _empty_positions, _half_persons, _empty_school, _slip_in_the_import, _slip_in_a_rule],
    ids=lambda slip: slip.__name__,
)
def test_01_no_empty_export_and_no_slip_disables_or_deletes_anybody(settled: Town, slip: Slip):
    """Night after night with the same slip: who could sign in still can, and each run says that it holds something."""
    before = {target: _who_can_sign_in(settled, target) for target in ("ad", "entra", "google")}
    slip(settled)

    for night in range(3):
        settled.on(FIRST_DAY + timedelta(days=night)).sync()
        assert settled.made
        assert settled.made.is_held

    for target, people in before.items():
        assert people <= _who_can_sign_in(settled, target)
    assert not [row for row in settled.told() if row.action == "delete" and row.kind == "account"]


def _who_can_sign_in(town: Town, target: str) -> set[str]:
    return {person for person, account in town.content(target)["accounts"].items() if account[2]}


# ---------------------------------------------------------------- 2


def test_02_a_brake_that_holds_leavers_lets_joiners_in(settled: Town):
    """A whole sector leaves at once and is held; the one who begins today begins."""
    leavers = settled.working_in(HEALTH)
    settled.end_positions(leavers, FIRST_DAY - timedelta(days=1))
    joiner = settled.hire("009001", "Åse", "Ødegård")
    before = _who_can_sign_in(settled, "ad")

    settled.sync()

    assert settled.made
    assert "ad.account.disable" in {hold.name.partition("[")[0] for hold in settled.made.holds}
    assert _who_can_sign_in(settled, "ad") == before | {joiner}


# ---------------------------------------------------------------- 3


def test_03_leavers_are_removed_even_if_no_source_can_be_read_any_more(settled: Town):
    """The position had an end; HR's files never came again. Out on the day after, deleted a year later."""
    last = FIRST_DAY + timedelta(days=10)
    settled.end_positions([NUMBER], last)
    settled.sync()
    shutil.rmtree(settled.file("hr"))

    _retain(settled.on(last))
    on_the_last_day = LEAVER in _who_can_sign_in(settled, "ad")
    _retain(settled.on(last + timedelta(days=1)))
    on_the_next_day = settled.account(LEAVER)
    _lift_brakes(settled)
    _retain(settled.on(last + timedelta(days=1) + RETENTION))

    assert on_the_last_day
    assert on_the_next_day
    assert not on_the_next_day.enabled
    assert settled.account(LEAVER) is None
    assert settled.account(LEAVER, "entra") is None


def _retain(town: Town) -> None:
    retain(town.context)
    town.deliver()


def _lift_brakes(town: Town) -> None:
    """A year on, half of the example's contracts have ended too."""
    town.configure(
        lambda settings: settings["brakes"].update(
            targets={"account": {"disable": {"max_fraction": 1}, "delete": {"max_fraction": 1}}}
        )
    )


# ---------------------------------------------------------------- 4


def test_04_an_account_with_the_same_address_is_not_taken(settled: Town):
    """Somebody else's account has the joiner's address: it is left as it is, and an operator is told."""
    address = "ase.odegard@eksempel.kommune.example"
    stranger = Operation(
        "by hand", Kind.ACCOUNT, Action.CREATE, attributes={"sAMAccountName": "svc-ase", "mail": address}, enabled=True
    )
    settled.carry_out("ad", stranger)
    before = _account_of(settled, "svc-ase")
    joiner = settled.hire("009001", "Åse", "Ødegård")

    report = settled.sync()

    dead = [item for item in settled.items(State.DEAD) if item.subject == joiner]
    assert not report.is_complete
    assert [(item.target, item.operation) for item in dead] == [("ad", "create account")]
    assert "AlreadyExists" in (dead[0].last_error or "")
    assert _account_of(settled, "svc-ase") == before
    assert before.owner is None
    assert settled.account(joiner, "entra")


def test_04_an_account_with_the_same_address_is_only_proposed_where_accounts_are_taken_over(settled: Town):
    """The joiner waits for somebody's word: neither the stranger's account nor a second one is made theirs."""
    settled.configure(_propose_by_address)
    address = "ase@post.example"
    attributes: dict[str, Value] = {"sAMAccountName": "aseode", "privateMail": address}
    settled.carry_out("ad", Operation("by hand", Kind.ACCOUNT, Action.CREATE, attributes=attributes, enabled=True))
    before = _account_of(settled, "aseode")
    joiner = settled.hire("009001", "Åse", "Ødegård")
    settled.edit("hr/persons.csv", lambda row: {**row, "Epost": address} if row["Ansattnr"] == "009001" else row)

    settled.sync()

    assert settled.made
    assert [line for line in settled.made.lines if line[0] == joiner] == []
    assert _account_of(settled, "aseode") == before
    assert settled.account(joiner) is None


def _propose_by_address(settings: dict[str, Any]) -> None:
    """Private addresses are believed to propose an account."""
    settings["sources"]["hr"]["map"]["people"]["email"] = "{{ row.Epost }}"
    rule = {"match": "privateMail", "to": "{{ person.email }}", "propose": True}
    settings["targets"]["ad"]["correlation"] = {"rules": [rule]}


def _account_of(town: Town, name: str) -> RemoteObject:
    with town.target("ad") as target:
        (found,) = target.find(Kind.ACCOUNT, {"sAMAccountName": name})
    return found


def test_04_two_records_with_one_address_stay_two_people(settled: Town):
    """A shared address in HR makes nobody somebody else: both keep accounts of their own."""
    born = {"009001": "01.02.1980", "009002": "03.04.1990"}
    settled.configure(_link_by_address)
    for number, family in (("009001", "Ødegård"), ("009002", "Li")):
        settled.hire(number, "Åse", family)
    settled.edit(
        "hr/persons.csv",
        lambda row: {
            **row,
            "Epost": "felles@post.example" if row["Ansattnr"] in born else "",
            "Mobil": born.get(row["Ansattnr"], ""),
        },
    )

    settled.sync()

    one, other = settled.account("hr:009001"), settled.account("hr:009002")
    assert one
    assert other
    assert one.attributes["sn"] == "Ødegård"
    assert other.attributes["sn"] == "Li"
    assert one.attributes["sAMAccountName"] != other.attributes["sAMAccountName"]


def _link_by_address(settings: dict[str, Any]) -> None:
    """Addresses are believed; the column of mobile numbers tells dates of birth."""
    settings["sources"]["hr"]["map"]["people"].update(
        email="{{ row.Epost }}", birth_date="{{ row.Mobil }}", mobile=None
    )
    settings["links"] = ["national_id", "email"]


# ---------------------------------------------------------------- 5


def test_05_a_rename_is_an_update_of_the_same_account(settled: Town):
    """Nothing is deleted and nothing created: the account of before has the new name, and its old username."""
    before = settled.account(LEAVER)
    settled.edit("hr/persons.csv", lambda row: {**row, "Etternavn": "Bø"} if row["Ansattnr"] == NUMBER else row)

    settled.sync()

    after = settled.account(LEAVER)
    assert settled.made
    assert {line[3] for line in settled.made.lines} == {"update"}
    assert before
    assert after
    assert after.attributes["sn"] == "Bø"
    assert after.anchor == before.anchor
    assert after.attributes["sAMAccountName"] == before.attributes["sAMAccountName"]
    settled.assert_settled()


# ---------------------------------------------------------------- 6


def test_06_a_username_outlives_its_owner_and_is_nobody_elses(settled: Town):
    """The leaver is deleted and forgotten, down to the name; the namesake who comes then is called otherwise."""
    before = settled.account(LEAVER)
    assert before
    person = next(row for row in settled.rows(tables.people) if row.id == LEAVER)
    given, _, family = person.name.rpartition(" ")
    for name in ("hr/persons.csv", "hr/positions.csv"):
        settled.edit(name, lambda row: None if row["Ansattnr"] == NUMBER else row)
    settled.sync()
    _lift_brakes(settled)
    settled.on(FIRST_DAY + RETENTION).sync()
    assert settled.account(LEAVER) is None

    purged = purge(settled.on(FIRST_DAY + 2 * RETENTION).context, only=LEAVER).purged
    namesake = settled.hire("009001", given, family, start=FIRST_DAY + 2 * RETENTION)
    settled.sync()

    account = settled.account(namesake)
    assert purged == 1
    assert LEAVER not in {row.person_id for row in settled.rows(tables.identifiers)}
    assert account
    assert account.attributes["givenName"] == before.attributes["givenName"]
    assert account.attributes["sAMAccountName"] != before.attributes["sAMAccountName"]
    assert account.attributes["mail"] != before.attributes["mail"]


# ---------------------------------------------------------------- 7


def test_07_a_run_in_which_nothing_changed_looks_at_nobody(settled: Town):
    """Only who changed is evaluated; where nobody did, no person is, and no target is written."""
    settled.sync()
    nobody = settled.made
    targets = {name: (settled.folder / "var" / f"{name}.db").read_bytes() for name in ("ad", "entra", "google")}
    settled.sync()
    settled.edit("hr/persons.csv", lambda row: {**row, "Mobil": "9"} if row["Ansattnr"] == NUMBER else row)
    unchanged = {name: (settled.folder / "var" / f"{name}.db").read_bytes() for name in targets}

    settled.sync()

    assert nobody
    assert (nobody.evaluated, nobody.lines) == (0, [])
    assert unchanged == targets
    assert settled.made
    assert settled.made.evaluated == 1


# ---------------------------------------------------------------- 8


def _lose_a_source(town: Town) -> None:
    town.file("hr/persons.csv").unlink()


def _lose_a_target(town: Town) -> None:
    town.edit("hr/persons.csv", lambda row: {**row, "Mobil": "9"} if row["Ansattnr"] == NUMBER else row)
    town.fail("ad", {"kind": "unavailable", "every": 1})


def _be_refused(town: Town) -> None:
    town.edit("hr/persons.csv", lambda row: {**row, "Mobil": "9"} if row["Ansattnr"] == NUMBER else row)
    town.fail("ad", {"kind": "rejected", "every": 1})


def _break_a_rule(town: Town) -> None:
    path = town.folder / "rulesets" / "employees.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("affiliation.kind", "affiliation.kjnd"), encoding="utf-8")


@pytest.mark.parametrize(
    ("slip", "code"),
    [
        (_lose_a_source, 1),
        (_lose_a_target, 1),
        (_be_refused, 1),
        (_break_a_rule, 1),
        (_half_persons, 3),  # held by a brake: the rest went on, and somebody has to look
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_08_whatever_fails_is_no_success(settled: Town, shell: Any, slip: Slip, code: int):
    """The exit code of the run says so, and the same run made again says it again."""
    slip(settled)

    ended, said = shell(settled, "sync", "--yes")
    again, _ = shell(settled, "sync", "--yes")

    assert ended == code, said
    assert again == code


# ---------------------------------------------------------------- 9


def test_09_why_somebody_has_something_and_somebody_else_nothing_is_one_command(settled: Town, shell: Any):
    """`explain` names rule, file and line behind an account; `why-not` names the row that was refused."""
    settled.hire("009001", "Åse", "Ødegård")
    settled.edit("hr/positions.csv", lambda row: {**row, "Fra": "31.02.2026"} if row["Ansattnr"] == "009001" else row)
    settled.sync()

    has, why = shell(settled, "explain", LEAVER)
    has_not, why_not = shell(settled, "why-not", "009001", "ad")

    assert (has, has_not) == (0, 0)
    assert "employee-ad" in why
    assert "employees.yaml:" in why
    assert "persons.csv:" in why_not or "positions.csv:" in why_not


# ---------------------------------------------------------------- 10


CROWD = 13_000


def test_10_a_group_of_13_000_is_read_whole(tmp_path: Path):
    """Every member, once, whatever the size of a batch or a page."""
    with open_target(EmbeddedOptions(path="ad.db", containers=False), tmp_path) as target:
        group, anchors = _crowded(target, "username")

        read = [one for one in target.read(Kind.MEMBERSHIP) if isinstance(one, RemoteObject)]

    members = Counter(one.account for one in read if one.group == group)
    assert members == Counter(anchors)
    assert len(members) == CROWD


def test_10_the_engine_misses_one_of_13_000_members(settled: Town):
    """Known state has all of them, the target lost one: that one is found missing, and no other."""
    with settled.target("ad") as target:
        group, anchors = _crowded(target, "sAMAccountName")
        gone = Operation("by hand", Kind.MEMBERSHIP, Action.DELETE, anchor=group, account=anchors[-1])
        assert [outcome.error for outcome in target.apply([gone])] == [None]
    context = settled.context
    with context.writing() as database, database.write() as connection:
        confirm(connection, "ad", _all_known(group, anchors), "")

    (found,) = reconcile(context, only="ad")

    assert found.compared > 2 * CROWD
    assert [(one.kind, one.object, one.what) for one in found.drifts] == [
        (Kind.MEMBERSHIP, membership_key(f"crowd:{CROWD - 1}", "alle"), "missing")
    ]


def _crowded(target: Target, name: str) -> tuple[str, list[str]]:
    """Puts 13 000 accounts into a new group; returns its anchor, and theirs."""
    (made,) = target.apply([Operation("g", Kind.GROUP, Action.CREATE, attributes={"name": "ALLE"})])
    anchors: list[str] = []
    for start in range(0, CROWD, 1000):
        portion = [
            Operation(f"a{n}", Kind.ACCOUNT, Action.CREATE, attributes={name: f"crowd{n}"}, enabled=True)
            for n in range(start, start + 1000)
        ]
        created = [outcome.anchor or "" for outcome in target.apply(portion)]
        anchors += created
        joining = [
            Operation(f"m{anchor}", Kind.MEMBERSHIP, Action.CREATE, anchor=made.anchor, account=anchor)
            for anchor in created
        ]
        assert not [outcome.error for outcome in target.apply(joining) if outcome.error]
    return made.anchor or "", anchors


def _all_known(group: str, anchors: Sequence[str]) -> Confirmations:
    known = Confirmations(groups=[KnownGroup("ad", "alle", group, None, {"name": "ALLE"}, "all")])
    for number, anchor in enumerate(anchors):
        account = KnownAccount("ad", anchor, None, True, {"sAMAccountName": f"crowd{number}"}, "all", None)
        known.accounts.append((f"crowd:{number}", account))
        known.memberships.append((f"crowd:{number}", "alle", "member", "all"))
    return known


# ---------------------------------------------------------------- 11


@pytest.mark.parametrize("every", [2, 5])
def test_11_a_target_that_throttles_gets_every_change_once(small_town: Town, settled_small: Town, every: int):
    """It is asked for less, as long as it wants; in the end it holds what others hold, and nothing was given up."""
    for target in ("ad", "entra", "google"):
        small_town.fail(target, {"kind": "throttled", "every": every, "retry_after_seconds": 30})
    small_town.sync(deliver=False)

    small_town.deliver_to_the_end()

    assert small_town.contents() == settled_small.contents()
    assert small_town.items(State.DEAD) == []
    told = Counter((row.target, row.object, row.action) for row in small_town.told())
    assert set(told.values()) == {1}
    small_town.assert_settled()


# ---------------------------------------------------------------- 12


@pytest.mark.parametrize("place", ["targets.ad.bind_password", "state.url"])
def test_12_a_password_in_the_configuration_is_refused(settled: Town, shell: Any, place: str):
    """Nothing runs; file, line and column are named, and what would be right, but not the password."""
    clear = {
        "targets.ad.bind_password": lambda all_: all_["targets"]["ad"].update(bind_password="correct-horse-battery"),
        "state.url": lambda all_: all_["state"].update(url="postgresql://eadm:correct-horse-battery@db/state"),
    }
    settled.configure(clear[place])

    code, said = shell(settled, "sync", "--yes")

    assert code == 1
    assert re.search(rf"config\.yaml:\d+:\d+: {place}: .* in clear text", said), said
    assert "${file:PATH}" in said
    assert "${env:NAME}" in said
    assert "correct-horse" not in said


def test_12_a_password_comes_from_a_file_and_is_never_shown(settled: Town, shell: Any):
    """The configuration names the file that holds it; what fails says so without it, and nothing keeps it."""
    password = "correct-horse-battery"
    (settled.folder / "password.txt").write_text(f"{password}\n", encoding="utf-8")
    settled.configure(
        lambda settings: (
            settings["targets"]["ad"]["variables"].update(upn_suffix="${file:password.txt}"),
            settings["targets"]["ad"].update(batch_size="${file:password.txt}"),
        )
    )

    code, said = shell(settled, "sync", "--yes")

    assert code == 1
    assert "batch_size" in said
    assert password not in said
    assert password not in (settled.folder / "config.yaml").read_text(encoding="utf-8")
    for path in (settled.folder / "var").iterdir():
        assert password.encode() not in path.read_bytes(), path.name


def test_12_a_password_file_that_is_not_there_is_an_error_at_its_place(settled: Town, shell: Any):
    """Nobody signs in with an empty password because a file was lost."""
    settled.configure(lambda settings: settings["targets"]["ad"]["variables"].update(upn_suffix="${file:lost.txt}"))

    code, said = shell(settled, "sync", "--yes")

    assert code == 1
    assert "config.yaml:" in said
    assert "lost.txt" in said
