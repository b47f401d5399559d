"""Whether we may do what the settings ask for, told by the domain controller without anything being tried.

It computes for whoever asks which attributes of an object he may write (allowedAttributesEffective) and what he may
create in a container (allowedChildClassesEffective): [MS-ADTS] 3.1.1.4.5.20 and 3.1.1.4.5.22. Neither tells of setting
passwords and of deleting: those are found missing when they are first needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from connectors.active_directory.ber import Entry
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.reading import Reader
from connectors.contract import Kind
from connectors.errors import AuthenticationFailed, NotFound

_CREATED = {Kind.ACCOUNT: "user", Kind.GROUP: "group"}
_WRITTEN = {
    Kind.ACCOUNT: ("cn", "sAMAccountName", "displayName", "userAccountControl", "pwdLastSet", "accountExpires"),
    Kind.GROUP: ("cn", "sAMAccountName", "member"),
}
_SAMPLE = 20  # objects looked at for one that is not protected


def check(reader: Reader, options: ActiveDirectoryOptions) -> None:
    """Connects, reads each container of the settings and proves the rights there.

    Where no containers are set, rights may have been given anywhere below the domain: then only reading is proved.

    Raises:
        ConnectorError: Unavailable; AuthenticationFailed, which names every right that is missing; Rejected where the
            domain's schema lacks an attribute of the settings.
    """
    named = {Kind.ACCOUNT: options.account_containers, Kind.GROUP: options.group_containers}
    own = (options.owner_attribute, options.group_owner_attribute, *options.unique, *options.required)
    reader.require_known(dict.fromkeys((*own, *options.attributes, *options.group_attributes)))
    missing = [
        fault
        for kind in (Kind.ACCOUNT, Kind.GROUP)
        for container in reader.scope(kind).containers
        for fault in _missing(reader, kind, container, options if named[kind] else None)
    ]
    if missing:
        raise AuthenticationFailed("; ".join(dict.fromkeys(missing)))


def _missing(reader: Reader, kind: Kind, container: str, options: ActiveDirectoryOptions | None) -> Iterator[str]:
    """Rights that we have not in one container; with options, also those to write."""
    try:
        entry = reader.session.entry(container, ["objectClass", "allowedChildClassesEffective"])
    except NotFound:
        yield f"{container} is not there, or we may not read it"
        return
    sample = _unprotected(reader, kind, container)
    if options is None:
        return
    classes = [_CREATED[kind], *(["organizationalUnit"] if options.create_containers else [])]
    may_create = _lowered(entry.attributes, "allowedChildClassesEffective")
    for name in classes:
        if name.lower() not in may_create:
            yield f"the right to create {name} objects in {container} is missing"
    if sample is not None:
        may_write = _lowered(sample.attributes, "allowedAttributesEffective")
        for name in _WRITTEN[kind]:
            if name.lower() not in may_write:
                yield f"the right to write {name} of {kind}s in {container} is missing"


def _unprotected(reader: Reader, kind: Kind, container: str) -> Entry | None:
    """One object in a container that we might change, or None if there is none among the first."""
    telling = reader.telling(kind, ())
    found = reader.entries(kind, container, [*telling.attributes, "allowedAttributesEffective"])
    return next((entry for entry in islice(found, _SAMPLE) if not telling.object(entry).protected), None)


def _lowered(attributes: Mapping[str, Sequence[bytes]], name: str) -> set[str]:
    return {value.decode().lower() for value in attributes.get(name, ())}
