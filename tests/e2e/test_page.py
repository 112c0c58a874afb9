"""From the form to the picture in a real Chromium, with a whole farm behind it."""

import io
import re
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect, sync_playwright

from model.description import DescribedThing, Description
from model.draw import draw as paint
from model.scene import Scene, Thing
from model.style import FRAMED
from tests.e2e.conftest import LiveFarm
from tests.web.test_browser import ARGUMENTS, CHROMIUM, pytestmark  # noqa: F401
from tests.workers.picture_input import png

CIRCLE = Thing("circle", "red", "large", 0.5, 0.5, 0.215)
BLUE_CIRCLE = Description((DescribedThing("circle", "blue"),), "white")


@pytest.fixture
def page(live_farm: LiveFarm) -> Iterator[Page]:
    assert CHROMIUM, "CI must have Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(base_url=live_farm.url, locale="en")
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def test_a_picture_handed_in_is_seen_to_change(page: Page) -> None:
    _, data = png(paint(Scene("white", (CIRCLE,), "center")))
    page.goto("/")
    page.fill("#prompt", "a large blue circle on a white background")
    for summary in ("Start from a picture", "Styles (LoRA)"):
        page.locator("summary", has_text=summary).click()
    page.set_input_files("#image", FilePayload(name="a.png", mimeType="image/png", buffer=data))
    page.fill("#strength", "0.7")
    page.check(f"input[name=lora_{FRAMED.name}]")
    page.fill("#steps", "150")
    page.click("button.primary")
    page.wait_for_url(re.compile("/jobs/"))
    preview = page.locator("img.preview")
    expect(preview).to_be_visible()
    assert preview.evaluate("image => image.decode().then(() => image.naturalWidth)") == 128
    picture = page.locator(".pictures figure img")
    expect(picture).to_be_visible(timeout=60_000)
    expect(page.locator(".preview")).to_have_count(0)
    address = picture.evaluate("image => image.src")
    image = Image.open(io.BytesIO(httpx.get(address, trust_env=False).content))
    assert FRAMED.is_style(image)
    assert FRAMED.check(image, BLUE_CIRCLE).is_all_right
