"""What in a target is never changed, by its name, its place, or its membership. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

from eadm_sync.config.settings import ProtectedSettings

BY_TARGET = "the target protects it"
"""Why something is protected that the target itself says is (`RemoteObject.protected`)."""

_Pattern = tuple[str, re.Pattern[str]]


@dataclass(frozen=True)
class Protection:
    """What the configuration protects in one target.

    Attributes:
        containers: Accounts and groups in these, or below them, are protected.
        account_names: (as it was written, what matches) of account names.
        group_names: Likewise of group names; with such a group, the accounts in it are protected.
    """

    containers: tuple[str, ...] = ()
    account_names: tuple[_Pattern, ...] = field(default=(), repr=False)
    group_names: tuple[_Pattern, ...] = field(default=(), repr=False)

    @staticmethod
    def of(settings: ProtectedSettings) -> Protection:
        """That of a target's settings."""
        return Protection(settings.containers, _patterns(settings.accounts), _patterns(settings.groups))

    @property
    def is_set(self) -> bool:
        """Whether anything is protected by it."""
        return bool(self.containers or self.account_names or self.group_names)

    def account(self, name: object, container: str | None, groups: Collection[str] = ()) -> str | None:
        """Why an account is protected, by its name, its container or the names of the groups it is in; or None."""
        return (
            self._by_name("the name", name, self.account_names)
            or self._by_container(container)
            or next((f"it is in {why}" for group in sorted(groups) if (why := self._group_named(group))), None)
        )

    def group(self, names: Collection[object], container: str | None = None) -> str | None:
        """Why a group that is known by some names is protected, or None."""
        return next(
            (why for name in names if (why := self._by_name("the name", name, self.group_names))), None
        ) or self._by_container(container)

    def _group_named(self, name: str) -> str | None:
        return self._by_name("the group", name, self.group_names)

    def _by_container(self, container: str | None) -> str | None:
        found = next((one for one in self.containers if is_within(container, one)), None)
        return None if found is None else f"the container {found} is protected"

    @staticmethod
    def _by_name(what: str, name: object, patterns: Sequence[_Pattern]) -> str | None:
        text = name.casefold() if isinstance(name, str) else ""
        found = next((written for written, pattern in patterns if text and pattern.match(text)), None)
        return None if found is None else f"{what} {found} is protected"


def is_within(container: str | None, outer: str) -> bool:
    """Whether a container is another one, or below it: "OU=b,OU=a" is below "OU=a", and "/a/b" below "/a"."""
    if container is None:
        return False
    inner, whole = _normal(container), _normal(outer)
    return inner == whole or inner.endswith(f",{whole}") or inner.startswith(f"{whole}/") or whole == ""


def is_same_container(one: str | None, other: str | None) -> bool:
    """Whether two containers are one: targets spell them in their own way, "ou=staff, dc=a" for "OU=Staff,DC=a"."""
    return one == other or (one is not None and other is not None and _normal(one) == _normal(other))


def _normal(container: str) -> str:
    """As directories compare them: without case, blanks beside commas, or a slash at the end."""
    return ",".join(part.strip() for part in container.casefold().split(",")).rstrip("/")


def _patterns(written: Sequence[str]) -> tuple[_Pattern, ...]:
    return tuple((one, re.compile(translate(one.casefold()))) for one in written)
