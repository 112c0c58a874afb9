"""TLS to a pinned address: the certificate is checked for the name, which is also sent."""

import datetime
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from myriad.hangup import Hangup
from myriad.outbound import outbound_session
from myriad.webhook import Sender
from tests.webhook.peers import LOOPBACK, Resolver


@dataclass
class TlsReceiver:
    port: int
    certificate: Path
    names: list[str | None] = field(default_factory=list)  # as sent in the handshakes
    bodies: list[bytes] = field(default_factory=list)


def _certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for `name` with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_receiver(tmp_path: Path) -> Iterator[TlsReceiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            here.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """Refused handshakes are what some tests are about."""

    certificate = _certificate(tmp_path, "hooks.example")
    server = Server(("127.0.0.1", 0), Handler)
    here = TlsReceiver(server.server_port, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda sock, name, context: here.names.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield here
    server.shutdown()
    server.server_close()


@pytest.fixture
def trusting(tls_receiver: TlsReceiver) -> Iterator[requests.Session]:
    """A session for which the receiver's certificate is a good one."""
    with (
        Hangup(30) as hangup,
        outbound_session(LOOPBACK, timeout_s=30, hangup=hangup) as session,
    ):
        session.verify = str(tls_receiver.certificate)
        yield session


def test_the_name_is_sent_and_checked_though_the_address_is_pinned(
    tls_receiver: TlsReceiver, trusting: requests.Session, resolver: Resolver
) -> None:
    answer = trusting.post(f"https://hooks.example:{tls_receiver.port}/", data=b"{}")
    assert answer.status_code == 204
    assert (tls_receiver.names, tls_receiver.bodies) == (["hooks.example"], [b"{}"])
    assert resolver.questions == 1


def test_a_certificate_for_another_name_is_refused(
    tls_receiver: TlsReceiver, trusting: requests.Session, resolver: Resolver
) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        trusting.post(f"https://other.example:{tls_receiver.port}/", data=b"{}")
    assert tls_receiver.bodies == []


def test_a_certificate_nobody_vouches_for_is_refused(
    tls_receiver: TlsReceiver, resolver: Resolver
) -> None:
    url = f"https://hooks.example:{tls_receiver.port}/"
    receipt = Sender(LOOPBACK, timeout_s=30).post(url, b"{}", {})
    assert (receipt.status, receipt.error) == (None, "TLS failed")
    assert tls_receiver.names == ["hooks.example"]
    assert tls_receiver.bodies == []
