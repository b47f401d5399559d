"""The run's domain controller, with a container of the test's own in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.active_directory import ActiveDirectoryOptions, ActiveDirectoryTarget, open_target
from connectors.active_directory.connection import Session
from tests.samba import BASE_DN, DomainController

Settings = Callable[..., ActiveDirectoryOptions]
NORMAL, DISABLED = "512", "514"


class Home:
    """A container of a domain, and an administrator who works in it by hand.

    Attributes:
        dn: Of the container.
        admin: A connection of bare ldap3.
    """

    def __init__(self, dn: str, admin: Any) -> None:
        self.dn = dn
        self.admin = admin
        self._tag = uuid4().hex[:7]

    def name(self, word: str) -> str:
        """An account's or a group's name, as nobody else in the domain has it."""
        return f"{word}-t-{self._tag}"

    def user(self, word: str, container: str = "", **attributes: Any) -> str:
        """The DN of a new, disabled account."""
        dn = f"CN={word},{container or self.dn}"
        every = {"sAMAccountName": self.name(word), "userAccountControl": DISABLED, **attributes}
        return self._done(self.admin.add(dn, "user", every), dn)

    def group(self, word: str, container: str = "", *members: str) -> str:
        """The DN of a new group."""
        dn = f"CN={word},{container or self.dn}"
        every: dict[str, Any] = {"sAMAccountName": self.name(word)}
        return self._done(self.admin.add(dn, "group", {**every, **({"member": list(members)} if members else {})}), dn)

    def unit(self, word: str, container: str = "") -> str:
        """The DN of a new organisational unit."""
        dn = f"OU={word},{container or self.dn}"
        return self._done(self.admin.add(dn, "organizationalUnit"), dn)

    def set(self, dn: str, **attributes: Any) -> None:
        """Replaces values; None clears."""
        changes = {name: [("MODIFY_REPLACE", [] if value is None else value)] for name, value in attributes.items()}
        self._done(self.admin.modify(dn, changes))

    def link(self, group: str, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
        """Puts into a group and takes out of it."""
        ways = (("MODIFY_ADD", list(add)), ("MODIFY_DELETE", list(remove)))
        self._done(self.admin.modify(group, {"member": [way for way in ways if way[1]]}))

    def move(self, dn: str, container: str) -> None:
        """Into another container."""
        self._done(self.admin.modify_dn(dn, dn.partition(",")[0], new_superior=container))

    def delete(self, dn: str) -> None:
        """For ever: the domain has no recycle bin."""
        self._done(self.admin.delete(dn))

    def _done(self, done: bool, dn: str = "") -> str:
        assert done, self.admin.result
        return dn


@pytest.fixture(scope="session")
def administrator(domain_controller: DomainController) -> Iterator[Any]:
    """One connection for all tests: to make one takes longer than most of what they do with it."""
    with domain_controller.administrator() as admin:
        yield admin


@pytest.fixture
def home(administrator: Any) -> Home:
    """A container of the test's own."""
    dn = f"OU={uuid4().hex},{BASE_DN}"
    assert administrator.add(dn, "organizationalUnit"), administrator.result
    return Home(dn, administrator)


@pytest.fixture(scope="session")
def settings(domain_controller: DomainController) -> Settings:
    """The settings that the domain controller asks for, and those given."""

    def made(**given: Any) -> ActiveDirectoryOptions:
        words = {
            "servers": [domain_controller.server],
            "ca_file": str(domain_controller.ca_file),
            "user": domain_controller.admin_dn,
            "password": domain_controller.admin_password,
        }
        return ActiveDirectoryOptions.model_validate({**words, **given})

    return made


@pytest.fixture
def session(settings: Settings) -> Iterator[Callable[..., Session]]:
    """Makes sessions with the settings given, and closes them."""
    with ExitStack() as stack:

        def made(*, clock: Callable[[], float] | None = None, **given: Any) -> Session:
            one = Session(settings(**given), Path("/"), **({"clock": clock} if clock else {}))
            stack.callback(one.close)
            return one

        yield made


@pytest.fixture
def target(settings: Settings, home: Home) -> Iterator[Callable[..., ActiveDirectoryTarget]]:
    """Makes targets on the test's own container, or with the settings given, and closes them."""
    with ExitStack() as stack:

        def made(**given: Any) -> ActiveDirectoryTarget:
            own = {"account_containers": [home.dn], "group_containers": [home.dn]}
            return stack.enter_context(open_target(settings(**{**own, **given}), Path("/")))

        yield made
