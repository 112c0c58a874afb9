"""Workers over an object store in trouble: every job ends, with the picture that was drawn."""

import hashlib
from collections.abc import Iterator

import boto3
import pytest
from sqlalchemy import select

from myriad.db.tables import ImageRow
from myriad.farm import Farm
from tests.processes import FAST_WORKER, JANITOR, Processes
from tests.storage.faulty_s3 import FaultyS3, faulty_s3
from tests.tasks.jobs import assert_effects_once, outcomes, post_many, wait_for

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True),
]


@pytest.fixture
def faulty(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    _client(s3_endpoint).create_bucket(Bucket="trouble")
    with faulty_s3(s3_endpoint, errors=10, stalls=2, cuts=5, stall_s=2) as server:
        yield server


@pytest.fixture
def more_settings(faulty: FaultyS3) -> dict[str, str]:
    return {
        "MYRIAD_STORAGE_URL": "s3://trouble/farm",
        "MYRIAD_S3_ENDPOINT_URL": faulty.url,
        "MYRIAD_S3_TIMEOUT_S": "0.5",
        "MYRIAD_ARTIFACT_INLINE_BYTES": "0",
        "MYRIAD_MAX_TRIES": "1",
    }


def test_every_job_ends_and_no_picture_is_torn(
    farm: Farm, processes: Processes, faulty: FaultyS3, s3_endpoint: str
) -> None:
    processes.start(FAST_WORKER)
    processes.start(JANITOR)
    job_ids = post_many(farm, 15)
    wait_for(farm, job_ids)
    assert_effects_once(farm, job_ids)
    with farm.db.read() as session:
        images = {row.storage_key: row.sha256 for row in session.scalars(select(ImageRow))}
    direct = _client(s3_endpoint)
    for key, sha256 in images.items():
        kept = direct.get_object(Bucket="trouble", Key=f"farm/{key}")["Body"].read()
        assert hashlib.sha256(kept).hexdigest() == sha256
    assert all(faulty.done[fate] for fate in ("error", "cut")), faulty.done
    ends = {end for job_id in job_ids for end in outcomes(farm, job_id)}
    assert ends <= {"succeeded", "handed_back", "rewound"}


def _client(endpoint: str):  # type: ignore[no-untyped-def]
    return boto3.session.Session().client("s3", region_name="us-east-1", endpoint_url=endpoint)
