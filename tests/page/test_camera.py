"""The camera in the page: a film stands in for it, in Chromium's made device."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.page.visitor import Visitor

STATE = "film => film.srcObject.getVideoTracks()[0].readyState"  # of the camera


def test_a_camera_shows_poses_and_an_action_until_it_is_stopped(visitor: Visitor) -> None:
    visitor.button("Use the camera").click()
    expect(visitor.one("#actions .bar.first")).to_contain_text("jumping jacks")
    expect(visitor.one("#said")).to_have_text("Person 1: jumping jacks.")
    figures = re.sub(r"\s+", " ", visitor.one("#figures").inner_text())
    wanted = r"Poses a second \d+\.\d Latency \d+ ms Lag in the service \d+ ms Dropped frames \d+ of \d+"
    assert re.search(wanted, figures), figures
    assert visitor.ink() > 0
    expect(visitor.one("#space")).to_be_visible()
    expect(visitor.one("#snippet")).to_contain_text("deephar live 0")
    assert visitor.one("#film").evaluate(STATE) == "live"
    visitor.button("Stop").click()
    assert visitor.one("#film").evaluate(STATE) == "ended"
    expect(visitor.button("Stop")).to_be_hidden()
    expect(visitor.page.get_by_role("alert")).to_be_empty()


def test_another_choice_ends_the_camera(visitor: Visitor) -> None:
    visitor.button("Use the camera").click()
    expect(visitor.one("#people button")).to_have_count(1)
    visitor.button("Samples").click()
    assert visitor.one("#film").evaluate(STATE) == "ended"
    visitor.sample("person.jpg")
    expect(visitor.one("#said")).to_have_text("One person found in person.jpg.")
