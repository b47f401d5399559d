"""First contact with a target that holds accounts already: what is adopted, what waits, what nobody touches."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from connectors.contract import Action, Kind, Operation, RemoteObject, Value
from connectors.embedded.target import EmbeddedTarget
from eadm_sync.app.approving import save
from eadm_sync.app.auditing import known_state, untold, verify
from eadm_sync.app.checking import check
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.delivering import deliver_all
from eadm_sync.app.explaining import Explained, explained
from eadm_sync.app.persons import stop
from eadm_sync.app.planning import Planned, planned
from eadm_sync.app.reconciling import reconcile
from eadm_sync.app.reporting import report_of
from eadm_sync.app.reviewing import NotDecided, Review, decide, review, take_back
from eadm_sync.app.status import status
from eadm_sync.app.syncing import SyncReport, apply_saved, sync
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.correlation import Decision
from eadm_sync.errors import ConfigError, NotFound, PlanOutdated
from eadm_sync.state import tables

MORNING = datetime(2026, 8, 17, 4, tzinfo=UTC)
RULES = """
    identifiers:
      username:
        candidates: ["{{ person.given_name | slug }}", "{{ person.given_name | slug }}{{ n }}"]
        unique_in: [ad.name, ad.mail]
    accounts:
      - rule: staff
        target: ad
        when: affiliation.kind == 'employee'
        container: OU=Staff
        attributes:
          name: "{{ username }}"
          mail: "{{ username }}@x.no"
          display: "{{ person.given_name }} {{ person.family_name }}"
    groups:
      - rule: all
        target: ad
        name: Staff
        when: affiliation.kind == 'employee'
"""
CORRELATION: dict[str, Any] = {
    "rules": [
        {"match": "employeeID", "to": "{{ person.employee_number }}"},
        {"match": "private", "to": "{{ person.email }}", "propose": True},
    ]
}
Line = tuple[str, ...]


@dataclass
class Filled:
    """An office whose directory was filled before; everything that is planned is agreed to and delivered."""

    folder: Path
    clock: FixedClock = field(default_factory=lambda: FixedClock(MORNING))
    lines: list[Line] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)

    @property
    def context(self) -> Context:
        """Opened anew, as each start of the program does."""
        return open_context(self.folder / "config.yaml", self.clock)

    def people(self, *rows: str) -> Filled:
        """Writes the source: "1;Kari;Li;kari@home.no;employee"."""
        lines = ["number;given;family;mail;kind", *rows, ""]
        (self.folder / "people.csv").write_text("\n".join(lines), encoding="utf-8")
        return self

    def configure(self, **settings: Any) -> Filled:
        """Changes settings of the target."""
        path = self.folder / "config.yaml"
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        found["targets"]["ad"].update(settings)
        path.write_text(yaml.safe_dump(found), encoding="utf-8")
        return self

    def state(self, url: str) -> None:
        """Has the state kept elsewhere."""
        path = self.folder / "config.yaml"
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        found["state"]["url"] = url
        path.write_text(yaml.safe_dump(found), encoding="utf-8")

    def account(self, name: str, container: str = "OU=Old", enabled: bool = True, **attributes: Value) -> str:
        """Makes an account by hand; returns its anchor."""
        return self._by_hand(
            Kind.ACCOUNT, Action.CREATE, attributes={"name": name, **attributes}, container=container, enabled=enabled
        )

    def group(self, name: str, *members: str, **attributes: Value) -> str:
        """Makes a group by hand, of accounts with these anchors; returns its anchor."""
        anchor = self._by_hand(Kind.GROUP, Action.CREATE, attributes={"name": name, **attributes})
        for member in members:
            self._by_hand(Kind.MEMBERSHIP, Action.CREATE, anchor=anchor, account=member)
        return anchor

    def change(self, anchor: str, **attributes: Value) -> None:
        """Changes an account by hand."""
        self._by_hand(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes=attributes)

    def change_group(self, anchor: str, **attributes: Value) -> None:
        """Changes a group by hand."""
        self._by_hand(Kind.GROUP, Action.UPDATE, anchor=anchor, attributes=attributes)

    def _by_hand(self, kind: Kind, action: Action, **fields: Any) -> str:
        with self.context.make_target("ad") as target:
            (outcome,) = target.apply([Operation(f"hand-{datetime.now(UTC).timestamp()}", kind, action, **fields)])
        assert outcome.error is None
        return outcome.anchor or ""

    def sync(self, **options: Any) -> SyncReport:
        """The main job, an hour later."""
        self.clock.moment += timedelta(hours=1)
        return sync(self.context, self._agree, **options)

    def plan(self) -> list[Line]:
        """The dry run's changes."""
        context = self.context
        with context.reading() as database, planned(context, database) as made:
            self._agree(made)
        return self.lines

    def _agree(self, made: Planned) -> bool:
        plan = made.plan
        self.problems = {one.person: one.reason for one in plan.problems}
        self.lines = [
            (change.subject, str(change.kind), str(change.action))
            for frame, _, _ in plan.judged()
            for change in frame.changes
        ]
        self.identifiers |= {frame.person: value for frame in plan.people for _, value in frame.identifiers}
        return True

    def about(self, person: str) -> list[str]:
        """What the last plan does to somebody's account."""
        return [action for subject, kind, action in self.lines if subject == person and kind == "account"]

    def there(self, kind: Kind = Kind.ACCOUNT) -> dict[str, RemoteObject]:
        """What the target holds, by anchor."""
        with self.context.make_target("ad") as target:
            return {one.anchor: one for one in target.read(kind) if isinstance(one, RemoteObject) and not one.deleted}

    def known(self) -> dict[str, str]:
        """Person → anchor of the account that they are known to have."""
        columns = tables.known_accounts.c
        with self.context.reading() as database, database.read() as connection:
            rows = connection.execute(select(columns.person_id, columns.anchor))
            return {row.person_id: row.anchor for row in rows}

    def audit(self) -> list[tuple[str, str, str | None]]:
        """(kind, action, person) of the audit's lines."""
        columns = tables.audit.c
        with self.context.reading() as database, database.read() as connection:
            rows = connection.execute(select(columns.kind, columns.action, columns.person_id).order_by(columns.id))
            return [tuple(row) for row in rows]

    def review(self) -> dict[str, tuple[str, ...]]:
        """Account → (state, person)."""
        return {one.account: (one.state, one.person) for one in self.reviewed().lines}

    def reviewed(self) -> Review:
        """Whose the accounts are."""
        return review(self.context)

    def decide(self, word: Decision, person: str, anchor: str) -> None:
        """Says something about a match."""
        decide(self.context, person, anchor, "ad", word, "because")


@pytest.fixture(scope="session")
def _office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office with one directory and rules; its state is empty, and ready."""
    folder = tmp_path_factory.mktemp("office")
    settings = {
        "organisation": {"name": "Office"},
        "state": {"url": "sqlite:///state.db", "key_file": "key"},
        "rulesets": ["rules.yaml"],
        "sources": {
            "hr": {
                "type": "csv",
                "files": {"people": "people.csv"},
                "delimiter": ";",
                "map": {
                    "people": {
                        "from": "people",
                        "key": "{{ row.number }}",
                        "given_name": "{{ row.given }}",
                        "family_name": "{{ row.family }}",
                        "email": "{{ row.mail }}",
                        "employee_number": "{{ row.number }}",
                    },
                    "affiliations": {
                        "from": "people",
                        "person": "{{ row.number }}",
                        "key": "{{ row.number }}",
                        "kind": "{{ row.kind }}",
                    },
                },
            }
        },
        "targets": {
            "ad": {
                "type": "embedded",
                "path": "ad.db",
                "account_name": "name",
                "protected_by": "adminCount",
                "correlation": CORRELATION,
            }
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "rules.yaml").write_text("ruleset: r\n" + dedent(RULES), encoding="utf-8")
    write_key_file(folder / "key")
    with Filled(folder).context.writing():
        return folder


@pytest.fixture
def filled(_office: Path, tmp_path: Path) -> Filled:
    """A copy of the office, with Kari and Ola, in which nothing was done yet."""
    copy = Path(shutil.copytree(_office, tmp_path / "office"))
    return Filled(copy).people("1;Kari;Li;kari@home.no;employee", "2;Ola;By;ola@home.no;employee")


# ---------------------------------------------------------------- adopting


def test_what_matches_is_adopted_and_then_managed(filled: Filled):
    """It keeps its anchor, its name and what no rule sets; the rest becomes what the rules say."""
    anchor = filled.account("karili", employeeID="1", phone="123", display="K. Li")
    assert filled.plan().count(("hr:1", "account", "adopt")) == 1

    assert filled.sync().is_complete

    assert filled.about("hr:1") == ["adopt", "update"]
    assert filled.about("hr:2") == ["create"]
    found = filled.there()[anchor]
    wanted = {"name": "karili", "mail": "karili@x.no", "display": "Kari Li", "employeeID": "1", "phone": "123"}
    assert (found.attributes, found.container, found.enabled) == (wanted, "OU=Staff", True)
    assert filled.known()["hr:1"] == anchor
    assert ("account", "adopt", "hr:1") in filled.audit()
    filled.sync()
    assert filled.lines == []


def test_the_audit_tells_known_state_of_what_was_adopted(filled: Filled):
    """Its lines put together are what is known, and its chain holds."""
    anchor = filled.account("karili", employeeID="1")
    filled.sync()

    assert verify(filled.context).faults == ()
    with filled.context.reading() as database, database.read() as connection:
        told = known_state(connection).accounts["hr:1", "ad"]
        assert untold(connection) == ()
    assert (told.anchor, told.enabled, told.container) == (anchor, True, "OU=Staff")
    assert told.attributes["name"] == "karili"


def test_a_disabled_account_of_somebody_active_is_enabled(filled: Filled):
    """As the plan says, behind the adoption."""
    filled.account("karili", employeeID="1", enabled=False)
    filled.sync()

    assert filled.about("hr:1") == ["adopt", "update", "enable"]


def test_what_matches_is_never_made_a_second_time(filled: Filled):
    """Nor renamed to what a new account would have been called."""
    filled.account("karili", employeeID="1")
    filled.sync()

    assert sorted(str(one.attributes["name"]) for one in filled.there().values()) == ["karili", "ola"]
    assert filled.identifiers == {"hr:1": "karili", "hr:2": "ola"}


def test_a_name_that_a_stranger_has_is_given_to_nobody(filled: Filled):
    """In any attribute that the name has to be free in."""
    filled.account("kari")
    filled.account("somebody", mail="OLA@x.no")
    assert filled.sync().is_complete

    assert filled.identifiers == {"hr:1": "kari2", "hr:2": "ola2"}


def test_a_name_that_is_another_persons_is_not_taken_over(filled: Filled):
    """Two would have one name then; somebody has to look."""
    filled.configure(correlation=None).sync()
    filled.people(
        "1;Kari;Li;k@home.no;employee", "2;Ola;By;o@home.no;employee", "3;Per;Ås;p@home.no;employee"
    ).configure(correlation=CORRELATION)
    with filled.context.writing() as database, database.write() as connection:
        connection.execute(
            tables.identifiers.insert(),
            {"name": "username", "folded": "pera", "value": "pera", "person_id": "hr:2", "allocated_at": "2026"},
        )
    filled.account("pera", employeeID="3")
    filled.sync()

    assert "taken by somebody else, or was: rename the account" in filled.problems["hr:3"]
    assert filled.about("hr:3") == []


# ---------------------------------------------------------------- what waits


def test_an_ambiguous_match_gets_no_account_until_somebody_accepts_one(filled: Filled):
    """No account by guess, and no name either; the others go on."""
    first, second = filled.account("kari-a", employeeID="1"), filled.account("kari-b", employeeID="1")
    filled.sync()
    assert filled.about("hr:1") == []
    assert "2 accounts match" in filled.problems["hr:1"]
    assert "hr:1" not in filled.identifiers
    assert filled.known().keys() == {"hr:2"}
    assert filled.review() == {"kari-a": ("ambiguous", "hr:1"), "kari-b": ("ambiguous", "hr:1")}

    filled.decide(Decision.ACCEPT, "hr:1", second)
    filled.sync()

    assert filled.known()["hr:1"] == second
    assert filled.there()[first].attributes == {"name": "kari-a", "employeeID": "1"}
    assert filled.review() == {"kari-a": ("unmatched", "")}
    assert ("correlation", "accept", "hr:1") in filled.audit()
    filled.sync()
    assert (filled.lines, filled.problems) == ([], {})


def test_who_waits_for_a_word_is_no_failure(filled: Filled):
    """The run tells of it apart from what went wrong, and `status` says that somebody has to decide."""
    filled.account("kari-a", employeeID="1")
    filled.account("kari-b", employeeID="1")

    report = filled.sync()

    assert (report.problems, report.undecided) == (0, 1)
    last = status(filled.context).last
    assert last is not None
    assert (last.problems, last.undecided) == (0, 1)


def test_many_who_wait_hide_nobody_who_is_not_served(filled: Filled):
    """The book of runs keeps a hundred of them, what went wrong first, and counts all."""
    filled.account("shared", private="post@home.no")
    waiting = [f"{number:03};Kari;Li;post@home.no;employee" for number in range(110)]
    filled.people(*waiting, "999;!;By;ola@home.no;employee")

    report = filled.sync()

    assert (report.problems, report.undecided) == (1, 110)
    last = status(filled.context).last
    assert last is not None
    assert (last.problems, last.undecided) == (1, 110)
    assert report_of(filled.context, report.run_id).problems[0][0] == "hr:999"


def test_who_waits_is_told_why(filled: Filled):
    """For the service desk: not that the next run gives the account."""
    filled.account("kari-a", employeeID="1")
    filled.account("kari-b", employeeID="1")
    filled.sync()

    waits, served = explained(filled.context, "hr:1"), explained(filled.context, "hr:2")

    assert isinstance(waits, Explained)
    assert isinstance(served, Explained)
    assert "2 accounts match; see 'eadm-sync correlate'" in waits.faults[0]
    assert served.faults == ()


def test_an_account_that_is_only_like_somebodys_other_one_is_told_so(filled: Filled):
    """A surer match counts, though it is protected; whoever reviews the rest is not told that nobody matches it."""
    filled.configure(protected={"accounts": ["karili"]})
    filled.account("karili", employeeID="1")
    filled.account("kari-privat", private="kari@home.no")
    filled.account("others")

    reasons = {one.account: one.reason for one in review(filled.context).lines}

    assert reasons["kari-privat"] == "matches hr:1, for whom another account counts"
    assert reasons["others"] == "nobody matches it"


def test_a_proposal_waits_for_somebodys_word(filled: Filled):
    """An address that is the same adopts nothing, and makes nothing."""
    anchor = filled.account("somebody", private="KARI@home.no")
    filled.sync()
    assert filled.review() == {"somebody": ("proposed", "hr:1")}
    assert filled.about("hr:1") == []

    filled.decide(Decision.REJECT, "hr:1", anchor)
    filled.sync()

    assert filled.about("hr:1") == ["create"]
    assert filled.there()[anchor].attributes == {"name": "somebody", "private": "KARI@home.no"}


def test_an_account_that_is_left_alone_leaves_its_person_without_another(filled: Filled):
    """Nothing is done, and nobody is told of it again."""
    anchor = filled.account("karili", employeeID="1", adminCount=1)
    filled.sync()
    assert "is protected" in filled.problems["hr:1"]

    with pytest.raises(NotDecided, match="protected"):
        filled.decide(Decision.ACCEPT, "hr:1", anchor)
    filled.decide(Decision.LEAVE, "hr:1", anchor)
    filled.sync()

    assert (filled.about("hr:1"), filled.problems) == ([], {})
    assert filled.review() == {"karili": ("left", "hr:1")}
    assert filled.known().keys() == {"hr:2"}


def test_what_was_said_can_be_taken_back(filled: Filled):
    """And the match rules count again."""
    anchor = filled.account("karili", employeeID="1")
    filled.decide(Decision.REJECT, "hr:1", anchor)
    assert filled.review() == {"karili": ("unmatched", "")}

    assert take_back(filled.context, "hr:1", anchor, "ad", "a slip").changed

    assert filled.review() == {"karili": ("adopt", "hr:1")}
    filled.sync()
    assert not take_back(filled.context, "hr:1", anchor, "ad", "again").changed


def test_one_account_is_accepted_for_one_person(filled: Filled):
    """Whoever says otherwise has to take back what was said before."""
    first, second = filled.account("a", employeeID="1"), filled.account("b", employeeID="1")
    filled.decide(Decision.ACCEPT, "hr:1", first)

    with pytest.raises(NotDecided, match="hr:1's"):
        filled.decide(Decision.ACCEPT, "hr:2", first)
    with pytest.raises(NotDecided, match="another account"):
        filled.decide(Decision.ACCEPT, "hr:1", second)


def test_two_who_decide_at_once_do_not_give_one_account_to_two_people(filled: Filled, monkeypatch: pytest.MonkeyPatch):
    """What was said while the directory was read counts, though it was not said when the command began."""
    anchor = filled.account("a", employeeID="1")
    read, others = EmbeddedTarget.read, iter(["hr:2"])

    def meanwhile(self: EmbeddedTarget, *arguments: Any) -> Iterator[Any]:
        for person in others:
            filled.decide(Decision.ACCEPT, person, anchor)
        return read(self, *arguments)

    monkeypatch.setattr(EmbeddedTarget, "read", meanwhile)

    with pytest.raises(NotDecided, match="said to be hr:2's"):
        filled.decide(Decision.ACCEPT, "hr:1", anchor)


def test_only_what_nobody_has_can_be_spoken_of(filled: Filled):
    """An anchor that is nowhere, or somebody's; a name in its place is answered with the anchor."""
    stranger = filled.account("stranger")
    filled.sync()

    with pytest.raises(NotFound) as named:
        filled.decide(Decision.ACCEPT, "hr:1", "stranger")
    assert named.value.near == (stranger,)
    for anchor in ("nowhere", filled.known()["hr:2"]):
        with pytest.raises(NotFound):
            filled.decide(Decision.ACCEPT, "hr:1", anchor)
    with pytest.raises(NotFound):
        filled.decide(Decision.ACCEPT, "hr:99", stranger)


def test_a_target_that_cannot_be_read_gets_no_accounts_by_guess(filled: Filled):
    """Nobody can say who has one already."""
    (filled.folder / "ad.db").write_text("no database, and long enough not to be taken for an empty one" * 20)
    filled.plan()

    assert filled.lines == []
    assert filled.problems.keys() == {"hr:1", "hr:2"}
    assert "cannot be read" in filled.problems["hr:1"]
    assert filled.reviewed().errors.keys() == {"ad"}


def test_wrong_match_rules_are_told_of_before_anything_is_read(filled: Filled):
    """With the place in the configuration."""
    filled.configure(correlation={"rules": [{"match": "mail", "to": "{{ person.mial }}"}]})

    with pytest.raises(ConfigError) as caught:
        filled.plan()
    assert "correlation.rules[0].to" in str(caught.value)


# ---------------------------------------------------------------- scope, groups, protection


def test_accounts_out_of_scope_are_nobodys(filled: Filled):
    """They are not adopted, not shown, and their names are not given again."""
    filled.configure(correlation={**CORRELATION, "containers": ["OU=Old"]})
    filled.account("kari", container="OU=Elsewhere", employeeID="1")
    filled.account("visitor", container="OU=Guests,OU=Old")
    filled.sync()

    assert filled.about("hr:1") == ["create"]
    assert filled.identifiers["hr:1"] == "kari2"
    assert filled.review() == {"visitor": ("unmatched", "")}


@pytest.mark.parametrize(
    "protected",
    [
        {"accounts": ["kari*"]},
        {"containers": ["OU=Old"]},
        {"groups": ["Domain Admins"]},
        {},
    ],
    ids=["by name", "by container", "by group", "by the target"],
)
def test_a_protected_account_is_never_adopted(filled: Filled, protected: dict[str, Any]):
    """Whatever protects it; who has it waits, and it stays as it is to the last attribute."""
    filled.configure(protected=protected)
    anchor = filled.account("karili", employeeID="1", **({} if protected else {"adminCount": 1}))
    inner = filled.group("Tier 0", anchor)
    outer = filled.group("Domain Admins")
    with filled.context.make_target("ad") as target:
        list(target.apply([Operation("nest", Kind.NESTING, Action.CREATE, anchor=outer, member=inner)]))
    before = filled.there()[anchor]

    filled.sync()

    assert "is protected" in filled.problems["hr:1"]
    assert filled.about("hr:1") == []
    assert filled.there()[anchor] == before
    assert filled.review()["karili"][0] == "protected"


@pytest.mark.parametrize(
    ("protected", "attributes"),
    [({"accounts": ["kari"]}, {}), ({"containers": ["OU=Staff"]}, {}), ({}, {"adminCount": 1})],
    ids=["by name", "by container", "by the target"],
)
def test_an_account_that_is_protected_later_is_not_changed_any_more(
    filled: Filled, protected: dict[str, Any], attributes: dict[str, Value]
):
    """Though it is ours, and its person has left; nor is anything it is in."""
    filled.sync()
    anchor = filled.known()["hr:1"]
    filled.change(anchor, **attributes)
    filled.configure(protected=protected)
    before = filled.there()[anchor]

    filled.people("1;Kari;Li;k@home.no;gone", "2;Ola;By;o@home.no;employee").sync()
    stop(filled.context, "hr:1", "stolen")

    assert filled.there()[anchor] == before
    memberships = filled.there(Kind.MEMBERSHIP).values()
    if protected:  # the state tells: nothing was planned
        assert (filled.about("hr:1"), anchor in {one.account for one in memberships}) == ([], True)
        assert "is protected" in filled.problems["hr:1"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_adoption_and_what_somebody_says_are_kept_on_both_databases(
    filled: Filled, engine: str, request: pytest.FixtureRequest
):
    """Who matches is adopted, who is ambiguous after a word, and what the target protects is known."""
    if engine == "postgresql":
        filled.state(request.getfixturevalue("postgresql_url"))
    kari = filled.account("karili", employeeID="1")
    first, second = filled.account("olaby", employeeID="2"), filled.account("olaby2", employeeID="2")
    filled.sync()
    assert filled.known() == {"hr:1": kari}

    filled.decide(Decision.ACCEPT, "hr:2", first)
    filled.sync()
    filled.change(kari, adminCount=1)
    filled.clock.moment += timedelta(hours=1)
    reconcile(filled.context)
    filled.people("1;Kari;Li;k@home.no;gone", "2;Ola;By;o@home.no;employee").sync()

    assert filled.known() == {"hr:1": kari, "hr:2": first}
    assert second in filled.there()
    assert "the target protects it" in filled.problems["hr:1"]
    assert filled.about("hr:1") == []
    assert verify(filled.context).faults == ()
    with filled.context.reading() as database, database.read() as connection:
        assert untold(connection) == ()


def test_what_the_target_protects_is_known_once_a_change_was_refused(filled: Filled):
    """The next plan leaves it out and says so; the dead letter goes, and a reading takes it back."""
    filled.sync()
    anchor = filled.known()["hr:1"]
    filled.change(anchor, adminCount=1)
    filled.people("1;Kari;Li;k@home.no;gone", "2;Ola;By;o@home.no;employee").sync()
    assert filled.about("hr:1") == ["disable"]
    assert filled.sync().is_complete

    assert filled.lines == []
    assert "the target protects it" in filled.problems["hr:1"]
    assert filled.there()[anchor].enabled
    assert ("protection", "found", "hr:1") in filled.audit()

    filled.change(anchor, adminCount=None)
    reconcile(filled.context)
    filled.sync()
    assert filled.about("hr:1") == ["disable"]
    assert not filled.there()[anchor].enabled
    assert verify(filled.context).faults == ()


def test_what_the_target_protects_is_known_once_it_was_read(filled: Filled):
    """Accounts and groups alike; no plan asks for what would be refused."""
    filled.sync()
    anchor = filled.known()["hr:1"]
    (group,) = filled.there(Kind.GROUP)
    filled.change(anchor, adminCount=1)
    filled.change_group(group, adminCount=1)
    filled.clock.moment += timedelta(hours=1)

    (found,) = reconcile(filled.context)
    filled.people("1;Kari;Lie;k@home.no;employee", "2;Ola;By;o@home.no;gone").sync()

    assert (found.protected, found.total) == (2, 0)
    assert [line for line in filled.lines if line[0] == "hr:1" or line[1] == "membership"] == []
    assert "the target protects it" in filled.problems["hr:1"]
    assert "the target protects it" in filled.problems["hr:2"]


def test_a_protected_name_is_given_to_nobody(filled: Filled):
    """An account of that name would be out of our hands at once."""
    filled.configure(protected={"accounts": ["ola"]}).sync()

    assert filled.about("hr:2") == []
    assert "the name ola is protected" in filled.problems["hr:2"]


def test_nobody_is_put_into_a_protected_group(filled: Filled):
    """Nor is the group made or changed."""
    filled.configure(protected={"groups": ["staff"]}).sync()

    assert [line for line in filled.lines if line[1] != "account"] == []
    assert filled.there(Kind.GROUP) == {}
    assert "the name staff is protected" in filled.problems["hr:1"]


def test_a_group_of_the_same_name_is_adopted_where_groups_are(filled: Filled):
    """With the people in it who are not ours: they stay."""
    filled.configure(correlation={**CORRELATION, "groups": True})
    stranger = filled.account("stranger")
    anchor = filled.group("STAFF", stranger, mail="staff@x.no")
    filled.sync()

    assert ("group:staff", "group", "adopt") in filled.lines
    (group,) = filled.there(Kind.GROUP).values()
    assert (group.anchor, group.attributes["mail"]) == (anchor, "staff@x.no")
    members = {one.account for one in filled.there(Kind.MEMBERSHIP).values()}
    assert members == {stranger, *filled.known().values()}
    assert ("group", "adopt", None) in filled.audit()
    filled.sync()
    assert filled.lines == []


def test_no_group_is_adopted_where_two_have_the_name(filled: Filled, monkeypatch: pytest.MonkeyPatch):
    """As in Entra, whose display names are not unique: neither is taken, and nobody gets into one."""
    filled.configure(correlation={**CORRELATION, "groups": True})
    filled.group("Staff")
    twin = RemoteObject(Kind.GROUP, "twin", {"name": "STAFF"})
    read = EmbeddedTarget.read

    def with_twin(self: EmbeddedTarget, kind: Kind, *rest: Any) -> Iterator[Any]:
        yield from read(self, kind, *rest)
        yield from (twin,) if kind is Kind.GROUP else ()

    monkeypatch.setattr(EmbeddedTarget, "read", with_twin)
    filled.sync()

    assert "2 groups there are called Staff" in filled.problems["hr:1"]
    assert not [line for line in filled.lines if line[0] == "group:staff"]
    assert filled.there(Kind.MEMBERSHIP) == {}


def test_a_group_of_the_same_name_is_left_alone_where_groups_are_not_adopted(filled: Filled):
    """Its creation is refused by the target, and nobody gets into it."""
    stranger = filled.account("stranger")
    anchor = filled.group("Staff", stranger)
    before = filled.there(Kind.GROUP)
    filled.sync()

    assert filled.there(Kind.GROUP) == before
    assert [(one.group, one.account) for one in filled.there(Kind.MEMBERSHIP).values()] == [(anchor, stranger)]


# ---------------------------------------------------------------- looked at again when it is delivered


@pytest.mark.parametrize(
    "attributes",
    [
        {"employeeID": "9"},  # does not match any more
        {"name": "renamed"},
        {"display": "Somebody Else"},  # is not as it was planned
        {"adminCount": 1},  # is protected by now
    ],
)
def test_an_account_that_changed_since_it_was_planned_is_not_adopted(filled: Filled, attributes: dict[str, Value]):
    """The next plan looks at it again."""
    anchor = filled.account("karili", employeeID="1", display="K. Li")
    filled.sync(deliver=False)
    filled.change(anchor, **attributes)
    before = filled.there()[anchor]

    filled.people("1;Kari;Li;kari@home.no;employee", "2;Ola;By;ola@home.no;employee")
    context = filled.context
    with context.writing() as database:
        deliver_all(context, database)

    assert filled.there()[anchor] == before
    assert "hr:1" not in filled.known()


def test_objects_that_are_not_ours_are_never_changed(filled: Filled):
    """Every change goes to an anchor of known state: whoever has none there gets nothing done to an account."""
    stranger = filled.account("kari", mail="kari@x.no", display="Kari Li", phone="1")
    group = filled.group("Elsewhere", stranger)
    before = filled.there()[stranger], filled.there(Kind.GROUP)[group]
    filled.sync()
    filled.people("2;Ola;By;ola@home.no;employee").sync()

    assert (filled.there()[stranger], filled.there(Kind.GROUP)[group]) == before


def test_match_rules_are_checked_with_everything_else(filled: Filled):
    """By `check`, which names them where they are right, and their place where they are not."""
    right = check(filled.folder / "config.yaml", filled.clock, offline=True)
    filled.configure(correlation={"rules": [{"match": "mail", "to": "always the same"}]})
    wrong = check(filled.folder / "config.yaml", filled.clock, offline=True)

    assert [part.detail for part in right.parts if part.kind == "correlation"] == ["2 match rules"]
    assert ["fit everybody" in problem.message for problem in wrong.problems] == [True]


def test_a_saved_plan_with_adoptions_is_applied_as_it_was_shown(filled: Filled):
    """The directory is read anew, and what it holds has to be the same."""
    anchor = filled.account("karili", employeeID="1")
    context, file = filled.context, filled.folder / "plan.jsonl"
    with context.reading() as database, planned(context, database) as made:
        save(context, made.plan, file)

    filled.change(anchor, employeeID="7")
    with pytest.raises(PlanOutdated):
        apply_saved(filled.context, file, lambda _: True)
    filled.change(anchor, employeeID="1")

    assert apply_saved(filled.context, file, lambda _: True).is_complete
    assert filled.known()["hr:1"] == anchor
