"""Both languages are whole, and each page speaks one."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask.testing import FlaskClient

import web
from tests.web.test_pages import text
from web.app import FrontEnd

WEB = Path(web.__file__).parent
FOLDER = WEB / "translations" / "zh" / "LC_MESSAGES"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
# Names and units that are the same in Chinese, and what the catalogue says in its own words.
SAME = {"Myriad", "API", "English", "CFG", "PNG", "WEBP", "JPEG", "Ctrl", "Enter"}
SAME |= {"ControlNet", "LoRA", "Tiny", "reader", "Ink", "in", "ink", "Gold"}


@pytest.fixture(scope="module")
def client(module_app: FrontEnd) -> FlaskClient:
    return module_app.test_client()


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    with (FOLDER / "messages.po").open("rb") as file:
        return read_po(file, locale="zh")


def used_ids() -> Iterator[str]:
    for _, _, message, *_ in extract_from_dir(WEB, METHODS):
        yield message if isinstance(message, str) else message[0]


def test_every_text_is_translated(chinese: Catalog) -> None:
    for message in set(used_ids()):
        found = chinese.get(message)
        assert found is not None, message
        assert found.string
        assert all(found.string), message
        assert not found.fuzzy


def test_no_translation_is_left_over(chinese: Catalog) -> None:
    ids = {each.id if isinstance(each.id, str) else each.id[0] for each in chinese if each.id}
    assert ids == set(used_ids())


def test_compiled_file_is_up_to_date(chinese: Catalog) -> None:
    with (FOLDER / "messages.mo").open("rb") as file:
        compiled = read_mo(file)
    for message in chinese:
        if message.id:
            assert list(compiled[message.id].string) == list(message.string)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-Hant-TW", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("en-GB", "en"),
        ("fr, zh;q=0.5", "zh-Hans"),
        ("fr", "en"),
        ("", "en"),
        ("*;q=0", "en"),
        ("\xff;;;q=x", "en"),
    ],
)
def test_browser_s_language(client: FlaskClient, header: str, language: str) -> None:
    page = client.get("/gallery", headers={"Accept-Language": header})
    assert f'<html lang="{language}">' in page.text
    assert "Accept-Language" in page.headers["Vary"]


def test_choice_is_remembered(app: FrontEnd) -> None:
    client = app.test_client()
    assert "画廊" in client.get("/gallery?lang=zh").text
    assert "画廊" in client.get("/gallery", headers={"Accept-Language": "en"}).text
    assert "Gallery" in client.get("/gallery?lang=en").text
    assert "Gallery" in client.get("/gallery?lang=../zh").text


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("/?model=english&lang=en", "?model=english&lang=zh"),
        ("/login?next=/gallery?cursor=a%26b", "?next=%2Fgallery%3Fcursor%3Da%26b&lang=zh"),
        ("/gallery", "?lang=zh"),
        ("//evil.example/x", "?lang=zh"),
    ],
)
def test_the_other_language_is_at_the_same_address(
    module_app: FrontEnd, path: str, link: str
) -> None:
    headers = {"Accept": "text/html", "Accept-Language": "en"}
    page = module_app.test_client().get(f"http://localhost{path}", headers=headers).text
    found = re.search(r'<a href="([^"]*)" hreflang="zh"', page)
    assert found
    assert unescape(found[1]) == link


@pytest.mark.parametrize("path", ["/", "/gallery", "/login", "/docs", "/nope"])
def test_no_english_is_left_on_chinese_pages(client: FlaskClient, path: str) -> None:
    headers = {"Accept-Language": "zh-CN", "Accept": "text/html"}
    page = re.sub(r"<(code|option|title).*?</\1>", " ", client.get(path, headers=headers).text)
    words = set(re.findall(r"[A-Za-z]{2,}", text(page))) - SAME
    assert words <= {"Not", "Found", "JavaScript"}, words
