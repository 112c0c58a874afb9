"""Fixtures for the real servers that tests run against: Valkey, PostgreSQL, S3."""

import contextlib
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL

from myriad.db.migrate import upgrade
from myriad.embedded import EmbeddedValkey

_IS_CI = os.environ.get("CI", "").lower() == "true"


@contextlib.contextmanager
def _required_in_ci(service: str) -> Iterator[None]:
    """A server that cannot start skips its tests on a laptop and fails them in CI."""
    try:
        yield
    except Exception as error:
        if _IS_CI:
            raise
        pytest.skip(f"{service} does not start here: {error}")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A running Valkey; a test that kills it must start it again."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    with _required_in_ci("Valkey"):
        server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(valkey: EmbeddedValkey) -> str:
    """Address of an empty Redis."""
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Address of an S3 server. It takes any credentials and has no buckets yet."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[URL]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports' deprecations, not ours
        pgserver = pytest.importorskip("pgserver") if not _IS_CI else __import__("pgserver")
    # A short path of its own: a Unix socket's may have only about a hundred letters.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    with _required_in_ci("PostgreSQL"):
        server = pgserver.get_server(folder, cleanup_mode="stop")
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _new_postgres(server: URL, template: str = "template1") -> Iterator[str]:
    """A new database, by copy of `template`, dropped at the end."""
    name = f"test_{uuid.uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def postgres_url(_postgres_server: URL) -> Iterator[str]:
    """SQLAlchemy URL of a new, empty PostgreSQL database."""
    with _new_postgres(_postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLAlchemy URL of an empty database, once for each dialect."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _migrated_postgres(_postgres_server: URL) -> Iterator[str]:
    """Name of a migrated database to copy: a tenth of a migration's time."""
    with _new_postgres(_postgres_server) as url:
        upgrade(url)
        yield str(make_url(url).database)


@pytest.fixture
def migrated_sqlite_url(_migrated_sqlite: Path, tmp_path: Path) -> str:
    """SQLAlchemy URL of a migrated SQLite database."""
    shutil.copy(_migrated_sqlite, tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def migrated_postgres_url(_postgres_server: URL, _migrated_postgres: str) -> Iterator[str]:
    """SQLAlchemy URL of a migrated PostgreSQL database."""
    with _new_postgres(_postgres_server, template=_migrated_postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of a migrated database, once for each dialect."""
    return str(request.getfixturevalue(f"migrated_{request.param}_url"))
