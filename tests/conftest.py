"""Fixtures and the clean environment every test starts from."""

import gc
import os

os.environ.update(
    HF_HUB_OFFLINE="1", DIFFUSERS_DISABLE_REMOTE_CODE="1", OMP_NUM_THREADS="1", TZ="UTC"
)
for _name in [name for name in os.environ if name.startswith(("MYRIAD_", "AWS_"))]:
    del os.environ[_name]

pytest_plugins = ["tests.services"]


def pytest_collection_finish() -> None:
    """Leave what all tests have imported out of every collection: workers collect often."""
    gc.collect()
    gc.freeze()
