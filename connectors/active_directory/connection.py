"""A connection to one of several domain controllers: secured, signed in, kept, and made anew when it broke.

One domain controller is used for as long as it answers, so that what was written is what is read next; another may
not have been told yet.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPPackageUnavailableError, LDAPSessionTerminatedByServerError

from connectors.active_directory.ber import Entry
from connectors.active_directory.errors import Attempt, Code, PasswordPolicy, error_of, is_signed_out, sign_in_failed
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.searching import Control, search
from connectors.errors import AuthenticationFailed, ConnectorError, Unavailable

_PORTS = {"tls": 636, "start_tls": 389}
_IDLE_SECONDS = 60  # firewalls forget connections after minutes; a look whether this one stands costs a millisecond
_KDC_UNREACHABLE = 2529639068  # KRB5_KDC_UNREACH of MIT Kerberos (krb5.h), unsigned
_COMPLEXITY = 1  # pwdProperties: DOMAIN_PASSWORD_COMPLEX, [MS-SAMR] 2.2.3.9


@dataclass(frozen=True)
class Domain:
    """What the domain controller in use says of itself.

    Attributes:
        base_dn: Of the domain.
        host: The domain controller's own name.
        invocation_id: Of its database: another one after it was restored. Numbers of changes count for it only.
        schema_dn: Where the schema is.
        token: SIDs of whom we signed in as and of all groups he is in; none where it does not tell.
    """

    base_dn: str
    host: str
    invocation_id: str
    schema_dn: str
    token: frozenset[bytes]


class Session:
    """A connection that is made when it is first needed. One thread at a time."""

    def __init__(
        self, options: ActiveDirectoryOptions, folder: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """A relative `ca_file` is relative to `folder`; `clock` gives seconds. Touches nothing."""
        self._options = options
        self._ca_file = folder / options.ca_file if options.ca_file else None
        self._clock = clock
        self._connection: Any = None
        self._used_at = 0.0
        self._servers = list(options.servers)

    @property
    def connection(self) -> Any:
        """The ldap3 connection in use, bound and secured; made, or made anew, if need be.

        Raises:
            Unavailable: No domain controller can be reached.
            AuthenticationFailed: One does not let us in, or its certificate is not trusted.
        """
        idle = self._clock() - self._used_at > _IDLE_SECONDS
        if self._connection is not None and (self._connection.closed or (idle and not self._stands())):
            self.close()
        if self._connection is None:
            self._connection = self._connected()
        self._used_at = self._clock()
        return self._connection

    @cached_property
    def domain(self) -> Domain:
        """What the domain controller in use says of itself; asked anew after a reconnect.

        Raises:
            ConnectorError: As `connection`.
        """
        names = ["defaultNamingContext", "dnsHostName", "schemaNamingContext", "dsServiceName", "tokenGroups"]
        root = self.entry("", names)
        service = _text(root, "dsServiceName")
        settings = self.entry(service, ["invocationId"])
        return Domain(
            base_dn=self._options.base_dn or _text(root, "defaultNamingContext"),
            host=_text(root, "dnsHostName"),
            invocation_id=settings.attributes["invocationId"][0].hex(),
            schema_dn=_text(root, "schemaNamingContext"),
            token=frozenset(root.attributes.get("tokenGroups", ())),
        )

    @cached_property
    def password_policy(self) -> PasswordPolicy:
        """What the domain asks of passwords.

        Raises:
            ConnectorError: As `connection`.
        """
        names = ["minPwdLength", "pwdProperties", "pwdHistoryLength"]
        entry = self.entry(self.domain.base_dn, names)
        length, properties, history = (int(entry.attributes.get(name, [b"0"])[0]) for name in names)
        return PasswordPolicy(length, bool(properties & _COMPLEXITY), history)

    def entry(self, dn: str, attributes: Sequence[str], controls: Sequence[Control] = ()) -> Entry:
        """One object, by its DN or "<GUID=…>".

        Raises:
            NotFound: It is not there, or we may not see it.
            ConnectorError: As `connection`.
        """
        attempt = Attempt(f"read {dn}" if dn else "read what the domain controller says of itself", anchor=dn)
        found = self._search(dn, "(objectClass=*)", ldap3.BASE, attributes, controls, attempt)
        if not found:
            raise error_of(Code.NO_SUCH_OBJECT, "", attempt)
        return found[0]

    def pages(
        self,
        base: str,
        filter_: str,
        attributes: Sequence[str],
        controls: Sequence[Control] = (),
    ) -> Iterator[Entry]:
        """All objects below (and including) one that a filter fits, page by page.

        Raises:
            ConnectorError: As `connection`; AuthenticationFailed where we may not look there.
        """
        attempt = Attempt("read", container=base)
        cookie: bytes | None = b""
        connection = self.connection  # a page is known to the connection that asked for the one before
        while cookie is not None:
            paging = ldap3.protocol.rfc2696.paged_search_control(False, self._options.page_size, cookie or None)
            found, result = self._ask(connection, base, filter_, ldap3.SUBTREE, attributes, [*controls, paging])
            _require(result, attempt)
            yield from found
            cookie = _cookie(result) or None

    def controlled(
        self, base: str, filter_: str, attributes: Sequence[str], controls: Sequence[Any]
    ) -> tuple[list[Entry], Mapping[str, Any]]:
        """One search below an object, not paged, and the values of the controls in its answer, by OID.

        Raises:
            ConnectorError: As `pages`; Rejected where a control or its value is not taken.
        """
        found, result = self._ask(self.connection, base, filter_, ldap3.SUBTREE, attributes, controls)
        _require(result, Attempt("read", container=base))
        return found, {oid: one["value"] for oid, one in result.get("controls", {}).items()}

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turns what ldap3 raises within into the contract's errors; gives a broken connection up.

        Raises:
            Unavailable: The connection broke, or an answer took too long.
        """
        try:
            yield
        except (LDAPException, OSError) as error:
            self.close()
            raise Unavailable(f"the connection to the domain controller broke: {type(error).__name__}") from error

    def close(self) -> None:
        """Lets go of the connection; safe to call twice."""
        connection, self._connection = self._connection, None
        for name in ("domain", "password_policy"):
            self.__dict__.pop(name, None)
        if connection is not None:
            _drop(connection)

    def _search(
        self,
        base: str,
        filter_: str,
        scope: str,
        attributes: Sequence[str],
        controls: Sequence[Control],
        attempt: Attempt,
    ) -> list[Entry]:
        found, result = self._ask(self.connection, base, filter_, scope, attributes, controls)
        _require(result, attempt)
        return found

    def _ask(
        self,
        connection: Any,
        base: str,
        filter_: str,
        scope: str,
        attributes: Sequence[str],
        controls: Sequence[Any],
    ) -> tuple[list[Entry], Mapping[str, Any]]:
        with self.translated():
            found = search(connection, base, filter_, scope, attributes, controls)
        if is_signed_out(found[1]["message"]):
            self.close()
            raise Unavailable("the domain controller has signed our user out")
        self._used_at = self._clock()
        return found

    def _stands(self) -> bool:
        """Whether the connection still does; asks the domain controller for nothing."""
        try:
            done, *_ = self._connection.search("", "(objectClass=*)", ldap3.BASE, attributes=["1.1"])
        except (LDAPException, OSError):
            return False
        return bool(done)

    def _connected(self) -> Any:
        """A connection to the first domain controller that answers; that one is tried first the next time.

        One that does not let us in ends the search: to try everywhere with a wrong password locks an account.
        """
        failed: list[ConnectorError] = []
        for server in list(self._servers):
            try:
                connection = _Opening(self._options, server, self._ca_file).connection()
            except Unavailable as error:
                failed.append(error)
            else:
                self._servers.sort(key=lambda one: one != server)
                return connection
        reasons = "; ".join(map(str, failed))
        if all(isinstance(error, NotTrusted) for error in failed):
            raise AuthenticationFailed(reasons)
        raise Unavailable(reasons)


class NotTrusted(Unavailable):
    """A server's certificate is not good: as if it was not there, unless none is."""


class _Tls(ldap3.Tls):  # type: ignore[misc]  # ldap3 has no types
    """TLS as Python's own defaults have it: ldap3's neither sends the server's name nor knows IP addresses."""

    def __init__(self, ca_file: Path | None) -> None:
        super().__init__()  # its own checks stay off: the context does all of them, while hands are shaken
        self._context = ssl.create_default_context(cafile=ca_file)
        self.fault: str | None = None

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002 - always, and at once
        """Secures a connection's socket.

        Raises:
            ssl.SSLError: The server's certificate is not trusted, is another's, or there is no common protocol.
        """
        try:
            connection.socket = self._context.wrap_socket(connection.socket, server_hostname=connection.server.host)
        except ssl.SSLCertVerificationError as error:
            self.fault = error.verify_message
            raise


@dataclass(frozen=True)
class _Opening:
    """One attempt to connect to one domain controller."""

    options: ActiveDirectoryOptions
    server: str
    ca_file: Path | None

    def connection(self) -> Any:
        """A secured and bound connection.

        Raises:
            Unavailable: It cannot be reached, or its certificate is not good (NotTrusted).
            AuthenticationFailed: It does not let us in.
        """
        if self.options.authentication == "ntlm" and not _offers_md4():
            raise AuthenticationFailed("this system no longer offers what NTLM needs (MD4): use `simple` or `kerberos`")
        tls = self._tls()
        connection = self._unconnected(tls)
        try:
            connection.open(read_server_info=False)
            if self.options.encryption == "start_tls":
                connection.start_tls(read_server_info=False)
            if self.options.authentication == "kerberos":
                connection.sasl_credentials = (_own_name(connection),)
            done, result, *_ = connection.bind(read_server_info=False)
        except LDAPPackageUnavailableError as error:
            _drop(connection)
            raise AuthenticationFailed(
                "`authentication: kerberos` needs packages: install eadm-sync[kerberos]"
            ) from error
        except (LDAPException, OSError, ValueError) as error:
            _drop(connection)
            if tls.fault:
                trust = "the certificates of `ca_file`" if self.ca_file else "the system"
                raise NotTrusted(f"{self.server}: its certificate is not trusted by {trust}: {tls.fault}") from error
            raise self._failed(error) from error
        except self._of_kerberos() as error:
            _drop(connection)
            raise self._no_ticket(error) from error
        if not done:
            _drop(connection)
            raise self._not_let_in(result)
        return connection

    def _unconnected(self, tls: _Tls) -> Any:
        host, _, port = self.server.rpartition(":") if self.server.count(":") == 1 else (self.server, "", "")
        server = ldap3.Server(
            host,
            int(port) if port else _PORTS[self.options.encryption],
            use_ssl=self.options.encryption == "tls",
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=self.options.connect_timeout_seconds,
        )
        return ldap3.Connection(
            server,
            client_strategy=ldap3.SAFE_SYNC,
            auto_referrals=False,
            auto_range=False,
            check_names=False,
            return_empty_attributes=False,
            receive_timeout=self.options.answer_timeout_seconds,
            **self._credentials(),
        )

    def _credentials(self) -> dict[str, Any]:
        if self.options.authentication == "kerberos":
            return {"authentication": ldap3.SASL, "sasl_mechanism": ldap3.KERBEROS}
        way = ldap3.NTLM if self.options.authentication == "ntlm" else ldap3.SIMPLE
        return {
            "authentication": way,
            "user": self.options.user,
            "password": self.options.password.get_secret_value(),
        }

    def _tls(self) -> _Tls:
        try:
            return _Tls(self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise AuthenticationFailed(f"`ca_file` {self.ca_file} cannot be read as certificates (PEM)") from error

    def _failed(self, error: Exception) -> ConnectorError:
        if self.options.authentication == "ntlm" and isinstance(error, LDAPSessionTerminatedByServerError):
            return AuthenticationFailed(f"{self.server} takes no NTLM in this way: use `simple` or `kerberos`")
        return Unavailable(f"{self.server} cannot be reached: {type(error).__name__}")

    def _of_kerberos(self) -> tuple[type[Exception], ...]:
        """What the package raises that ldap3 uses for Kerberos."""
        if self.options.authentication == "kerberos":
            with suppress(ImportError):
                return (import_module("gssapi").exceptions.GSSError,)
            with suppress(ImportError):
                return (import_module("winkerberos").KrbError,)
        return ()

    def _no_ticket(self, error: Exception) -> ConnectorError:
        if getattr(error, "min_code", None) == _KDC_UNREACHABLE:
            return Unavailable(f"{self.server}: no Kerberos server of the domain can be reached")
        return AuthenticationFailed(f"{self.server}: Kerberos does not sign us in: {error}")

    def _not_let_in(self, result: Mapping[str, Any]) -> ConnectorError:
        if result["result"] == Code.INVALID_CREDENTIALS:
            return sign_in_failed(result["message"])
        return error_of(result["result"], result["message"], Attempt("sign in"))


def _drop(connection: Any) -> None:
    """Lets go of a connection, whatever became of it; ldap3 forgets sockets on which TLS failed."""
    socket = connection.socket
    with suppress(LDAPException, OSError):
        connection.unbind()
    if socket is not None:
        socket.close()


def _offers_md4() -> bool:
    """Whether ldap3 finds a digest that OpenSSL 3 no longer has by default: there, or in the package pycryptodome."""
    try:
        hashlib.new("md4", usedforsecurity=False)
    except ValueError:
        return find_spec("Crypto") is not None
    return True


def _own_name(connection: Any) -> str:
    """What a domain controller calls itself: tickets are for that name, and the settings may have an alias of it.

    It says so within TLS, so that its certificate vouches for it.
    """
    (root,), _ = search(connection, "", "(objectClass=*)", ldap3.BASE, ["dnsHostName"], ())
    return _text(root, "dnsHostName")


def _require(result: Mapping[str, Any], attempt: Attempt) -> None:
    if result["result"] != Code.SUCCESS:
        raise error_of(result["result"], result["message"], attempt)


def _cookie(result: Mapping[str, Any]) -> bytes:
    control = result.get("controls", {}).get("1.2.840.113556.1.4.319")
    return control["value"]["cookie"] if control else b""


def _text(entry: Entry, name: str) -> str:
    return entry.attributes[name][0].decode()
