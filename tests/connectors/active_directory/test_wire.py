"""What passes between the connector and a domain controller, byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from connectors.active_directory import ActiveDirectoryTarget
from connectors.contract import Action, Kind, Operation, Outcome, Password, RemoteObject
from connectors.errors import Unavailable
from tests.samba import DomainController
from tests.services.samba.wiretap import Wiretap

Home = Any
Open = Callable[..., ActiveDirectoryTarget]
SECRET = "Gul-Hest7-hopper-over-Aasen"


@pytest.fixture
def wiretap(domain_controller: DomainController) -> Iterator[Callable[..., Wiretap]]:
    """Listens in on the port of a kind of encryption."""
    taps = []

    def tap(encryption: str, **fields: int) -> Wiretap:
        server = domain_controller.server if encryption == "tls" else domain_controller.plain_server
        taps.append(Wiretap(server, **fields))
        return taps[-1]

    yield tap
    for one in taps:
        one.close()


@pytest.mark.parametrize("encryption", ["tls", "start_tls"])
def test_no_password_passes_in_clear(
    target: Open, home: Home, domain_controller: DomainController, wiretap: Callable[..., Wiretap], encryption: str
) -> None:
    """Neither that of an account nor our own, in no encoding; nor does a name."""
    tap = wiretap(encryption)
    name = f"u{uuid4().hex[:12]}"
    create = Operation(
        uuid4().hex,
        Kind.ACCOUNT,
        Action.CREATE,
        uuid4().hex,
        attributes={"sAMAccountName": name},
        container=home.dn,
        enabled=True,
        password=Password(SECRET),
    )
    ours = target(servers=[tap.server], encryption=encryption)
    (outcome,) = ours.apply([create])
    assert outcome.error is None
    ours.close()
    assert len(tap.heard) > 2000
    assert (b"1.3.6.1.4.1.1466.20037" in tap.heard) is (encryption == "start_tls")
    for word in (SECRET, domain_controller.admin_password, name, "unicodePwd", "Administrator"):
        for encoding in ("utf-8", "utf-16-le"):
            assert word.encode(encoding) not in tap.heard, word


@pytest.mark.parametrize("encryption", ["none", "", "plain", None, False])
def test_there_is_no_setting_for_plain_text(target: Open, encryption: object) -> None:
    """Not even for tests."""
    with pytest.raises(ValidationError):
        target(encryption=encryption)


def creation(home: Home, number: int) -> Operation:
    """Of one of many enabled accounts with one name, in one of seven containers that are not there yet."""
    return Operation(
        uuid4().hex,
        Kind.ACCOUNT,
        Action.CREATE,
        uuid4().hex,
        attributes={"sAMAccountName": f"{home.name('u')}{number}", "cn": "Kari"},
        container=f"OU={number % 7},{home.dn}",
        enabled=True,
    )


@pytest.mark.parametrize("answers", [8_000, 14_000, 25_000])
def test_what_broke_off_is_repeated_without_harm(
    target: Open, home: Home, wiretap: Callable[..., Wiretap], answers: int
) -> None:
    """Wherever the connection breaks: what was created and not told of is recognised, and nobody is there twice."""
    creates = [creation(home, number) for number in range(120)]
    broken = target(servers=[wiretap("tls", cut_after=answers).server], random_password=False)
    told: list[Outcome] = []
    with pytest.raises(Unavailable):
        told.extend(broken.apply(creates))
    whole = target(random_password=False)
    before = len([one for one in whole.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)])
    anchors = {outcome.operation_id: (outcome.error, outcome.anchor) for outcome in whole.apply(creates)}
    found = {one.anchor: one for one in whole.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)}
    assert len(told) <= before <= len(creates)
    assert {anchors[one.operation_id] for one in told} == {(None, one.anchor) for one in told}
    assert {error for error, _ in anchors.values()} == {None}
    assert set(found) == {anchor for _, anchor in anchors.values()}
    assert len(found) == len(creates)
    assert all(account.enabled for account in found.values())


@pytest.mark.parametrize("answers", [8_000, 14_000, 25_000])
def test_nobody_whose_creation_broke_off_is_enabled_without_a_password(
    target: Open, home: Home, wiretap: Callable[..., Wiretap], answers: int
) -> None:
    """The second attempt gives the password that the first did not come to."""
    creates = [creation(home, number) for number in range(120)]
    with pytest.raises(Unavailable):
        list(target(servers=[wiretap("tls", cut_after=answers).server]).apply(creates))

    errors = {outcome.error for outcome in target().apply(creates)}

    assert errors == {None}
    assert home.admin.search(home.dn, "(sAMAccountType=805306368)", attributes=["pwdLastSet"])
    set_at = [entry["raw_attributes"]["pwdLastSet"] for entry in home.admin.response]
    assert len(set_at) == len(creates)
    assert [b"0"] not in set_at
