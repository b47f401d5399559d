"""Certificates for the local service: a certificate authority of its own, the server's, and the application's.

azure-identity speaks to https only, and so does whoever checks a connector as it will be used.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

VALID = timedelta(days=3650)


@dataclass(frozen=True)
class Files:
    """Where the certificates are, as PEM.

    Attributes:
        authority: What clients have to trust.
        server: Key and certificate of the service.
        client: Key and certificate that the application signs in with.
    """

    authority: Path
    server: Path
    client: Path

    def context(self) -> ssl.SSLContext:
        """The server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        return context

    def client_certificate(self) -> x509.Certificate:
        """The application's certificate, to check assertions by."""
        return x509.load_pem_x509_certificate(self.client.read_bytes())


def certificates(folder: Path) -> Files:
    """The certificates in a folder; made if they are not there."""
    files = Files(folder / "ca.pem", folder / "server.pem", folder / "client.pem")
    if not files.client.exists():
        _make(files)
    return files


def _make(files: Files) -> None:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _sign(_named("Local Graph authority"), authority_key.public_key(), None, authority_key, ca=True)
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _sign(_named("localhost"), server_key.public_key(), authority, authority_key)
    _write(files.server, server_key, server)
    # Assertions are signed with RSA: azure-identity knows nothing else.
    client_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    client = _sign(_named("eadm-sync"), client_key.public_key(), authority, authority_key)
    _write(files.client, client_key, client)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    issuer: x509.Certificate | None,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
) -> x509.Certificate:
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    begins = datetime.now(UTC) - timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + VALID)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _write(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, certificate: x509.Certificate) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
