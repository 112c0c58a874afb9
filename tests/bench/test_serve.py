"""The pieces of `bench.serve`: how both servers are asked, and what their answers count as."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

from bench.contender import Drawn, Farm, LitServe
from bench.load import Answer, Outcome, summary
from bench.serve_plan import Plan, ask
from bench.serve_report import print_report, same_picture
from tests.workers import tiny

URL = "http://farm"
Handler = Callable[[httpx.Request], httpx.Response]


def draw(contender: Farm | LitServe, handler: Handler, deadline_s: float | None = None) -> Drawn:
    async def go() -> Drawn:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            return await contender.draw(http, ask(0, deadline_s))

    return asyncio.run(go())


def job(status: str, code: str | None = None) -> dict[str, object]:
    return {
        "status": status,
        "urls": {"get": f"{URL}/api/v1/jobs/1"},
        "output": [{"url": f"{URL}/picture"}] if status == "succeeded" else None,
        "error": {"code": code, "message": ""} if code else None,
    }


def png(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return file.getvalue()


def test_a_picture_counts_once_it_is_downloaded():
    def farm(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.headers["Prefer"].startswith("wait")
            return httpx.Response(201, json=job("queued"))  # no seat to wait in
        if request.url.path == "/picture":
            return httpx.Response(200, content=b"png")
        return httpx.Response(200, json=job("succeeded"))

    assert draw(Farm(URL), farm) == Drawn(Outcome.ANSWERED, b"png")


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_for_load_is_shed(status: int):
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text="busy")

    assert draw(Farm(URL), refuse).outcome is Outcome.SHED
    assert draw(LitServe(URL), refuse).outcome is Outcome.SHED


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("deadline_exceeded", Outcome.SHED), ("stage_failed", Outcome.FAILED)],
)
def test_a_job_that_came_too_late_is_shed_and_a_broken_one_failed(code: str, outcome: Outcome):
    drawn = draw(Farm(URL), lambda request: httpx.Response(201, json=job("failed", code)))
    assert drawn.outcome is outcome


def test_requests_differ_but_in_their_seed_and_cycle_of_steps():
    asked = [ask(number) for number in range(100)]
    assert len({one.prompt for one in asked}) == 100
    assert {one.seed for one in asked} == {asked[0].seed}
    assert [one.num_inference_steps for one in asked[:6]] == [10, 20, 20, 20, 30, 10]


def test_the_overload_comes_last():
    plan = Plan((2, 4), 10, 5, saturation_count=8, in_flight=4, limit_s=60, deadline_s=2)
    assert [leg.name for leg in plan.legs()] == ["saturation", "2/s", "4/s", "10/s"]
    assert [leg.deadline_s for leg in plan.legs()] == [None, None, None, 2]


def test_only_the_farm_is_told_a_deadline():
    bodies = []

    def keep(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(429)

    for contender in (Farm(URL), LitServe(URL)):
        draw(contender, keep, deadline_s=2)
    assert [body.get("deadline_s") for body in bodies] == [2, None]
    assert bodies[0] == bodies[1] | {"cache": False, "deadline_s": 2}


def test_pictures_are_compared_by_their_pixels():
    assert same_picture(png((1, 2, 3)), png((1, 2, 3))) == 0
    assert same_picture(png((1, 2, 3)), png((1, 9, 3))) == 7


def test_the_table_shows_a_leg_that_nothing_answered(capsys: pytest.CaptureFixture[str]):
    answered = summary([Answer(Outcome.ANSWERED, 0.0, 0.5)]).figures()
    shed = summary([Answer(Outcome.SHED, 0.0, 0.1)]).figures()
    report = {"hardware": "here", "load_before": 0.0, "largest_pixel_difference": 0}
    print_report(report | {"myriad": {"2/s": answered}, "litserve": {"2/s": shed}})
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if "p95" in line).split()[-3:] == ["0.500", "-", "-"]
    assert any("shed" in line for line in lines)


def test_the_peer_draws_each_picture_as_asked(tmp_path: Path):
    """A batch of three step counts: every picture is the one its request alone would give."""
    pytest.importorskip("litserve")
    from bench.litserve_peer import StockPipeline

    peer = StockPipeline(str(tiny.save_sd(tmp_path)), threads=1, batch=8)
    peer.setup("cpu")
    asked = [
        {"prompt": str(number), "seed": number, "num_inference_steps": steps}
        for number, steps in enumerate((1, 2, 1, 3))
    ]
    together = peer.predict(asked)
    for one, picture in zip(asked, together, strict=True):
        (alone,) = peer.predict([one])
        assert same_picture(_png(picture), _png(alone)) <= 1
    assert same_picture(_png(together[0]), _png(together[2])) > 1


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
