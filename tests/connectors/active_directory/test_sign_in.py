"""Ways to sign in beside name and password."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.active_directory import ActiveDirectoryTarget, connection
from connectors.active_directory.connection import Session
from connectors.contract import Kind, RemoteObject
from connectors.errors import AuthenticationFailed, Unavailable
from tests.connectors.active_directory.conftest import NORMAL, Home
from tests.samba import REALM, DomainController

PASSWORD = "Tjeneste-konto.1"
BY_NTLM = {"authentication": "ntlm", "user": "EADM\\Administrator"}
BY_TICKET = {"authentication": "kerberos", "user": "", "password": ""}


@pytest.fixture
def kerberos(domain_controller: DomainController, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kerberos' configuration, which knows the domain; there is no ticket."""
    configuration = tmp_path / "krb5.conf"
    configuration.write_text(domain_controller.kerberos)
    monkeypatch.setenv("KRB5_CONFIG", str(configuration))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'tickets'}")
    return configuration


@pytest.fixture
def gssapi(kerberos: Path) -> Any:
    """The package, which is built on the machine that it is installed on."""
    reason = "to test Kerberos: apt-get install gcc libkrb5-dev python3-dev, then pip install eadm-sync[kerberos]"
    return pytest.importorskip("gssapi", reason=f"{reason} ({kerberos.name})")


@pytest.fixture
def service(home: Home, gssapi: Any, tmp_path: Path) -> str:
    """The name of an account for which there is a ticket; it has no principal name."""
    password = f'"{PASSWORD}"'.encode("utf-16-le")
    home.user("svc", unicodePwd=password, userAccountControl=NORMAL)
    name = home.name("svc")
    principal = gssapi.Name(f"{name}@{REALM}", gssapi.NameType.kerberos_principal)
    ticket = gssapi.raw.acquire_cred_with_password(principal, PASSWORD.encode(), usage="initiate").creds
    place = {b"ccache": f"FILE:{tmp_path / 'tickets'}".encode()}
    gssapi.raw.store_cred_into(place, ticket, usage="initiate", overwrite=True)
    return name


def test_a_ticket_signs_in(target: Callable[..., ActiveDirectoryTarget], home: Home, service: str) -> None:
    """The settings know the domain controller by its address; who we are it tells, and that account is protected."""
    home.user("ase")
    found = [one for one in target(**BY_TICKET).read(Kind.ACCOUNT) if isinstance(one, RemoteObject)]
    protected = {one.attributes["sAMAccountName"]: one.protected for one in found}
    assert protected == {service: True, home.name("ase"): False}


@pytest.mark.usefixtures("gssapi")
def test_without_a_ticket_it_is_said(session: Callable[..., Session]) -> None:
    """An administrator has to get one: to try again is no use."""
    with pytest.raises(AuthenticationFailed, match=r"Kerberos does not sign us in: .*(credentials|cache)"):
        _ = session(**BY_TICKET).connection


@pytest.mark.usefixtures("service")
def test_a_kerberos_server_that_is_down_is_unavailable(
    session: Callable[..., Session], kerberos: Path, domain_controller: DomainController
) -> None:
    """It will be back."""
    kerberos.write_text(domain_controller.kerberos.replace(f":{domain_controller.ports[2]}\n", ":1\n"))
    with pytest.raises(Unavailable, match="no Kerberos server of the domain can be reached"):
        _ = session(**BY_TICKET).connection


def test_kerberos_says_what_it_needs(session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package there is a sentence in place of a trace."""
    monkeypatch.delitem(sys.modules, "ldap3.protocol.sasl.kerberos", raising=False)
    for package in ("gssapi", "winkerberos"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(AuthenticationFailed, match=r"install eadm-sync\[kerberos\]"):
        _ = session(**BY_TICKET).connection


def test_ntlm_needs_a_digest_that_not_every_system_has(
    session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL 3 has no MD4 unless it is asked for."""

    def refused(name: str, **_: bool) -> None:
        raise ValueError(name)

    monkeypatch.setattr(connection, "find_spec", lambda _: None)
    monkeypatch.setattr(hashlib, "new", refused)
    with pytest.raises(AuthenticationFailed, match="no longer offers what NTLM needs"):
        _ = session(**BY_NTLM).connection


def test_a_server_that_does_not_take_ntlm_is_not_one_that_is_away(
    session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samba ends the session before any digest is asked for: to try again is no use."""
    monkeypatch.setattr(connection, "_offers_md4", lambda: True)
    with pytest.raises(AuthenticationFailed, match="takes no NTLM in this way: use `simple` or `kerberos`"):
        _ = session(**BY_NTLM).connection
