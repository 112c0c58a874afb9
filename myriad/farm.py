"""What every process of a farm needs, opened once from the settings."""

from dataclasses import dataclass, field
from datetime import timedelta

from redis import Redis

from myriad import clock, fault
from myriad.artifact import ArtifactStore
from myriad.blocked import BlockedTerms
from myriad.catalog import Catalog, load_catalog
from myriad.db.commit import RetryRule
from myriad.db.database import Database, DatabaseLimits
from myriad.errors import ConfigError
from myriad.link import sign_link
from myriad.pool import Pool, load_pools
from myriad.record import ImageRecord
from myriad.redis_client import connect_redis
from myriad.secret import load_secret, load_webhook_secret
from myriad.settings import Settings
from myriad.signals import Signals
from myriad.storage import open_storage
from myriad.storage.base import Storage
from myriad.tracing import Tracer, open_tracer


@dataclass(frozen=True)
class Farm:
    """Open doors and read tables; nothing here connects before it is used."""

    settings: Settings
    catalog: Catalog
    pools: tuple[Pool, ...]
    db: Database
    redis: Redis
    storage: Storage
    signals: Signals
    artifacts: ArtifactStore
    tracer: Tracer
    blocked: BlockedTerms
    secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)

    @property
    def retry_rule(self) -> RetryRule:
        return RetryRule(self.settings.max_tries, self.settings.retry_delay_s)

    @property
    def base_url(self) -> str:
        """Where the farm is reached when no request tells."""
        return self.settings.public_url or self.settings.local_url

    def picture_url(self, image: ImageRecord, base_url: str) -> str:
        """A short-lived address of the picture."""
        return self.file_url(image.storage_key, image.content_type, base_url)

    def file_url(self, key: str, content_type: str, base_url: str) -> str:
        """A short-lived address of a stored file: presigned S3, or a signed link of our own."""
        ttl = timedelta(seconds=self.settings.link_ttl_s)
        direct = self.storage.presigned_url(key, ttl=ttl, content_type=content_type)
        if direct:
            return direct
        token = sign_link(self.secret, key, clock.now() + ttl)
        return f"{base_url.rstrip('/')}/files/{token}"

    def close(self) -> None:
        """Give back connections, after the last spans are sent."""
        self.tracer.close()
        self.db.close()
        self.redis.close()


def open_farm(settings: Settings) -> Farm:
    """Raises ConfigError when catalogue, pools or secrets cannot be used together."""
    fault.listen_in(settings.faults)
    clock.follow(settings.clock_file)
    catalog, pools = load_catalog(settings.catalog), load_pools(settings.pools)
    _check_models(catalog, pools)
    redis = connect_redis(settings.redis)
    storage = open_storage(settings)
    return Farm(
        settings=settings,
        catalog=catalog,
        pools=pools,
        db=open_database(settings),
        redis=redis,
        storage=storage,
        signals=Signals(redis),
        artifacts=ArtifactStore(
            redis, storage, settings.artifact_ttl_s, settings.artifact_inline_bytes
        ),
        tracer=open_tracer(settings),
        blocked=BlockedTerms.read(settings.blocked_terms),
        secret=load_secret(settings.secret, settings.home / "secret"),
        webhook_secret=load_webhook_secret(
            settings.webhook_secret, settings.home / "webhook-secret"
        ),
    )


def open_database(settings: Settings) -> Database:
    """The farm's database, used no more than the settings allow."""
    limits = DatabaseLimits(
        pool_size=settings.database_pool_size,
        pool_extra=settings.database_pool_extra,
        wait_s=settings.database_wait_s,
        statement_s=settings.database_statement_s,
    )
    return Database(settings.database, limits)


def _check_models(catalog: Catalog, pools: tuple[Pool, ...]) -> None:
    for pool in pools:
        for name in pool.models:
            if name != "*" and name not in catalog:
                raise ConfigError(f"pool {pool.name} names model {name!r}, not in the catalogue")
