"""Which objects nobody but the domain's administrators may change, and the connector therefore never does.

`adminCount` marks them ([MS-ADTS] 3.1.1.6.1), but Windows sets it by the hour, never takes it back, and Samba does not
know it: so who is in an administrators' group, by whatever way, is read from the groups themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.active_directory import names
from connectors.active_directory.ber import Entry, Scope, Search, all_of, any_of, equals, present
from connectors.active_directory.connection import Domain
from connectors.active_directory.pipeline import Pipeline
from connectors.errors import Unavailable

ATTRIBUTES = (
    "adminCount",
    "isCriticalSystemObject",
    "objectSid",
    "primaryGroupID",
    "sAMAccountName",
    "userAccountControl",
    "userPrincipalName",
)
"""What `Guard.reason` looks at."""

# [MS-ADTS] 3.1.1.6.1.1 and "Security identifiers" of the Windows documentation. Cert Publishers and Group Policy
# Creator Owners are not in the first, but who is in them can make itself an administrator.
_DOMAIN_GROUPS = (498, 512, 516, 517, 518, 519, 520, 521, 526, 527)
_BUILTIN_GROUPS = (544, 548, 549, 550, 551, 552)
_DOMAIN_ACCOUNTS = frozenset({500, 501, 502, 503})  # Administrator, Guest, krbtgt, DefaultAccount
_BUILTIN = bytes.fromhex("010100000000000520000000")
_PEOPLE = 0x200  # userAccountControl NORMAL_ACCOUNT: other accounts are machines and trusts
_FILTERS = 200  # more make one search slower than two
_DOING = "read who is an administrator"


@dataclass(frozen=True)
class Guard:
    """What a protected object is known by.

    Attributes:
        domain_sid: objectSid of the domain.
        names: Canonical distinguished names of administrators' groups and of all who are in them.
        primary_groups: RIDs of those groups: who has one for its primary group is in it without being listed.
        user: Who we signed in as, as the settings say it; "" with Kerberos.
        token: His SID, and those of all groups he is in; none where the domain controller does not tell.
    """

    domain_sid: bytes
    names: frozenset[str]
    primary_groups: frozenset[int]
    user: str
    token: frozenset[bytes]

    def reason(self, entry: Entry) -> str | None:
        """Why an object is protected; None where it is not. The entry has to have ATTRIBUTES."""
        sid = entry.first("objectSid")
        if sid[:-4] == _sid(self.domain_sid, 0)[:-4] and _rid(sid) in _DOMAIN_ACCOUNTS:
            return "it is one of the domain's own accounts"
        if entry.first("adminCount") == b"1":
            return "it is or was an administrator's (adminCount is 1)"
        if entry.first("isCriticalSystemObject") == b"TRUE":
            return "the domain needs it (isCriticalSystemObject)"
        if int(entry.first("primaryGroupID") or 0) in self.primary_groups or self._is_listed(entry):
            return "it is an administrators' group, or in one"
        control = entry.first("userAccountControl")
        if control and not int(control) & _PEOPLE:
            return "it is a machine's or a trust's"
        return "it is the account that we use ourselves" if self._is_ourselves(entry) else None

    def _is_listed(self, entry: Entry) -> bool:
        return names.canonical(entry.dn) in self.names

    def _is_ourselves(self, entry: Entry) -> bool:
        if entry.first("userAccountControl") and entry.first("objectSid") in self.token:
            return True
        user = self.user.casefold()
        if not user:
            return False
        if "=" in user:
            return names.canonical(user) == names.canonical(entry.dn)
        name = entry.text("sAMAccountName").casefold()
        if "\\" in user:
            return user.rpartition("\\")[2] == name
        return user == entry.text("userPrincipalName").casefold() or user.partition("@")[0] == name


def read_guard(pipeline: Pipeline, domain: Domain, user: str) -> Guard:
    """What is protected in a domain at this moment; a handful of small searches.

    Args:
        pipeline: To its domain controller.
        domain: What that says of itself.
        user: Who we signed in as, as the settings say it.

    Raises:
        Unavailable, AuthenticationFailed: The domain cannot be read.
    """
    base_dn = domain.base_dn
    search = Search(base_dn, present("objectSid"), ["objectSid"], Scope.BASE)
    itself = next(iter([*pipeline.found([search], _DOING)]), None)
    if itself is None:
        raise Unavailable("the domain's own entry cannot be read: without it nobody knows who is an administrator")
    sid = itself.first("objectSid")
    topmost = [_sid(sid, rid) for rid in _DOMAIN_GROUPS] + [_sid(_BUILTIN, rid) for rid in _BUILTIN_GROUPS]
    groups = _search(pipeline, base_dn, [equals("objectSid", one) for one in topmost])
    listed: set[str] = set()
    rids: set[int] = set()
    while groups:
        listed.update(names.canonical(group.dn) for group in groups)
        rids.update(_rid(group.first("objectSid")) for group in groups)
        members = {names.canonical(dn): dn for group in groups for dn in _members(group)}
        fresh = {key: dn for key, dn in members.items() if key not in listed}
        listed.update(fresh)
        groups = _search(pipeline, base_dn, [equals("distinguishedName", dn) for dn in fresh.values()])
    return Guard(sid, frozenset(listed), frozenset(rids), user, domain.token)


def _search(pipeline: Pipeline, base_dn: str, filters: Sequence[bytes]) -> list[Entry]:
    """The groups that one of the filters fits."""
    is_group = equals("objectClass", "group")
    searches = (
        Search(base_dn, all_of((is_group, any_of(filters[start : start + _FILTERS]))), ["member", "objectSid"])
        for start in range(0, len(filters), _FILTERS)
    )
    return list(pipeline.found(searches, _DOING))


def _members(group: Entry) -> Iterable[str]:
    """Of a group of more than 1500 the first 1500 ("member;range=0-1499"); Windows marks the others by adminCount."""
    for name, values in group.attributes.items():
        if name.partition(";")[0] == "member":
            yield from (value.decode() for value in values)


def _sid(domain: bytes, rid: int) -> bytes:
    """A SID below another ([MS-DTYP] 2.4.2.2): its second byte counts the numbers at its end."""
    return bytes((domain[0], domain[1] + 1)) + domain[2:] + rid.to_bytes(4, "little")


def _rid(sid: bytes) -> int:
    return int.from_bytes(sid[-4:], "little")
