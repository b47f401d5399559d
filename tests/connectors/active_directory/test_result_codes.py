"""What a real domain controller answers when it refuses, and what becomes of it.

The rows are those of Samba; where Windows answers with another code, `test_errors.py` has that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import ldap3
import pytest

from connectors.active_directory import ActiveDirectoryOptions
from connectors.active_directory.ber import Add, Answer, Change, Delete, How, Modify, Move, Request
from connectors.active_directory.connection import Session
from connectors.active_directory.errors import Attempt, error_of
from connectors.active_directory.pipeline import Pipeline
from connectors.errors import AlreadyExists, ConnectorError, NotFound, Rejected
from tests.samba import DomainController


@dataclass
class Place:
    """Where requests go wrong: an account and a group in a container.

    Attributes:
        pipeline: To the domain controller.
        container: DN of the container.
        name: Of the account.
    """

    pipeline: Pipeline
    container: str
    name: str

    @property
    def user(self) -> str:
        """DN of the account."""
        return f"CN={self.name},{self.container}"

    @property
    def group(self) -> str:
        """DN of the group; the account is in it."""
        return f"CN=g{self.name},{self.container}"

    def new(self, cn: str = "", **attributes: str) -> Request:
        """The creation of another account."""
        name = uuid4().hex[:16]
        every = {"objectClass": "user", "sAMAccountName": name, "userAccountControl": "514", **attributes}
        return Add(f"CN={cn or name},{self.container}", {key: [value.encode()] for key, value in every.items()})

    def modify(self, how: How, attribute: str, *values: str | bytes, dn: str = "") -> Request:
        """A change of the account, or of what the DN names."""
        raw = [value if isinstance(value, bytes) else value.encode() for value in values]
        return Modify(dn or self.user, [Change(how, attribute, raw)])


@pytest.fixture(scope="module")
def place(domain_controller: DomainController, settings: Callable[[], ActiveDirectoryOptions]) -> Iterator[Place]:
    """A container with an account and a group."""
    session = Session(settings(), Path())
    here = Place(Pipeline(session.connection), domain_controller.new_container(), f"u{uuid4().hex[:12]}")
    setup = [
        here.new(here.name, sAMAccountName=here.name, userPrincipalName=f"{here.name}@x.no", title="before"),
        Add(here.group, {"objectClass": [b"group"], "sAMAccountName": [f"g{here.name}".encode()]}),
        here.modify(How.ADD, "member", here.user, dn=here.group),
    ]
    assert [here.pipeline.ask(one).code for one in setup] == [0, 0, 0]
    yield here
    session.close()


Case = Callable[[Place], Request]
QUOTED = '"{}"'
ROWS: list[tuple[str, Case, int, type[ConnectorError]]] = [
    ("an existing DN", lambda at: at.new(at.name), 68, AlreadyExists),
    ("a taken sAMAccountName", lambda at: at.new(sAMAccountName=at.name.upper()), 68, AlreadyExists),
    ("a taken userPrincipalName", lambda at: at.new(userPrincipalName=f"{at.name}@X.no"), 19, Rejected),
    (
        "a weak password",
        lambda at: at.modify(How.REPLACE, "unicodePwd", QUOTED.format("kort").encode("utf-16-le")),
        19,
        Rejected,
    ),
    (
        "a password without quotes",
        lambda at: at.modify(How.REPLACE, "unicodePwd", "Gul-Hest7-hopper".encode("utf-16-le")),
        53,
        Rejected,
    ),
    ("a password in UTF-8", lambda at: at.modify(How.REPLACE, "unicodePwd", QUOTED.format("Gul-Hest7")), 53, Rejected),
    ("a member who is in", lambda at: at.modify(How.ADD, "member", at.user, dn=at.group), 68, AlreadyExists),
    ("a member who is out", lambda at: at.modify(How.DELETE, "member", at.group, dn=at.group), 53, Rejected),
    (
        "a member who is not there",
        lambda at: at.modify(How.ADD, "member", f"CN=no,{at.container}", dn=at.group),
        32,
        NotFound,
    ),
    ("an attribute that is not set", lambda at: at.modify(How.DELETE, "department"), 16, Rejected),
    ("another value than there is", lambda at: at.modify(How.DELETE, "title", "other"), 16, Rejected),
    ("an attribute nobody knows", lambda at: at.modify(How.REPLACE, "noSuchAttribute", "x"), 16, Rejected),
    ("an attribute of another class", lambda at: at.modify(How.REPLACE, "givenName", "x", dn=at.group), 65, Rejected),
    ("a value that is too long", lambda at: at.modify(How.REPLACE, "initials", "1234567"), 21, Rejected),
    ("a value of another type", lambda at: at.modify(How.REPLACE, "countryCode", "x"), 21, Rejected),
    (
        "a creation in no container",
        lambda at: Add(f"CN=a,OU=no,{at.container}", {"objectClass": [b"user"]}),
        32,
        NotFound,
    ),
    ("a move to no container", lambda at: Move(at.user, f"CN={at.name}", f"OU=no,{at.container}"), 80, Rejected),
    ("what is not empty", lambda at: Delete(at.container), 66, Rejected),
    ("a CN that is not renamed but changed", lambda at: at.modify(How.REPLACE, "cn", "x"), 67, Rejected),
    ("an odd pwdLastSet", lambda at: at.modify(How.REPLACE, "pwdLastSet", "5"), 80, Rejected),
    ("what is not there", lambda at: Delete(f"CN=no,{at.container}"), 32, NotFound),
    ("an object of no class", lambda at: Add(f"CN=a,{at.container}", {"objectClass": [b"noSuchClass"]}), 16, Rejected),
]


@pytest.mark.parametrize(("refused", "code", "error"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_is_refused_says_why(place: Place, refused: Case, code: int, error: type[ConnectorError]) -> None:
    """The code is the one that was met before; the error is the contract's, and nothing is changed."""
    answer: Answer = place.pipeline.ask(refused(place))
    assert answer.code == code, answer.text
    assert type(error_of(answer.code, answer.text, Attempt("do it", attributes=("title", "x")))) is error


def test_a_modify_is_done_wholly_or_not_at_all(place: Place) -> None:
    """One bad member keeps a good change from happening."""
    changes = [
        Change(How.REPLACE, "description", [b"x"]),
        Change(How.ADD, "member", [b"CN=no," + place.container.encode()]),
    ]
    assert place.pipeline.ask(Modify(place.group, changes)).code == 32
    assert place.pipeline.ask(place.modify(How.DELETE, "description", dn=place.group)).code == 16


def test_without_encryption_nobody_signs_in(domain_controller: DomainController) -> None:
    """The domain controller asks for it itself (result 8)."""
    host, _, port = domain_controller.plain_server.rpartition(":")
    server = ldap3.Server(host, int(port), get_info=ldap3.NONE)
    connection = ldap3.Connection(server, domain_controller.admin_dn, domain_controller.admin_password)
    assert not connection.bind()
    assert connection.result["result"] == 8
    connection.unbind()
