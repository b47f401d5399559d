"""Organisational units: made on demand, those above first, and taken away again when they are empty."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from connectors.active_directory import names
from connectors.active_directory.ber import Add, Delete, Scope, Search, any_of, equals, present
from connectors.active_directory.errors import Attempt, Code, error_of, is_passing
from connectors.active_directory.pipeline import Chain, entries_of
from connectors.active_directory.settings import Rules
from connectors.errors import AuthenticationFailed, ConnectorError, Rejected, Throttled, Unavailable

_MARK, _MADE_HERE = "adminDescription", b"eadm-sync"  # every class has this attribute, and nothing in Windows uses it
_LONGEST_NAME = 64  # rangeUpper of ou
_ABOUT_US = (Code.STRONGER_AUTHENTICATION_REQUIRED, Code.CONFIDENTIALITY_REQUIRED, Code.INVALID_CREDENTIALS)
# What Windows keeps for itself directly below the domain; a domain controller among people would be its end.
_RESERVED = frozenset(
    {
        *("builtin", "computers", "domain controllers", "foreignsecurityprincipals", "infrastructure", "keys"),
        *("lostandfound", "managed service accounts", "ntds quotas", "program data", "system", "tpm devices"),
        "deleted objects",
    }
)


def check(container: str, rules: Rules, base_dn: str) -> None:
    """Refuses a container that nothing is put into, whether or not it is there.

    Raises:
        Rejected: It is no distinguished name, outside what this target may touch, or Windows' own.
    """
    steps = names.parts(container)
    if any("\0" in value or not value.isprintable() for _, value in steps):
        raise Rejected("a container's name holds a control character", "container")
    if any(len(value) > _LONGEST_NAME for _, value in steps):
        raise Rejected(f"a container's name is longer than {_LONGEST_NAME} characters", "container")
    if not names.is_within(container, base_dn):
        raise Rejected(f"is not in the domain {base_dn}", "container")
    if rules.below and not any(names.is_within(container, allowed) for allowed in rules.below):
        raise Rejected(f"is in none of the containers of this target: {'; '.join(rules.below)}", "container")
    depth = len(steps) - len(names.parts(base_dn))
    if depth == 0 or steps[depth - 1][1].casefold() in _RESERVED:
        raise Rejected("is kept for the domain's own objects", "container")


@dataclass(frozen=True)
class Containers:
    """The organisational units of a domain. Chains of requests.

    Attributes:
        base_dn: Of the domain.
        create: Whether those that are missing are made.
    """

    base_dn: str
    create: bool

    def ensure(self, containers: Iterable[str]) -> Chain[Mapping[str, ConnectorError]]:
        """Makes what is missing; why a container cannot be had, by its canonical name."""
        wanted: dict[str, str] = {}
        for one in containers:
            wanted.setdefault(names.canonical(one), one)
        missing = yield from self._missing(wanted)
        if not self.create:
            return {key: Rejected("there is no such container", "container") for key in missing}
        units = {names.canonical(one): one for key in missing for one in _upwards(wanted[key], self.base_dn)}
        failed: dict[str, ConnectorError] = {}
        for key, dn in sorted(units.items(), key=lambda unit: len(names.parts(unit[1]))):
            above = names.canonical(names.parent(dn))
            error = failed[above] if above in failed else (yield from self._made(key, dn))
            if error is not None:
                failed[key] = error
        return failed

    def _missing(self, wanted: Collection[str]) -> Chain[list[str]]:
        """Those that one look does not find: all of them where nothing is asked, some that are there by other names."""
        if not wanted:
            return []
        answer = yield Search(self.base_dn, any_of(equals("distinguishedName", key) for key in wanted), ["1.1"])
        there = {names.canonical(entry.dn) for entry in entries_of(answer, "look for containers")}
        return [key for key in wanted if key not in there]

    def _made(self, key: str, dn: str) -> Chain[ConnectorError | None]:
        """Makes one, unless it is there, perhaps by another name that a domain takes for the same."""
        answer = yield Search(key, present("objectClass"), ["1.1"], Scope.BASE)
        if answer.code == Code.SUCCESS and answer.entries:
            return None
        if is_passing(answer.code, answer.text):
            entries_of(answer, "look for a container")
        type_, name = names.parts(dn)[0]
        if type_.upper() != "OU":
            return Rejected(f"there is no {type_}={name}, and only organisational units are made", "container")
        answer = yield Add(dn, {"objectClass": [b"organizationalUnit"], _MARK: [_MADE_HERE]})
        if answer.code in (Code.SUCCESS, Code.ALREADY_EXISTS):  # another part or worker was quicker
            return None
        attempt = Attempt("make an organisational unit", container=names.parent(dn), attributes=("container",))
        return outright(error_of(answer.code, answer.text, attempt), answer.code)

    def tidy(self, dn: str) -> Chain[None]:
        """Takes away what was made here and is empty now, and likewise those above.

        The server itself refuses to delete what is not empty, so that nothing can slip in between.
        """
        while names.is_within(dn, self.base_dn):
            answer = yield Search(dn, present("objectClass"), [_MARK], Scope.BASE)
            if [entry.attributes.get(_MARK) for entry in answer.entries] != [[_MADE_HERE]]:
                return
            answer = yield Delete(dn)
            if answer.code != Code.SUCCESS:
                return
            dn = names.parent(dn)


def outright(error: ConnectorError, code: int) -> ConnectorError:
    """An error about one object as an outcome has it: a right that is missing here may be there everywhere else.

    Raises:
        Unavailable, Throttled, AuthenticationFailed: The error is about the server, or about us everywhere.
    """
    if isinstance(error, AuthenticationFailed) and code not in _ABOUT_US:
        return Rejected(f"{error}: delegation ends here, or the object is protected from accidental deletion")
    if isinstance(error, (Unavailable, Throttled, AuthenticationFailed)):
        raise error
    return error


def _upwards(dn: str, base_dn: str) -> Iterable[str]:
    """A container and those above it, below the domain."""
    top = names.canonical(base_dn)
    while names.canonical(dn) != top:
        yield dn
        dn = names.parent(dn)
