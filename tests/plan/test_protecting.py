"""What a plan leaves out since it would change what is protected."""

from __future__ import annotations

import msgspec
import pytest

from connectors.contract import Action, Kind
from eadm_sync.config.settings import ProtectedSettings
from eadm_sync.correlation import Protection
from eadm_sync.plan.change import Change, Script
from eadm_sync.plan.protecting import Protecting
from eadm_sync.ruleset import TargetWords
from eadm_sync.state.known import Known, KnownAccount

ACCOUNT = KnownAccount(
    "ad", "a-1", "OU=Staff", enabled=True, attributes={"name": "kari"}, rule="r", deactivated_on=None
)
FLAGGED = msgspec.structs.replace(ACCOUNT, protected=True)
HOME = Script("home", "home", "disable", ("kari",))
CHANGES = (
    Change("ad", Kind.ACCOUNT, Action.DISABLE, person="hr:1", scripts=(HOME,)),
    Change("ad", Kind.SCRIPT, Action.DISABLE, person="hr:1", script=HOME),
    Change("ad", Kind.MEMBERSHIP, Action.DELETE, person="hr:1", group="staff"),
    Change("ad", Kind.LICENCE, Action.DELETE, person="hr:1", sku="A3"),
)
ELSEWHERE = Change("web", Kind.ACCOUNT, Action.DISABLE, person="hr:1")
WORDS = {"ad": TargetWords(account_name="name"), "web": TargetWords(account_name="name")}


def protecting(*groups: tuple[str, str], **settings: tuple[str, ...]) -> Protecting:
    """With these settings for the directory, and groups that it protects itself."""
    return Protecting({"ad": Protection.of(ProtectedSettings(**settings))}, WORDS, frozenset(groups))


@pytest.mark.parametrize(
    ("settings", "known", "why"),
    [
        ({"accounts": ("kar*",)}, ACCOUNT, "the name kar* is protected"),
        ({"containers": ("ou=staff",)}, ACCOUNT, "the container ou=staff is protected"),
        ({}, FLAGGED, "the target protects it"),  # known since it was read, or refused a change
    ],
    ids=["by name", "by container", "by the target"],
)
def test_all_that_is_about_a_protected_account_is_left_out(
    settings: dict[str, tuple[str, ...]], known: KnownAccount, why: str
):
    """The programs that would be told of it, too; it is said in one sentence, and other targets get theirs."""
    kept, reasons = protecting(**settings).sifted((*CHANGES, ELSEWHERE), Known({"ad": known}))

    assert kept == (ELSEWHERE,)
    assert reasons == (f"ad: {why}; changes left out: 4",)


def test_programs_of_an_account_that_would_be_protected_are_left_out():
    """It is not made, so that there is nothing to tell of."""
    attributes = {"name": (None, "kari")}
    made = Change("ad", Kind.ACCOUNT, Action.CREATE, person="hr:1", attributes=attributes, scripts=(HOME,))
    after = Change("ad", Kind.SCRIPT, Action.CREATE, person="hr:1", script=HOME)

    assert protecting(accounts=("kari",)).sifted((made, after), Known())[0] == ()


def test_a_group_that_the_target_protects_is_left_with_who_is_in_it():
    """Whatever else is done to the person."""
    kept, reasons = protecting(("ad", "staff")).sifted(CHANGES, Known({"ad": ACCOUNT}))

    assert [change.kind for change in kept] == [Kind.ACCOUNT, Kind.SCRIPT, Kind.LICENCE]
    assert reasons == ("ad: the target protects it; changes left out: 1",)


def test_nothing_is_left_out_where_nothing_is_protected():
    """Nor looked at twice."""
    assert protecting().sifted(CHANGES, Known({"ad": ACCOUNT})) == (CHANGES, ())
