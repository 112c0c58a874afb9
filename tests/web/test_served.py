"""A farm offers what its pools can draw, and nothing else, through every door."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from myriad.errors import ConfigError
from myriad.job import Stage
from tests.web.conftest import OpenApp, write_pools
from tests.web.test_jobs import JOBS, ask

ALL = tuple(Stage)


def names(client: FlaskClient) -> dict[str, list[str]]:
    """The models that each list of ours has."""
    loader = client.get("/object_info/CheckpointLoaderSimple").json["CheckpointLoaderSimple"]
    return {
        "native": [each["name"] for each in client.get("/api/v1/models").json["models"]],
        "openai": [each["id"] for each in client.get("/v1/models").json["data"]],
        "automatic1111": [each["title"] for each in client.get("/sdapi/v1/sd-models").json],
        "comfyui": loader["input"]["required"]["ckpt_name"][0],
    }


def test_a_model_that_no_pool_does_at_some_stage_is_not_offered(
    open_app: OpenApp, tmp_path: Path
) -> None:
    pools = write_pools(
        tmp_path,
        all=(["english", "large"], ALL),
        tiny=(["tiny"], [Stage.ENCODE, Stage.DENOISE]),
    )
    with capture_logs() as lines:
        client = open_app(pools=pools).test_client()
    left_out = {
        line["model"]: line["stages"] for line in lines if line["event"] == "model_not_served"
    }
    assert left_out == {"tiny": ["decode"], "film": ["encode", "denoise", "decode"]}
    for door, found in names(client).items():
        assert found == ["english", "large"], door
    assert '<option value="tiny"' not in client.get("/").text
    assert ask(client)["model"] == "english", "the first that is served is the default"
    for name in ("tiny", "film"):
        refused = client.post(JOBS, json={"prompt": "x", "model": name})
        assert (refused.status_code, refused.json["error"]["field"]) == (400, "model")
    loader = client.get("/object_info/LoraLoader").json["LoraLoader"]
    assert loader["input"]["required"]["lora_name"][0] == ["ink"], "gold is for tiny alone"


def test_a_client_that_names_a_model_of_theirs_gets_one_that_is_served(
    open_app: OpenApp, tmp_path: Path
) -> None:
    client = open_app(pools=write_pools(tmp_path, all=(["large"], ALL))).test_client()
    asked = {"model": "dall-e-3", "prompt": "x", "stream": True}
    client.post("/v1/images/generations", json=asked).close()
    assert [job["model"] for job in client.get(JOBS).json["jobs"]] == ["large"]


def test_a_farm_that_can_draw_nothing_does_not_start(open_app: OpenApp, tmp_path: Path) -> None:
    pools = write_pools(tmp_path, text=(["tiny"], [Stage.ENCODE]), rest=(["film"], ALL[1:]))
    with pytest.raises(ConfigError, match="no model"):
        open_app(pools=pools)
