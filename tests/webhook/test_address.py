"""Webhook addresses: what is refused at once, and that nothing is ever reached."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad.address import check_webhook_url
from myriad.errors import InvalidRequest
from myriad.webhook import Sender
from tests.webhook.peers import LOOPBACK, Resolver, Trap

# {port} is one that listens on this very machine.
HOSTILE = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://00000:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://a.localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[fd00:ec2::254]:{port}/",
    "http://[ff02::1]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.100.100.200/",
    "http://100.64.0.1/",
    "http://10.0.0.1:6379/",
    "http://172.16.0.1/",
    "http://192.168.0.1:22/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://user@127.0.0.1:{port}/",
    "http://user:password@example.com/",
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com%40127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}?@example.com/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y",
    "http://example.com\r\n.127.0.0.1:{port}/",
    "http://exa\tmple.com/",
    "http://example.com/\0",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://ⓛocalhost:{port}/",
    "http://example.com:99999/",
    "http://example.com:-1/",
    "http://example.com:port/",
    "http://[127.0.0.1]:{port}/",
    "http://[::1:{port}/",
    "http://*:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "dict://127.0.0.1:{port}/info",
    "ftp://127.0.0.1:{port}/",
    "httpx://127.0.0.1:{port}/",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "javascript:alert(1)",
    "http://",
    "http:",
    "http://.:{port}/",
    "http://..:{port}/",
    "",
    "http://example.com/" + "a" * 2048,
    "http://" + "a" * 64 + ".example.com/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[::ffff:0:7f00:1]:{port}/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[100::1]/",
    "http://[5f00::1]/",
    "http://[2001:db8::1]/",
    "http://[2001:10::1]/",
    "http://[2001:20::1]/",
    "http://[fc00::1]/",
    "http://[4000::1]/",
    "http://[::7f00:1]:{port}/",
    "http://[1::1]/",
    "http://192.0.0.192/",
    "http://192.0.0.8/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://169.254.170.2/v2/credentials",
    "http://192.88.99.2/",
    "http://0.0.0.1:{port}/",
    "http://239.255.255.250/",
    "http://0x7f.1:{port}/",
    "http://127.00.00.01:{port}/",
    "http://0x7f000001.:{port}/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://127.0.0.1%00.example.com:{port}/",
    "http://127.0.0.1%2f.example.com:{port}/",
    "http://example.com%2f@127.0.0.1:{port}/",
    "http://example.com:80@127.0.0.1:{port}/",
    "http://[::1]@example.com:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://:@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}:80/",
    "http://127.0.0.1 :{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://[::1%25eth0]:{port}/",
    "http://[::ffff:127.1]:{port}/",
    "http://localhost%2e:{port}/",
    "http://%6c%6f%63alhost:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://127.0.0.1;example.com:{port}/",
    "http://127.0.0.1,example.com:{port}/",
    "http://127.0.0.1|example.com:{port}/",
    "ldap://127.0.0.1:{port}/",
    "tftp://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "unix:/var/run/docker.sock",
    "jar:http://127.0.0.1:{port}!/",
    "data:text/plain,hi",
    "blob:http://127.0.0.1:{port}/",
    "view-source:http://127.0.0.1:{port}/",
    "url:http://127.0.0.1:{port}/",
    "http://exam\xadple.com/",
    "http://[::1]x:{port}/",
    "http://x[::1]:{port}/",
    "http://[[::1]]:{port}/",
]

WELCOME = [
    "https://example.com/hook",
    "HTTPS://EXAMPLE.COM/Hook?token=a%20b#part",
    "http://example.com.:8080/",
    "https://xn--bcher-kva.example/",
    "https://8.8.8.8:8443/hook",
    "https://[2606:4700:4700::1111]/",
]


@pytest.mark.parametrize("template", HOSTILE)
def test_hostile_addresses_are_refused_and_never_reached(template: str, trap: Trap) -> None:
    url = template.replace("{port}", str(trap.port))
    with pytest.raises(InvalidRequest) as refusal:
        check_webhook_url(url, ())
    assert refusal.value.field == "webhook"
    receipt = Sender((), timeout_s=5).post(url, b"{}", {})
    assert receipt.status is None
    assert (receipt.error or "").startswith("the address ")  # before any name was asked for
    assert not receipt.is_delivered
    assert trap.connections() == 0


@pytest.mark.parametrize("url", WELCOME)
def test_the_open_internet_is_welcome(url: str) -> None:
    check_webhook_url(url, ())


@pytest.mark.parametrize(
    ("url", "allow", "is_welcome"),
    [
        ("http://10.1.2.3/", ("10.0.0.0/8",), True),
        ("http://10.1.2.3/", ("192.168.0.0/16", "10.1.2.3/32"), True),
        ("http://11.1.2.3/", ("10.0.0.0/8",), True),
        ("http://192.168.0.1/", ("10.0.0.0/8",), False),
        ("http://[::ffff:10.1.2.3]/", ("10.0.0.0/8",), True),
        ("http://[fd00::1]/", ("fd00::/8",), True),
        ("http://[fd00::1]/", ("10.0.0.0/8",), False),
        ("http://localhost/", LOOPBACK, True),
        ("file:///etc/passwd", ("0.0.0.0/0", "::/0"), False),
    ],
)
def test_the_operator_may_allow_networks(
    url: str, allow: tuple[str, ...], is_welcome: bool
) -> None:
    if is_welcome:
        check_webhook_url(url, allow)
    else:
        with pytest.raises(InvalidRequest):
            check_webhook_url(url, allow)


@settings(max_examples=300, deadline=None, database=None)
@given(st.one_of(st.text(), st.text().map("http://{}".format), st.text().map("http://[{}]".format)))
def test_any_text_is_taken_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        check_webhook_url(text, ())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "192.88.99.1",
        "240.0.0.1",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fec0::1",
        "ff02::1",
    ],
)
def test_a_name_that_leads_inside_is_not_followed(
    address: str, trap: Trap, resolver: Resolver
) -> None:
    resolver.answers = [address]
    receipt = Sender((), timeout_s=5).post(f"http://inside.example:{trap.port}/", b"{}", {})
    assert receipt.error == "the name leads to a private or reserved address"
    assert trap.connections() == 0
