"""The pages in a real Chromium, under their own policy."""

import os
import re
import shutil
from collections.abc import Iterator
from io import BytesIO
from zlib import crc32

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect, sync_playwright
from sqlalchemy import update

from myriad.db.commit import advance
from myriad.db.jobs import list_jobs
from myriad.db.tables import JobRow
from myriad.farm import Farm
from myriad.inputs import input_key
from myriad.job import JobState, Stage, overall_progress
from myriad.record import JobRecord
from tests.processes import wait_until
from tests.web.bombs import picture
from tests.web.conftest import Site
from tests.web.drawing import finish_job, take

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("CI", "").lower() != "true",
        reason="needs Chromium",
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "CI must have Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=site.url, locale="zh-CN")
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose console must stay quiet: a policy violation would speak there."""
    said: list[str] = []
    page = context.new_page()
    page.on("console", lambda line: said.append(line.text) if line.type != "log" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []


PICTURE = FilePayload(name="a.png", mimeType="image/png", buffer=picture("PNG", 96, 64))


def newest(farm: Farm) -> JobRecord:
    return list_jobs(farm.db, scope=None, limit=1).jobs[0]


def ask(page: Page, prompt: str) -> None:
    page.goto("/")
    page.fill("#prompt", prompt)
    page.click("button.primary")
    page.wait_for_url(re.compile("/jobs/"))


def test_prompt_becomes_a_picture_before_one_s_eyes(page: Page, site: Site) -> None:
    ask(page, "一个红色圆形")
    expect(page.locator(".status")).to_contain_text("排队中")
    job = newest(site.farm)
    take_through_denoising(site.farm, job.id)
    expect(page.locator(".status")).to_contain_text("生成中")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "48")
    release(site.farm, job.id)
    finish_job(site.farm, job.id)
    picture = page.get_by_role("img", name="一个红色圆形")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.locator("#poller")).to_have_count(0)
    expect(page.locator("[data-say]")).to_have_text("已完成", timeout=20_000)


def take_through_denoising(farm: Farm, job_id: str) -> None:
    assert advance(farm.db, take(farm, job_id, Stage.ENCODE), "encode-out")
    take(farm, job_id, Stage.DENOISE)
    farm.signals.set_progress(job_id, 0.5)


def test_time_left_is_told_once_steps_were_seen(page: Page, site: Site) -> None:
    ask(page, "多久")
    job = newest(site.farm)
    take_through_denoising(site.farm, job.id)
    left = page.locator("[data-progress]")
    for done in (0.5, 0.55, 0.6):
        site.farm.signals.set_progress(job.id, done)
        progress = overall_progress(JobState.RUNNING, Stage.DENOISE, done)
        expect(left).to_have_attribute("data-progress", str(progress))
    expect(left).to_have_text(re.compile(r"^大约还需 \d+ (秒|分钟)$"))


def release(farm: Farm, job_id: str) -> None:
    """Start over, so that the whole way can be played again."""
    with farm.db.write() as session:
        session.execute(
            update(JobRow)
            .where(JobRow.id == job_id)
            .values(stage=Stage.ENCODE.value, lease_owner=None, lease_until=None)
        )


def test_cancel_button(page: Page, site: Site) -> None:
    ask(page, "to be canceled")
    page.get_by_role("button", name="取消").click()
    expect(page.locator(".status")).to_contain_text("已取消")
    assert newest(site.farm).state == "canceled"


def test_focus_survives_polling(page: Page, site: Site) -> None:
    ask(page, "watched for a while")
    page.locator("#do-cancel").focus()
    with page.expect_response(re.compile("/panel")):
        pass
    with page.expect_response(re.compile("/panel")):
        pass
    assert page.evaluate("document.activeElement.id") == "do-cancel"


def test_outage_does_not_break_a_waiting_page(context: BrowserContext, site: Site) -> None:
    page = context.new_page()
    ask(page, "through thick and thin")
    page.route("**/panel", lambda route: route.fulfill(status=503, body="away"))
    with page.expect_response(re.compile("/panel")):
        pass
    expect(page.locator(".status")).to_contain_text("排队中")
    page.unroute("**/panel")
    finish_job(site.farm, newest(site.farm).id)
    expect(page.locator(".pictures img")).to_be_visible()


def test_without_javascript(browser: Browser, site: Site) -> None:
    with browser.new_context(
        base_url=site.url, locale="en-US", java_script_enabled=False
    ) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        ask(page, "a plain old page")
        expect(page.locator(".status")).to_contain_text("In the queue")
        finish_job(site.farm, newest(site.farm).id)
        expect(page.locator(".pictures img")).to_be_visible()


def test_pictures_are_handed_in_without_javascript(browser: Browser, site: Site) -> None:
    with browser.new_context(
        base_url=site.url, locale="en-US", java_script_enabled=False
    ) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/")
        page.fill("#prompt", "from a picture")
        page.get_by_text("Start from a picture").click()
        page.set_input_files("#image", PICTURE)
        page.fill("#strength", "0.01")
        page.click("button.primary")
        expect(page.locator("[id='bad-strength']")).to_be_visible()
        expect(page.locator(".kept img")).to_be_visible()
        page.fill("#strength", "0.5")
        page.check("input[name=size][value=own]")
        page.click("button.primary")
        page.wait_for_url(re.compile("/jobs/"))
        expect(page.locator(".inputs img")).to_be_visible()
    job = newest(site.farm)
    assert (job.params["strength"], job.params["width"], job.params["height"]) == (0.5, 96, 64)


def paint_a_mask(page: Page) -> None:
    """Choose a picture, and paint over the left half of its upper edge."""
    page.goto("/")
    page.fill("#prompt", "一部分")
    page.get_by_text("从图片开始").click()
    page.set_input_files("#image", PICTURE)
    canvas = page.locator("#painter canvas")
    expect(canvas).to_have_attribute("width", "96")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.mouse.up()
    wait_until(lambda: mask_files(page) == ["mask.png"])


def mask_files(page: Page) -> list[str]:
    names = "Array.from(document.getElementById('mask').files, file => file.name)"
    return list(page.evaluate(names))


def test_a_mask_is_painted(page: Page, site: Site) -> None:
    paint_a_mask(page)
    page.click("button.primary")
    page.wait_for_url(re.compile("/jobs/"))
    job = newest(site.farm)
    mask = Image.open(BytesIO(site.farm.storage.get(input_key(job.params["mask"]))))
    assert (mask.mode, mask.size) == ("L", (96, 64))
    assert mask.getpixel((20, 1)) == 255
    assert (mask.getpixel((90, 1)), mask.getpixel((20, 60))) == (0, 0)
    expect(page.locator(".inputs img")).to_have_count(2)


def test_a_painted_mask_goes_with_its_picture(page: Page) -> None:
    paint_a_mask(page)
    page.set_input_files("#image", {**PICTURE, "name": "b.png"})
    assert mask_files(page) == []
    page.set_input_files("#mask", {**PICTURE, "name": "chosen.png"})
    page.set_input_files("#image", PICTURE)
    assert mask_files(page) == ["chosen.png"]


def test_previews_come_and_go(page: Page, site: Site) -> None:
    ask(page, "seen while it is drawn")
    job = newest(site.farm)
    assert advance(site.farm.db, take(site.farm, job.id, Stage.ENCODE), "encode-out")
    take(site.farm, job.id, Stage.DENOISE)
    expect(page.locator(".placeholder")).to_be_visible()
    for kind in ("JPEG", "PNG"):
        site.farm.signals.set_preview(job.id, picture(kind))
        address = f"of={crc32(picture(kind)):08x}"
        preview = page.locator(f".preview[src*='{address}']")
        expect(preview).to_be_visible()
        assert preview.evaluate("image => image.decode().then(() => image.naturalWidth)") == 48
        expect(page.locator(".placeholder")).to_be_hidden()
    page.emulate_media(reduced_motion="reduce")
    expect(page.locator(".preview")).to_be_hidden()
    expect(page.locator(".placeholder")).to_be_visible()
    release(site.farm, job.id)
    finish_job(site.farm, job.id)
    expect(page.locator(".pictures figure img")).to_be_visible()
    expect(page.locator(".preview")).to_have_count(0)


def test_enter_that_confirms_a_candidate_does_not_submit(page: Page, site: Site) -> None:
    page.goto("/")
    page.fill("#prompt", "一个圆")
    composing: list[dict[str, object]] = [
        {"isComposing": True, "ctrlKey": True},
        {"keyCode": 229, "ctrlKey": True},
        {"isComposing": True, "metaKey": True},
    ]
    for options in composing:
        page.evaluate(
            """options => document.getElementById("prompt").dispatchEvent(new KeyboardEvent(
                 "keydown", {key: "Enter", bubbles: true, cancelable: true, ...options}))""",
            options,
        )
    page.press("#prompt", "Enter")
    page.wait_for_timeout(300)
    assert "/jobs/" not in page.url
    page.press("#prompt", "Control+Enter")
    page.wait_for_url(re.compile("/jobs/"))


def test_both_languages_and_themes(page: Page) -> None:
    page.goto("/gallery")
    expect(page.get_by_role("heading", level=1)).to_have_text("画廊")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Gallery")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    page.locator("[data-theme-switch]").click()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark


def test_model_changes_what_is_offered_and_warns(page: Page) -> None:
    page.goto("/")
    page.fill("#prompt", "一个红色圆形")
    expect(page.locator("[data-chinese-warning]")).to_have_count(0)
    page.select_option("#model", "english")
    expect(page.locator("[data-chinese-warning]")).to_be_visible()
    expect(page.locator("input[name=size]").first).to_have_value("512x512")
    assert page.input_value("#prompt") == "一个红色圆形"
    page.fill("#prompt", "a red circle")
    expect(page.locator("[data-chinese-warning]")).to_be_hidden()


def test_reference_loads_nothing_from_elsewhere(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    page.locator(".opblock-summary-path", has_text="/api/v1/models").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".responses-table.live-responses-table")).to_contain_text("tiny")
    assert [url for url in asked if not url.startswith((site.url, "data:"))] == []


PAYLOADS = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    '" autofocus onfocus=window.hit=1 x="',
    "</textarea><svg onload=window.hit=1>",
    "javascript:window.hit=1",
    "{{constructor.constructor('window.hit=1')()}}",
    "\u202e<a href=javascript:window.hit=1>x</a>",
    "<div hx-on:htmx:load='window.hit=1' hx-get=/x hx-trigger=load>",
]


def test_hostile_prompts_never_run(page: Page, site: Site) -> None:
    prompt = " ".join(PAYLOADS)
    ask(page, prompt)
    job = newest(site.farm)
    finish_job(site.farm, job.id)
    for path in (f"/jobs/{job.id}", f"/?from={job.id}", "/gallery", "/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.hit") is None
    page.goto(f"/jobs/{job.id}")
    assert page.text_content("h1") == prompt


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.type("typed at once")
    assert page.input_value("#prompt") == "typed at once"
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
    assert {"size", "num_images", "num_inference_steps", "guidance_scale", "seed"} <= reached
    assert {"SUMMARY", "BUTTON"} <= reached


def test_targets_are_large_enough(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/", "/gallery"):
        page.goto(path)
        small = page.evaluate(
            """() => [...document.querySelectorAll("header a, button, select, label:has(input)")]
                 .map(each => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
                 .filter(([, box]) => box.width && (box.height < 24 || box.width < 24))
                 .map(([html]) => html)"""
        )
        assert small == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
