"""What the bucket promises beyond the contract."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from mypy_boto3_s3 import S3Client

from myriad.errors import NotFound, StorageUnavailable
from myriad.storage import S3Storage

MINUTE = timedelta(minutes=1)


def test_a_presigned_link_fixes_the_headers(s3: S3Storage) -> None:
    s3.put("images/a.png", b"pixels", "text/html")
    url = s3.presigned_url("images/a.png", ttl=MINUTE, content_type="image/png")
    assert url is not None
    answer = requests.get(url, timeout=10)
    assert answer.content == b"pixels"
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == 'inline; filename="a.png"'


def test_what_a_browser_might_run_is_saved_instead(s3: S3Storage) -> None:
    url = s3.presigned_url("a.svg", ttl=MINUTE, content_type="image/svg+xml")
    assert url is not None
    query = parse_qs(urlsplit(url).query)
    assert query["response-content-disposition"] == ['attachment; filename="a.svg"']


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(timedelta(days=1), "900"), (MINUTE, "60"), (timedelta(0), "1")]
)
def test_a_link_lasts_fifteen_minutes_at_most(s3: S3Storage, ttl: timedelta, seconds: str) -> None:
    url = s3.presigned_url("a", ttl=ttl, content_type="image/png")
    assert url is not None
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Expires"] == [seconds]
    assert query["X-Amz-SignedHeaders"] == ["host"]


def test_links_are_signed_for_the_public_endpoint(bucket: str, s3_endpoint: str) -> None:
    store = S3Storage(
        bucket, endpoint_url=s3_endpoint, public_endpoint_url="https://pictures.example"
    )
    url = store.presigned_url("a", ttl=MINUTE, content_type="image/png")
    assert url is not None
    assert url.startswith(f"https://pictures.example/{bucket}/a?")


def test_damaged_bytes_are_noticed(s3: S3Storage, s3_client: S3Client, bucket: str) -> None:
    s3.put("a", b"as they were", "text/plain")
    metadata = s3_client.head_object(Bucket=bucket, Key="farm/one/a")["Metadata"]
    s3_client.put_object(Bucket=bucket, Key="farm/one/a", Body=b"as they wer", Metadata=metadata)
    with pytest.raises(StorageUnavailable, match="damaged"):
        s3.get("a")


def test_prefixes_keep_two_farms_apart(s3: S3Storage, bucket: str, s3_endpoint: str) -> None:
    other = S3Storage(bucket, "farm/two", endpoint_url=s3_endpoint)
    s3.put("a", b"1", "text/plain")
    assert list(other.list_keys("")) == []
    with pytest.raises(NotFound):
        other.get("a")


def test_a_server_that_is_away_is_said_so(bucket: str) -> None:
    with socket.socket() as probe:  # bound and not listening: refuses at once
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
        _assert_unavailable(S3Storage(bucket, endpoint_url=endpoint))


@pytest.mark.usefixtures("aws_credentials")
def test_a_missing_bucket_is_no_missing_object(s3_endpoint: str) -> None:
    _assert_unavailable(S3Storage("no-such-bucket", endpoint_url=s3_endpoint))


def _assert_unavailable(store: S3Storage) -> None:
    with pytest.raises(StorageUnavailable):
        store.put("a", b"1", "text/plain")
    with pytest.raises(StorageUnavailable):
        store.get("a")
    with pytest.raises(StorageUnavailable):
        store.delete("a")
    with pytest.raises(StorageUnavailable):
        list(store.list_keys(""))


class _BrokenS3(BaseHTTPRequestHandler):
    """Promises ten bytes and sends four; answers 500 to everything but GET."""

    tries = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"four")

    def do_PUT(self) -> None:
        type(self).tries += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def broken(aws_credentials: None) -> Iterator[S3Storage]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _BrokenS3)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield S3Storage("bucket", endpoint_url=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_a_truncated_answer_is_storage_away(broken: S3Storage) -> None:
    with pytest.raises(StorageUnavailable):
        broken.get("a")


def test_retries_are_bounded(broken: S3Storage) -> None:
    _BrokenS3.tries = 0
    with pytest.raises(StorageUnavailable):
        broken.put("a", b"1", "text/plain")
    assert _BrokenS3.tries == 3
