"""What is there already, as a plan takes it: names within attributes, and what of an account becomes known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Action, Kind, RemoteObject, Value
from eadm_sync.correlation import Seen, Verdict, VerdictKind
from eadm_sync.desired import Desired, DesiredAccount, DesiredGroup
from eadm_sync.model import Sealed
from eadm_sync.plan.adopting import Adopting, Undecided, name_within
from eadm_sync.ruleset import Form, TargetWords
from eadm_sync.state.known import Known, KnownAccount

REMOTE = RemoteObject(Kind.ACCOUNT, "a-1", {"name": "kari", "nin": "1", "phone": "2"}, "OU=Old", enabled=False)
SEEN = Seen(REMOTE, "kari")
WANTED = DesiredAccount("ad", "staff", "OU=Staff", {"name": "kari", "nin": "1", "title": "x"}, "a")


@dataclass
class Directory:
    """What it is told to hold."""

    found: Verdict | None = None
    groups: dict[str, RemoteObject] = field(default_factory=dict)
    error: str | None = None

    def verdict(self, _person_id: str) -> Verdict | None:
        """What it is told."""
        if self.error is not None:
            raise Undecided("ad", self.error)
        return self.found

    def holdings(self) -> Iterable[tuple[str, Mapping[str, Value]]]:
        """Nothing."""
        return ()

    def group(self, name: str) -> RemoteObject | None:
        """By name."""
        return self.groups.get(name)


def adopting(directory: Directory) -> Adopting:
    """For the target `ad`, in which national ids are sealed."""

    def seal(_target: str, attributes: Mapping[str, Value]) -> Mapping[str, Value | Sealed]:
        return {name: Sealed(b"", b"nin") if name == "nin" else value for name, value in attributes.items()}

    words = TargetWords(account_name="name")
    return Adopting(
        {"ad": directory}, {"ad": words, "web": words}, seal, lambda value, _name: Sealed(value.encode(), b"")
    )


def verdict(kind: VerdictKind, rule: str = "nin", *, sensitive: bool = False) -> Verdict:
    """A verdict on Kari's account."""
    return Verdict("hr:1", kind, (SEEN,), rule, "because", sensitive)


@pytest.mark.parametrize(
    ("form", "value", "name"),
    [
        (lambda name: f"{name}@x.no", "kari@x.no", "kari"),
        (lambda name: f"{name}@x.no", "Kari@X.NO", "Kari"),
        (lambda name: name, "kari", "kari"),
        (lambda name: f"CN={name},OU=x", "CN=kari li,OU=x", "kari li"),
        # of another form
        (lambda name: f"{name}@x.no", "kari@y.no", None),
        (lambda name: f"{name}@x.no", "@x.no", None),
        (lambda name: f"{name}.{name}", "kari.kari", None),
        (lambda _name: "always", "always", None),
        (lambda name: [name], "kari", None),
        # no text
        (lambda name: name, None, None),
        (lambda name: name, ["kari"], None),
    ],
)
def test_a_name_is_read_out_of_the_form_that_it_stands_in(form: object, value: Value, name: str | None) -> None:
    """Only where the rule would write the very same again."""
    assert callable(form)
    assert name_within(Form("ad", "mail", form), value) == name


@given(head=st.text(max_size=3), name=st.text(min_size=1, max_size=5), tail=st.text(max_size=3))
def test_every_name_is_read_back(head: str, name: str, tail: str) -> None:
    """Whatever stands around it; if another one is read, it would be written alike."""
    form = Form("ad", "mail", lambda one: f"{head}{one}{tail}")
    found = name_within(form, f"{head}{name}{tail}")

    if "\0" not in head + tail:
        assert found == name


def test_an_adopted_account_is_known_by_what_the_rule_sets() -> None:
    """Sealed where it is sensitive; what no rule sets is no concern of ours and is never cleared."""
    matched = adopting(Directory(verdict(VerdictKind.ADOPT, sensitive=True))).accounts(
        "hr:1", Desired((WANTED,)), Known()
    )

    (change,) = matched.changes
    known = matched.known.accounts["ad"]
    assert (known.anchor, known.enabled, known.container, known.rule) == ("a-1", False, "OU=Old", "staff")
    assert known.attributes == {"name": "kari", "nin": Sealed(b"", b"nin")}
    assert (change.action, change.anchor, change.person) == (Action.ADOPT, "a-1", "hr:1")
    assert change.found_by == {"name": "kari", "nin": Sealed(b"1", b"")}
    assert change.attributes == {name: (None, value) for name, value in known.attributes.items()}
    assert matched.waiting == {}


def test_what_is_written_once_only_is_not_known_of_an_adopted_account() -> None:
    """It is the target's own already."""
    account = DesiredAccount("ad", "staff", None, {"name": "kari", "nin": "9"}, "a", {"nin": "initial-only"})
    matched = adopting(Directory(verdict(VerdictKind.ADOPT, ""))).accounts("hr:1", Desired((account,)), Known())

    assert matched.known.accounts["ad"].attributes == {"name": "kari"}
    assert matched.changes[0].found_by == {"name": "kari"}


@pytest.mark.parametrize("kind", [VerdictKind.AMBIGUOUS, VerdictKind.PROPOSED, VerdictKind.PROTECTED])
def test_whoever_is_not_certain_waits(kind: VerdictKind) -> None:
    """With the accounts that it is about, and the command that tells more."""
    matched = adopting(Directory(verdict(kind))).accounts("hr:1", Desired((WANTED,)), Known())

    assert (matched.changes, matched.left) == ([], set())
    assert matched.waiting == {
        "ad": (
            "has an account there, perhaps (kari): because; see 'eadm-sync correlate', "
            "decide with 'eadm-sync correlate accept', 'reject' or 'leave'"
        ),
    }


def test_an_account_that_is_left_alone_is_neither_adopted_nor_waited_for() -> None:
    """The person gets no other one."""
    matched = adopting(Directory(verdict(VerdictKind.LEFT))).accounts("hr:1", Desired((WANTED,)), Known())

    assert (matched.changes, matched.left, matched.waiting) == ([], {"ad"}, {})


@pytest.mark.parametrize("there", ["accounts", "recycled"])
def test_who_has_an_account_is_not_looked_for(there: str) -> None:
    """Nor who has one in the recycle bin: that is given back. The target is not even asked."""
    account = KnownAccount("ad", "a-7", None, True, {}, "staff", None)
    known = Known(**{there: {"ad": account}})  # type: ignore[arg-type]

    assert adopting(Directory(error="not asked")).accounts("hr:1", Desired((WANTED,)), known).known is known


def test_a_target_that_cannot_be_read_lets_people_wait_there_only() -> None:
    """Targets without correlation go on."""
    web = DesiredAccount("web", "staff", None, {"name": "kari"}, "a")
    matched = adopting(Directory(error="away")).accounts("hr:1", Desired((WANTED, web)), Known())

    assert matched.waiting == {"ad": "away"}


def test_a_group_is_adopted_with_what_its_rule_sets() -> None:
    """By its name, if there is one that can be."""
    remote = RemoteObject(Kind.GROUP, "g-1", {"name": "STAFF", "mail": "staff@x.no"}, "OU=Groups")
    desired = DesiredGroup("ad", "staff", "all", None, {"name": "Staff", "info": "x"})
    found = adopting(Directory(groups={"Staff": remote})).group(desired)

    assert found is not None
    known, change = found
    assert (known.anchor, known.attributes, known.container) == ("g-1", {"name": "STAFF"}, "OU=Groups")
    assert (change.action, change.group, change.found_by) == (Action.ADOPT, "staff", {"name": "STAFF"})
    assert adopting(Directory()).group(desired) is None
