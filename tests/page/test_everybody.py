"""The page for everybody: on phones, by the keyboard, in both themes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from service.testing.running import ServiceProcess
from tests.conftest import ROOT
from tests.page.visitor import Visitor, visiting

STYLE = (ROOT / "clients" / "web" / "style.css").read_text()
TEXT, PART = 4.5, 3.0  # WCAG 2.2, AA: of text, and of what one must see of a control
PAIRS = [
    *(("text", ground, TEXT) for ground in ("ground", "card", "tint", "code")),
    *(("soft", ground, TEXT) for ground in ("ground", "card")),
    *(("accent", ground, TEXT) for ground in ("ground", "card", "tint")),
    ("on-accent", "accent", TEXT),
    ("wrong", "wrong-ground", TEXT),
    ("wrong", "ground", TEXT),
    ("good", "ground", TEXT),
    *((mark, "card", PART) for mark in ("field", "right", "left", "middle")),
    ("field", "ground", PART),
]


def colours(theme: str) -> dict[str, str]:
    """The variables of a theme by name; the dark one changes those of the light one."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark)) if theme == "dark" else {})


def luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrasts(theme: str) -> None:
    of = colours(theme)
    low = {}
    for front, ground, least in PAIRS:
        darker, lighter = sorted((luminance(of[front]), luminance(of[ground])))
        contrast = (lighter + 0.05) / (darker + 0.05)
        if contrast < least:
            low[front, ground] = round(contrast, 2)
    assert low == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_has_the_theme_of_its_visitor(visitor: Visitor, theme: Literal["light", "dark"]) -> None:
    visitor.page.emulate_media(color_scheme=theme)
    wanted = tuple(int(colours(theme)["ground"][at : at + 2], 16) for at in (1, 3, 5))
    assert visitor.one("body").evaluate("body => getComputedStyle(body).backgroundColor") == f"rgb{wanted}"


@pytest.fixture
def phone(browser: Browser, service: ServiceProcess) -> Iterator[Visitor]:
    size = {"width": 360, "height": 740}
    with visiting(
        browser, service.url, viewport=size, has_touch=True, is_mobile=True, device_scale_factor=2
    ) as visitor:
        visitor.open()
        yield visitor


def test_on_a_phone_nothing_is_wider_than_the_screen(phone: Visitor) -> None:
    def width() -> int:
        return int(phone.page.evaluate("document.documentElement.scrollWidth"))

    assert width() == 360
    phone.one('[data-sample="people.jpg"]').tap()
    expect(phone.one("#said")).to_have_text("4 people found in people.jpg.")
    assert width() == 360
    phone.button("Samples").tap()
    phone.one('[data-sample="jumping_jacks.mp4"]').tap()
    expect(phone.one("#timeline button")).to_have_count(1)
    expect(phone.one("#said")).to_contain_text("jumping jacks")
    assert width() == 360
    for button in phone.page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["height"], box["width"]) >= 24, button.inner_text()  # WCAG 2.2, AA: size of targets


def test_every_control_is_reached_by_the_keyboard_and_has_a_name(visitor: Visitor) -> None:
    visitor.sample("jumping_jacks.mp4")
    expect(visitor.one("#said")).to_contain_text("jumping jacks")
    controls = "button, input, select, a[href], [tabindex='0']"
    visible = visitor.one("body").locator(f":is({controls}):visible:not(:disabled):not([tabindex='-1'])")
    wanted = visible.evaluate_all("all => all.map((one, at) => (one.dataset.mark = at))")
    visitor.page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(2 * len(wanted)):
        visitor.page.keyboard.press("Tab")
        mark, outline = visitor.page.evaluate(
            "[document.activeElement.dataset.mark, getComputedStyle(document.activeElement).outlineStyle]"
        )
        if mark is not None:
            assert outline == "solid", mark
            reached.add(int(mark))
    assert reached == set(wanted)
    tree = visitor.one("body").aria_snapshot()
    assert not re.findall(r"^\s*- (?:button|slider|combobox|textbox|link|tab|img)(?: \[.*?\])?:?$", tree, re.MULTILINE)


def test_errors_and_results_are_announced(visitor: Visitor) -> None:
    assert visitor.one("#problem").get_attribute("role") == "alert"
    assert visitor.one("#said").get_attribute("role") == "status"
    for selector in ("#problem", "#said"):  # they are there before there is anything to say
        assert visitor.one(selector).evaluate("one => getComputedStyle(one).visibility") == "visible"


def test_nothing_moves_by_itself_for_those_who_want_it_so(visitor: Visitor) -> None:
    visitor.sample("jumping_jacks.mp4")
    expect(visitor.one("#said")).to_contain_text("jumping jacks")
    expect(visitor.button("Play")).to_be_visible()
    assert visitor.one("#film").evaluate("film => film.paused")
