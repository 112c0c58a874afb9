"""The one table of settings: `MYRIAD_*` in the environment, read once, all errors at once."""

from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core.core_schema import ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from myriad.errors import ConfigError

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Bytes = Annotated[int, Field(ge=0)]
Days = Annotated[float, Field(ge=0, le=36_500)]
Rate = Annotated[str, Field(pattern=r"^\d{1,9}/(second|minute|hour|day)$")]


class Settings(BaseSettings):
    """Process settings. Nothing else in Myriad reads the environment."""

    model_config = SettingsConfigDict(
        env_prefix="MYRIAD_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    home: Path = Field(Path(".myriad"), description="Folder of everything this machine keeps.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite under home.")
    database_pool_size: int = Field(
        5, ge=1, le=500, description="Connections to the database that a process keeps open."
    )
    database_pool_extra: int = Field(
        15, ge=0, le=500, description="Further ones it opens while it has much to do."
    )
    database_wait_s: Seconds = Field(
        10, description="Longest wait for a connection of the pool, or for a locked row."
    )
    database_statement_s: Seconds = Field(
        15, description="Longest statement; a database silent for longer is away."
    )
    redis_url: str = Field("", description="Broker URL; empty: `myriad up` embeds a Valkey.")
    storage_url: str = Field("", description="`s3://bucket/prefix` or a folder; empty: home.")
    s3_endpoint_url: str = Field("", description="S3-compatible endpoint, as workers see it.")
    s3_public_endpoint_url: str = Field("", description="The same endpoint, as users see it.")
    s3_region: str = Field("us-east-1", description="Region in S3 signatures.")
    s3_timeout_s: Seconds = Field(
        10, description="Longest silence of object storage; a request is tried three times."
    )
    catalog: Path | None = Field(None, description="catalog.toml of models; empty: the bundled.")
    pools: Path | None = Field(None, description="pools.toml of the farm; empty: one laptop pool.")

    host: str = Field("127.0.0.1", description="Address the web front end listens on.")
    port: int = Field(8600, ge=1, le=65_535, description="Port the web front end listens on.")
    public_url: str = Field("", description="Base of links in answers; empty: the request's own.")
    web_threads: int = Field(64, ge=1, le=256, description="Threads of the web process.")
    max_body_bytes: Bytes = Field(
        2_000_000, description="Largest request body that is read, handed-in pictures aside."
    )
    max_upload_bytes: Bytes = Field(
        25_000_000, description="Largest request body that hands in pictures."
    )
    max_input_pixels: int = Field(
        16_777_216, ge=4096, description="Most pixels of a picture that is handed in."
    )
    secret: SecretStr = Field(SecretStr(""), description="Signs links and forms; empty: a file.")
    link_ttl_s: Seconds = Field(900, description="How long a signed picture link lasts.")
    wait_max_s: Seconds = Field(60, description="Longest `Prefer: wait` that is honoured.")
    hold_max_s: Seconds = Field(
        600, description="How long doors that answer with pictures hold an answer back."
    )

    web_linger_s: float = Field(
        0, ge=0, le=300, description="Told to stop, web serves on this long, but is not ready."
    )

    max_wait_s: float = Field(
        0, ge=0, le=86_400, description="New jobs that would wait longer are refused; 0: never."
    )
    max_queued: int = Field(
        10_000, ge=0, description="Most jobs of an API key that may wait; 0: no limit."
    )
    max_batch: int = Field(1000, ge=1, le=10_000, description="Most jobs of one batch.")
    megapixel_steps_per_day: float = Field(
        0, ge=0, description="What an API key may ask for in a day (UTC); 0: no limit."
    )
    rate_creates: Rate = Field(
        "6000/minute",
        description="Requests of a caller that ask for or change something; 0/…: any.",
    )
    rate_reads: Rate = Field(
        "60000/minute", description="Requests of a caller that only look; 0/…: any."
    )
    proxies: int = Field(
        0, ge=0, le=10, description="Reverse proxies in front, each adding to X-Forwarded-For."
    )

    lease_s: Seconds = Field(20, description="A worker silent this long has lost its job.")
    redispatch_s: Seconds = Field(15, description="A published hint not claimed by then is lost.")
    janitor_interval_s: Seconds = Field(1, description="How often the janitor looks.")
    retry_delay_s: float = Field(1, ge=0, description="Wait before a failed stage runs again.")
    max_tries: int = Field(3, ge=1, le=100, description="Tries of one stage before the job fails.")
    stall_s: float = Field(
        900, ge=0, le=86_400, description="A worker that hangs this long ends itself; 0: never."
    )
    drain_s: Seconds = Field(
        25, description="A worker told to stop hands back what runs on for longer, and ends."
    )
    preview_every_s: float = Field(
        1, ge=0, le=3600, description="Pause between two previews of a job; 0: no previews."
    )
    checkpoint_every_s: float = Field(
        10, ge=0, le=3600, description="Pause between two checkpoints of a job; 0: none."
    )
    artifact_ttl_s: Seconds = Field(3600, description="Lifetime of a stage's output in Redis.")
    artifact_inline_bytes: Bytes = Field(
        4_194_304, description="Larger stage outputs travel through object storage."
    )
    idempotency_ttl_s: Seconds = Field(86_400, description="How long an Idempotency-Key binds.")
    metadata: Literal["full", "provenance"] = Field(
        "full", description="What files tell: how they were made, or only that it was by AI."
    )
    content_producer: str = Field(
        "Myriad", max_length=100, description="Whom files name as their producer (GB 45438)."
    )
    visible_mark: str = Field(
        "", max_length=40, description="Text drawn into each picture (`AI`); empty: none."
    )
    visible_mark_font: Path | None = Field(
        None,
        description="Font file of the mark, if it has more than ASCII letters.",
        validate_default=True,
    )
    blocked_terms: Path | None = Field(
        None, description="File of terms, one a line, that no prompt may contain."
    )
    keep_results_days: Days = Field(
        0, description="Jobs that ended longer ago go, with their pictures; 0: they are kept."
    )
    keep_inputs_days: Days = Field(
        7, description="Pictures handed in that no job has named for so long go; 0: kept."
    )
    keep_history_days: Days = Field(
        30, description="Stage timings, events and settled webhooks go after that; 0: kept."
    )
    keep_logs_days: Days = Field(
        7, description="Logs that `myriad up` writes go after that; 0: kept."
    )
    shared_cache: bool = Field(False, description="API keys may be answered by others' results.")

    webhook_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Networks (CIDR, comma separated) webhooks may reach though private."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="`whsec_…` that signs webhooks; empty: a file under home."
    )
    webhook_timeout_s: Seconds = Field(15, description="Longest wait for a webhook's receiver.")

    device: str = Field("", description="Overrides the device of every pool (`cpu`, `cuda:0` …).")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe line that is logged."
    )
    log_format: Literal["console", "json"] = Field("console", description="Shape of log lines.")
    otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="OTLP/HTTP collector of traces, as `http://host:4318`; empty: no traces.",
    )

    faults: Path | None = Field(
        None, description="For tests of the farm itself: folder that says where to die."
    )
    clock_file: Path | None = Field(
        None, description="For tests of the farm itself: file of seconds the clock is off."
    )

    @field_validator("visible_mark")
    @classmethod
    def _has_letters(cls, text: str) -> str:
        return text.strip()

    @field_validator("visible_mark_font")
    @classmethod
    def _has_the_letters(cls, font: Path | None, info: ValidationInfo) -> Path | None:
        if font is None and not info.data.get("visible_mark", "").isascii():
            raise ValueError("the visible mark has letters beyond ASCII: name a font with them")
        return font

    @field_validator("webhook_allow", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        networks = tuple(part.strip() for part in value.split(",") if part.strip())
        for network in networks:
            ip_network(network)
        return networks

    @property
    def labels(self) -> dict[str, str]:
        """How files are labelled, where it is not as ever: such results are others."""
        chosen = {"metadata": self.metadata, "mark": self.visible_mark}
        return {name: text for name, text in chosen.items() if text not in ("full", "")}

    @cached_property
    def database(self) -> str:
        """SQLAlchemy URL of the database in force."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'myriad.db'}"

    @cached_property
    def local_url(self) -> str:
        """The web front end as this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @cached_property
    def redis(self) -> str:
        """URL of the broker in force."""
        return self.redis_url or "redis://127.0.0.1:6379/0"

    @cached_property
    def storage(self) -> str:
        """`s3://…` or an absolute folder."""
        return self.storage_url or str(self.home.absolute() / "storage")


def load_settings() -> Settings:
    """Read the environment once.

    Raises:
        ConfigError: naming every variable with a bad value, not only the first.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"  MYRIAD_{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors()
        ]
        raise ConfigError("settings that cannot be used:\n" + "\n".join(lines)) from error
