"""Whether we may do what the settings ask for, told by the domain controller without anything being tried.

It computes for whoever asks which attributes of an object he may write (allowedAttributesEffective) and what he may
create in a container (allowedChildClassesEffective): [MS-ADTS] 3.1.1.4.5.20 and 3.1.1.4.5.22. Neither tells of setting
passwords and of deleting: that is worked out here, of who is permitted what and of what we are (tokenGroups).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from connectors.active_directory import access
from connectors.active_directory.access import Grant
from connectors.active_directory.ber import Entry
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.reading import Reader
from connectors.active_directory.searching import Control
from connectors.contract import Kind
from connectors.errors import AuthenticationFailed, NotFound

_CREATED = {Kind.ACCOUNT: "user", Kind.GROUP: "group"}
_CLASSES = {Kind.ACCOUNT: access.USER, Kind.GROUP: access.GROUP}
_WRITTEN = {
    Kind.ACCOUNT: ("cn", "sAMAccountName", "displayName", "userAccountControl", "pwdLastSet", "accountExpires"),
    Kind.GROUP: ("cn", "sAMAccountName", "member"),
}
_SAMPLE = 20  # objects looked at for one that is not protected
_DACL_ONLY: Control = ("1.2.840.113556.1.4.801", True, bytes.fromhex("3003020104"))
"""Of a security descriptor, the list of who may do what: the rest only those may read who own the object."""


def check(reader: Reader, options: ActiveDirectoryOptions) -> str | None:
    """Connects, reads each container of the settings and proves the rights there.

    Where no containers are set, rights may have been given anywhere below the domain: then only reading is proved.

    Returns:
        What could not be proved, for an operator, or None.

    Raises:
        ConnectorError: Unavailable; AuthenticationFailed, which names every right that is missing; Rejected where the
            domain's schema lacks an attribute of the settings.
    """
    named = {Kind.ACCOUNT: options.account_containers, Kind.GROUP: options.group_containers}
    own = (options.owner_attribute, options.group_owner_attribute, *options.unique, *options.required)
    reader.require_known(dict.fromkeys((*own, *options.attributes, *options.group_attributes)))
    proof = _Proof(reader, options, reader.session.domain.token)
    for kind in (Kind.ACCOUNT, Kind.GROUP):
        for container in reader.scope(kind).containers:
            proof.container(kind, container, writing=bool(named[kind]))
        if not named[kind]:
            proof.unproved.append(f"`{kind}_containers` names none, so that only reading {kind}s was proved")
    if proof.missing:
        raise AuthenticationFailed("; ".join(dict.fromkeys(proof.missing)))
    return "; ".join(dict.fromkeys(proof.unproved)) or None


@dataclass
class _Proof:
    """Collects what is missing, and what nobody can tell."""

    reader: Reader
    options: ActiveDirectoryOptions
    token: Collection[bytes]
    missing: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)

    def container(self, kind: Kind, container: str, *, writing: bool) -> None:
        """Looks at one container: whether it can be read, and if need be written."""
        wanted = ["objectClass", "allowedChildClassesEffective", "nTSecurityDescriptor"]
        try:
            entry = self.reader.session.entry(container, wanted, [_DACL_ONLY])
        except NotFound:
            self.missing.append(f"{container} is not there, or we may not read it")
            return
        sample = self._sample(kind, container)
        if not writing:
            return
        classes = [_CREATED[kind], *(["organizationalUnit"] if self.options.create_containers else [])]
        may_create = _lowered(entry.attributes, "allowedChildClassesEffective")
        self._lack(f"create {name} objects in {container}" for name in classes if name.lower() not in may_create)
        if sample is not None:
            may_write = _lowered(sample.attributes, "allowedAttributesEffective")
            lacking = (name for name in _WRITTEN[kind] if name.lower() not in may_write)
            self._lack(f"write {name} of {kind}s in {container}" for name in lacking)
        self._permitted(kind, container, entry, sample)

    def _permitted(self, kind: Kind, container: str, entry: Entry, sample: Entry | None) -> None:
        """Whether we may delete, and reset passwords: of an object that is there, or else of one that would be."""
        above = _grants(entry)
        here = _grants(sample) if sample is not None else above and access.passed_on(above, _CLASSES[kind])
        if above is None or here is None or not self.token:
            what = "resetting passwords and deleting" if kind is Kind.ACCOUNT else "deleting"
            self.unproved.append(f"{what} {kind}s in {container}: we may not read who is permitted to")
            return
        deleting = self._may(here, access.DELETE) or self._may(above, access.DELETE_CHILD, _CLASSES[kind])
        resetting = kind is not Kind.ACCOUNT or self._may(here, access.CONTROL_ACCESS, access.RESET_PASSWORD)
        self._lack([f"reset passwords of accounts in {container}"] * (not resetting))
        self._lack([f"delete {kind}s in {container}"] * (not deleting))

    def _may(self, grants: Sequence[Grant], right: int, type_: UUID | None = None) -> bool:
        return access.may(grants, self.token, right, type_)

    def _lack(self, rights: Iterable[str]) -> None:
        self.missing += [f"the right to {right} is missing" for right in rights]

    def _sample(self, kind: Kind, container: str) -> Entry | None:
        """One object in a container that we might change, or None if there is none among the first."""
        telling = self.reader.telling(kind, ())
        found = self.reader.entries(kind, container, telling.attributes)
        dn = next((one.dn for one in islice(found, _SAMPLE) if not telling.object(one).protected), None)
        if dn is None:
            return None
        return self.reader.session.entry(dn, ["allowedAttributesEffective", "nTSecurityDescriptor"], [_DACL_ONLY])


def _grants(entry: Entry) -> list[Grant] | None:
    """Who may do what to an object; None where we may not read that."""
    descriptor = entry.attributes.get("nTSecurityDescriptor")
    return access.grants(descriptor[0]) if descriptor else None


def _lowered(attributes: Mapping[str, Sequence[bytes]], name: str) -> set[str]:
    return {value.decode().lower() for value in attributes.get(name, ())}
