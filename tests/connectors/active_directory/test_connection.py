"""Connections to domain controllers: secured, signed in, kept, and made anew."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.active_directory import ActiveDirectoryOptions, connection
from connectors.active_directory.connection import Session
from connectors.errors import AuthenticationFailed, NotFound, Unavailable
from tests.samba import BASE_DN, DomainController
from tests.services.samba.certificates import write_certificates
from tests.services.samba.windows import WindowsLimits

Sessions = Callable[..., Session]


def nobody(controller: DomainController) -> str:
    """A server on which nobody listens."""
    with socket.create_server((controller.address, 0)) as listener:
        return f"{controller.address}:{listener.getsockname()[1]}"


@pytest.mark.parametrize("encryption", ["tls", "start_tls"])
def test_a_session_is_encrypted_before_anything_is_said(
    session: Sessions, domain_controller: DomainController, encryption: str
) -> None:
    """In either way, and knows whom it talks to."""
    server = domain_controller.server if encryption == "tls" else domain_controller.plain_server
    one = session(servers=[server], encryption=encryption)
    assert one.domain.base_dn == BASE_DN
    assert one.domain.host == "dc1.eadm.test"
    assert one.connection.socket.version() in ("TLSv1.2", "TLSv1.3")


def test_the_password_does_not_pass_in_clear(session: Sessions, domain_controller: DomainController) -> None:
    """Where the domain controller does not encrypt, nothing is said: a server without TLS gets not one byte of it."""
    heard = b""
    with socket.create_server((domain_controller.address, 0)) as listener:
        listener.settimeout(10)
        server = f"{domain_controller.address}:{listener.getsockname()[1]}"
        one = session(servers=[server], encryption="start_tls", answer_timeout_seconds=1)
        with pytest.raises(Unavailable):
            _ = one.connection
        client, _ = listener.accept()
        with client:
            heard = client.recv(10_000)
    assert b"1.3.6.1.4.1.1466.20037" in heard  # StartTLS
    assert domain_controller.admin_password.encode() not in heard


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"password": "wrong"}, "the name or the password is wrong"),
        ({"user": "nobody@eadm.test"}, "the name or the password is wrong"),
        ({"ca_file": None}, "not trusted by the system"),
        ({"ca_file": "/etc/passwd"}, "cannot be read as certificates"),
        ({"ca_file": "/no/such/file"}, "cannot be read as certificates"),
    ],
)
def test_what_only_an_administrator_can_mend_is_told_apart(
    session: Sessions, domain_controller: DomainController, given: dict[str, Any], says: str
) -> None:
    """It is no use to try again; no secret is in what is said."""
    with pytest.raises(AuthenticationFailed, match=says) as caught:
        _ = session(**given).connection
    assert domain_controller.admin_password not in str(caught.value)


def test_another_servers_certificate_is_refused(
    session: Sessions, domain_controller: DomainController, tmp_path: Path
) -> None:
    """One from the right authority but for another address is somebody else's."""
    port = domain_controller.server.rpartition(":")[2]
    with (
        WindowsLimits(domain_controller, address="127.0.0.1") as elsewhere,
        pytest.raises(AuthenticationFailed, match=r"not valid for '127\.0\.0\.1'"),
    ):
        _ = session(servers=[elsewhere.server]).connection
    write_certificates(tmp_path, "dc1.eadm.test", domain_controller.address)
    with pytest.raises(AuthenticationFailed, match=r"is not trusted"):
        _ = session(servers=[f"{domain_controller.address}:{port}"], ca_file=str(tmp_path / "ca.pem")).connection


def test_the_next_domain_controller_is_taken_when_one_is_down(
    session: Sessions, domain_controller: DomainController
) -> None:
    """In the order of the settings; the one that answered is kept and tried first from then on."""
    down = nobody(domain_controller)
    one = session(servers=[down, domain_controller.server])
    first = one.connection
    assert one.connection is first
    one.close()
    assert one.connection is not first
    with pytest.raises(Unavailable, match=down):
        _ = session(servers=[down]).connection


def test_a_wrong_password_is_tried_once(session: Sessions, domain_controller: DomainController) -> None:
    """At every domain controller it would lock the account."""
    with WindowsLimits(domain_controller) as second:
        one = session(servers=[domain_controller.server, second.server], password="wrong")
        with pytest.raises(AuthenticationFailed):
            _ = one.connection
        assert second.connections == 0


def test_a_connection_that_was_dropped_while_idle_is_made_anew(
    session: Sessions, domain_controller: DomainController
) -> None:
    """Firewalls forget them without a word; who has been away for a minute looks first."""
    now = [0.0]
    with WindowsLimits(domain_controller) as relay:
        one = session(servers=[relay.server], clock=lambda: now[0])
        first = one.connection
        relay.break_off()
        now[0] += 61
        assert one.entry(BASE_DN, ["dc"]).attributes["dc"] == [b"eadm"]
        assert one.connection is not first


def test_a_connection_that_breaks_at_work_is_unavailable_once(
    session: Sessions, domain_controller: DomainController
) -> None:
    """Whoever asked is told; the next one gets a new connection."""
    with WindowsLimits(domain_controller) as relay:
        one = session(servers=[relay.server])
        assert one.domain.base_dn == BASE_DN
        relay.break_off()
        with pytest.raises(Unavailable):
            one.entry(BASE_DN, ["dc"])
        assert one.entry(BASE_DN, ["dc"]).attributes["dc"] == [b"eadm"]


def test_an_answer_that_does_not_come_is_unavailable(session: Sessions, domain_controller: DomainController) -> None:
    """A domain controller that hangs does not hang us."""
    with WindowsLimits(domain_controller) as relay:
        one = session(servers=[relay.server], answer_timeout_seconds=5)
        assert one.domain.base_dn == BASE_DN
        relay.silent = True
        with pytest.raises(Unavailable):
            one.entry(BASE_DN, ["dc"])


def test_a_session_that_was_signed_out_signs_in_anew(session: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows says so when a ticket has run out; the connection stands, and would be refused for ever."""
    one = session()
    first = one.connection
    refused = [], {"result": 1, "message": "000004DC: LdapErr: a successful bind must be completed"}
    with monkeypatch.context() as patch:  # no server at hand can be brought to say it
        patch.setattr(connection, "search", lambda *_: refused)
        with pytest.raises(Unavailable, match="signed our user out"):
            one.entry(BASE_DN, ["dc"])
    assert one.entry(BASE_DN, ["dc"]).attributes["dc"] == [b"eadm"]
    assert one.connection is not first


def test_a_restarted_domain_controller_is_found_again(lone_domain_controller: DomainController, tmp_path: Path) -> None:
    """While it is down it is unavailable; behind that everything is as it was."""
    controller = lone_domain_controller
    options = ActiveDirectoryOptions(
        servers=(controller.server,),
        ca_file=str(controller.ca_file),
        user=controller.admin_dn,
        password=controller.admin_password,
    )
    one = Session(options, tmp_path)
    before = one.domain
    controller.stop()
    for _ in range(2):
        with pytest.raises(Unavailable):
            one.entry(BASE_DN, ["dc"])
    controller.start()
    assert one.domain == before
    one.close()


def test_what_is_not_there_is_not_found(session: Sessions) -> None:
    """By name and by GUID."""
    one = session()
    for dn in (f"OU=Ingensteds,{BASE_DN}", "<GUID=00000000-0000-4000-8000-000000000000>"):
        with pytest.raises(NotFound):
            one.entry(dn, ["objectGUID"])


def test_the_domains_password_policy_is_read(session: Sessions) -> None:
    """Samba's own, as the domain was made with."""
    policy = session().password_policy
    assert (policy.min_length, policy.complexity, policy.history) == (7, True, 24)


def test_a_session_can_be_closed_twice(session: Sessions) -> None:
    """Also one that was never used."""
    one = session()
    one.close()
    _ = one.connection
    one.close()
    one.close()
