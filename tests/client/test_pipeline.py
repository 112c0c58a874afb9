"""When a remote pipeline takes back what it has asked for. What it draws: tests/doors."""

from typing import Any

import pytest

from myriad.client import Client, RemotePipeline
from myriad.errors import Conflict, MyriadError
from tests.client.lossy import PASS, Lossy

BROKEN = (500, dict[str, str]())


def test_what_the_farm_fails_to_answer_cancels_nothing(lossy: Lossy, client: Client) -> None:
    lossy.trouble = [PASS, BROKEN]
    with RemotePipeline(lossy.url, "tiny") as pipe, pytest.raises(MyriadError, match="500"):
        pipe("unheard")
    job = next(client.jobs())
    assert job["input"]["prompt"] == "unheard"
    assert client.wait(job["id"])["status"] == "succeeded"
    lossy.trouble = [PASS, BROKEN]
    with RemotePipeline(lossy.url, "tiny") as pipe, pytest.raises(MyriadError, match="500"):
        pipe(["unheard", "either"])
    assert client.wait_batch(next(client.batches())["id"])["counts"]["succeeded"] == 2


@pytest.mark.parametrize("prompt", ["refused", ["refused", "twice"]])
def test_what_the_callback_raises_cancels(
    farm_url: str, client: Client, prompt: str | list[str]
) -> None:
    def refuse(now: dict[str, Any]) -> None:
        raise Conflict("the caller has seen enough")

    with RemotePipeline(farm_url, "tiny") as pipe, pytest.raises(Conflict, match="seen enough"):
        pipe(prompt, on_progress=refuse, num_inference_steps=150, cache=False)
    assert client.wait(next(client.jobs())["id"])["status"] == "canceled"
