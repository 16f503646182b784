"""The page of a service that wants keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from service.testing.running import ServiceProcess
from tests.page.visitor import Visitor, visiting


@pytest.fixture
def stranger(browser: Browser, keys: tuple[ServiceProcess, str, str]) -> Iterator[Visitor]:
    with visiting(browser, keys[0].url, reduced_motion="reduce") as visitor:
        visitor.open()
        yield visitor


def enter(visitor: Visitor, key: str) -> None:
    visitor.page.get_by_label("API key").fill(key)
    visitor.page.keyboard.press("Enter")


def test_a_key_is_asked_for_kept_in_the_tab_and_sent_with_everything(
    stranger: Visitor, keys: tuple[ServiceProcess, str, str]
) -> None:
    _, key, _ = keys
    expect(stranger.page.get_by_role("alert")).to_contain_text("unauthenticated")
    expect(stranger.page.get_by_label("API key")).to_be_focused()
    enter(stranger, "wrong")
    expect(stranger.page.get_by_role("alert")).to_contain_text("unauthenticated")
    enter(stranger, key)
    expect(stranger.page.get_by_role("alert")).to_be_empty()
    expect(stranger.one("#key")).to_be_hidden()
    stranger.sample("person.jpg")
    expect(stranger.one("#said")).to_have_text("One person found in person.jpg.")
    stranger.button("Use the camera").click()
    expect(stranger.one("#people button")).to_have_count(1)
    for tab in ("Shell", "Python"):
        stranger.page.get_by_role("tab", name=tab).click()
        expect(stranger.one("#snippet")).to_contain_text("DEEPHAR_API_KEY")
        assert key not in stranger.one("#snippet").inner_text()
    stranger.button("Stop").click()
    assert stranger.page.evaluate("[Object.values(sessionStorage), localStorage.length, document.cookie]") == [
        [key],
        0,
        "",
    ]
    stranger.page.reload()
    stranger.sample("person.jpg")
    expect(stranger.one("#said")).to_have_text("One person found in person.jpg.")
    stranger.button("API key").click()
    stranger.button("Forget it").click()
    expect(stranger.page.get_by_role("alert")).to_contain_text("unauthenticated")
    assert stranger.page.evaluate("sessionStorage.length") == 0
    assert set(stranger.refusals) == {401}


def test_who_asks_too_often_is_told_when_to_try_again(stranger: Visitor, keys: tuple[ServiceProcess, str, str]) -> None:
    enter(stranger, keys[2])
    stranger.sample("person.jpg")
    expect(stranger.one("#said")).to_contain_text("One person")
    stranger.one("#effort").select_option("fast")
    expect(stranger.page.get_by_role("alert")).to_contain_text("overloaded")
    again = stranger.page.get_by_role("button", name=re.compile(r"^Try again in \d+ s$"))
    expect(again).to_be_disabled()
