"""What a service account needs, and no more: the rights that docs/how-to/active-directory.md gives it, on a domain."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from ldap3.protocol.microsoft import security_descriptor_control

from connectors.active_directory import ActiveDirectoryTarget
from connectors.contract import Action, Kind, Operation, Password, RemoteObject
from connectors.errors import AuthenticationFailed, Rejected
from tests.connectors.active_directory.conftest import NORMAL, Home
from tests.samba import BASE_DN

Targets = Callable[..., ActiveDirectoryTarget]
Delegate = Callable[[str, list[str]], None]
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "active-directory.md"
PASSWORD = "Tjeneste-konto.1"
RIGHTS = {"CC": 0x1, "DC": 0x2, "LC": 0x4, "RP": 0x10, "WP": 0x20, "CA": 0x100, "SD": 0x10000, "RC": 0x20000}
TYPES = {
    "user": UUID("bf967aba-0de6-11d0-a285-00aa003049e2"),
    "group": UUID("bf967a9c-0de6-11d0-a285-00aa003049e2"),
    "organizationalUnit": UUID("bf967aa5-0de6-11d0-a285-00aa003049e2"),
    "Reset Password": UUID("00299570-246d-11d0-a768-00aa006e0529"),
    "userAccountControl": UUID("bf967a68-0de6-11d0-a285-00aa003049e2"),
}


def documented() -> list[str]:
    """The permissions that the page gives in a unit, each as its flag of inheritance and the words behind the user."""
    _, unit, rest = PAGE.read_text(encoding="utf-8").partition('\n$ou = "')
    assert unit
    lines = re.findall(r"^dsacls \$ou /I:(\w) /G (.+)$", rest.partition("\n```")[0], re.MULTILINE)
    return [f"{flag}:{words}" for flag, grants in lines for words in re.findall(r'"\$\{svc\}:([^"]+)"', grants)]


def ace(sid: bytes, grant: str) -> bytes:
    """An entry of a security descriptor as dsacls makes it: `T:CCDC;user`, `S:CA;Reset Password;user`; `D:` denies."""
    flag, _, words = grant.partition(":")
    rights, type_, heir = (*words.split(";"), "", "")[:3]
    mask = sum(RIGHTS[rights[place : place + 2]] for place in range(0, len(rights), 2))
    guids = [TYPES[word].bytes_le for word in (type_, heir) if word]
    present = (1 if type_ else 0) | (2 if heir else 0)
    kind, inherited = {"T": (5, 0x2), "S": (5, 0xA), "D": (6, 0x2)}[flag]
    body = struct.pack("<II", mask, present) + b"".join(guids) + sid
    return struct.pack("<BBH", kind, inherited, 4 + len(body)) + body


@pytest.fixture(scope="module")
def service(administrator: Any) -> dict[str, str]:
    """The settings of an account that nobody gave any rights."""
    name = f"svc-{uuid4().hex[:8]}"
    dn = f"CN={name},CN=Users,{BASE_DN}"
    assert administrator.add(dn, "user", {"sAMAccountName": name, "userPrincipalName": f"{name}@eadm.test"})
    password = [("MODIFY_REPLACE", [f'"{PASSWORD}"'.encode("utf-16-le")])]
    enabled = {"unicodePwd": password, "userAccountControl": [("MODIFY_REPLACE", [NORMAL])]}
    assert administrator.modify(dn, enabled)
    return {"user": f"{name}@eadm.test", "password": PASSWORD}


@pytest.fixture
def delegate(administrator: Any, service: dict[str, str]) -> Delegate:
    """Gives the service account permissions in a container."""
    controls = security_descriptor_control(sdflags=4)
    principal = service["user"]
    administrator.search(BASE_DN, f"(userPrincipalName={principal})", attributes=["objectSid"])
    sid = administrator.entries[0].objectSid.raw_values[0]

    def given(container: str, permissions: list[str]) -> None:
        administrator.search(
            container, "(objectClass=*)", "BASE", attributes=["nTSecurityDescriptor"], controls=controls
        )
        raw = administrator.entries[0].nTSecurityDescriptor.raw_values[0]
        head, start = bytearray(raw), struct.unpack_from("<I", raw, 16)[0]
        size, count = struct.unpack_from("<HH", raw, start + 2)
        aces = [ace(sid, one) for one in permissions]
        struct.pack_into("<HH", head, start + 2, size + sum(map(len, aces)), count + len(aces))
        whole = bytes(head[: start + 8]) + b"".join(aces) + bytes(head[start + 8 :])
        changed = {"nTSecurityDescriptor": [("MODIFY_REPLACE", [whole])]}
        assert administrator.modify(container, changed, controls=controls), administrator.result

    return given


def steps(home: Home) -> Iterator[Callable[[dict[str, str]], Operation]]:
    """Everything that is ever done to an account and a group; each is given the anchors of what was made."""

    def account(action: Action, **fields: Any) -> Callable[[dict[str, str]], Operation]:
        anchored = action is not Action.CREATE
        return lambda made: Operation(
            uuid4().hex, Kind.ACCOUNT, action, "owner", anchor=made["account"] if anchored else None, **fields
        )

    new = {"sAMAccountName": home.name("kari"), "displayName": "Kari", "accountExpires": "2027-01-31"}
    first, second = Password("Gul-Hest7-hopper"), Password("Blå-Hest8-hopper", must_change=False)
    unit = f"OU=Skole,{home.dn}"
    yield account(Action.CREATE, attributes=new, container=unit, enabled=True, password=first)
    yield lambda _: Operation(
        uuid4().hex,
        Kind.GROUP,
        Action.CREATE,
        attributes={"sAMAccountName": home.name("alle"), "description": "Alle"},
        container=unit,
    )
    for action in (Action.CREATE, Action.DELETE):
        yield lambda made, action=action: Operation(
            uuid4().hex, Kind.MEMBERSHIP, action, anchor=made["group"], account=made["account"]
        )
    yield account(Action.UPDATE, attributes={"cn": "Kari Li", "title": "Lærer"}, container=f"OU=Kontor,{home.dn}")
    yield account(Action.UPDATE, password=second)
    yield account(Action.DISABLE)
    yield account(Action.ENABLE)
    yield account(Action.DELETE)
    yield lambda made: Operation(uuid4().hex, Kind.GROUP, Action.DELETE, anchor=made["group"])


def test_the_documented_rights_are_enough(
    target: Targets, home: Home, service: dict[str, str], delegate: Delegate
) -> None:
    """For everything that is ever done; and `check` says so, with and without anybody there to look at."""
    delegate(home.dn, documented())
    ours = target(**service)
    made: dict[str, str] = {}
    assert ours.check() is None
    for step in steps(home):
        operation = step(made)
        (outcome,) = ours.apply([operation])
        assert outcome.error is None, (operation.kind, operation.action)
        if operation.action is Action.CREATE:
            made[str(operation.kind)] = str(outcome.anchor)
            assert ours.check() is None
    assert [one for one in ours.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)] == []


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ("S:CA;Reset Password;user", "reset passwords of accounts"),
        ("S:RPWPSD;;user", "delete accounts"),
        ("S:RPWPSD;;group", "delete groups"),
    ],
)
def test_what_nobody_tells_is_found_missing(
    target: Targets, home: Home, service: dict[str, str], delegate: Delegate, without: str, missing: str, filled: bool
) -> None:
    """Before anything is tried, whether or not there is an account to look at."""
    children = [one.replace("CCDC", "CC") for one in documented() if one != without]
    delegate(home.dn, children)
    if filled:
        home.user("ase")
        home.group("alle")
    with pytest.raises(AuthenticationFailed, match=f"the right to {missing} in {home.dn} is missing"):
        target(**service).check()


def test_no_right_goes_beyond_the_container(
    target: Targets, home: Home, service: dict[str, str], delegate: Delegate
) -> None:
    """What is beside it stays as it is."""
    inside, beside = home.unit("Inne"), home.unit("Ute")
    delegate(inside, documented())
    with pytest.raises(AuthenticationFailed) as caught:
        target(account_containers=[inside, beside], group_containers=[inside], **service).check()
    assert beside in caught.value.reason
    assert inside not in caught.value.reason


def test_an_account_that_hides_whether_it_is_enabled_is_no_enabled_one(
    target: Targets, home: Home, service: dict[str, str], delegate: Delegate
) -> None:
    """Hardened domains hide userAccountControl: that is said, and nothing is changed on a guess."""
    delegate(home.dn, documented())
    ours = target(**service)
    dn = home.user("ase")
    (seen,) = [one for one in ours.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)]
    delegate(dn, ["D:RP;userAccountControl"])
    with pytest.raises(AuthenticationFailed, match=f"read userAccountControl of accounts in {home.dn} is missing"):
        list(ours.read(Kind.ACCOUNT))
    for action in (Action.ENABLE, Action.DISABLE, Action.DELETE):
        (outcome,) = ours.apply([Operation(uuid4().hex, Kind.ACCOUNT, action, anchor=seen.anchor)])
        assert isinstance(outcome.error, Rejected), action
        assert "userAccountControl" in outcome.error.reason
