"""The camera in the page: a film stands in for it, in Chromium's made device."""

from __future__ import annotations

import re
import signal

from playwright.sync_api import expect

from service.testing.running import ServiceProcess
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


def test_a_camera_that_is_unplugged_is_told_and_asked_for_again_on_demand(visitor: Visitor) -> None:
    visitor.button("Use the camera").click()
    expect(visitor.one("#people button")).to_have_count(1)
    visitor.one("#film").evaluate("film => film.srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    expect(visitor.page.get_by_role("alert")).to_contain_text("The camera is gone; connect it again")
    expect(visitor.button("Stop")).to_be_hidden()
    visitor.button("Try again").click()
    expect(visitor.one("#said")).to_have_text(re.compile(r"^The camera is on\.$|^Person 1: "))
    assert visitor.one("#film").evaluate(STATE) == "live"


def test_a_camera_that_is_allowed_after_stop_is_not_left_on(visitor: Visitor) -> None:
    visitor.page.evaluate(
        """() => {
          const media = navigator.mediaDevices, open = media.getUserMedia.bind(media);
          media.getUserMedia = async (wanted) => {
            await new Promise((allow) => (window.allow = allow));
            return (window.opened = await open(wanted));
          };
        }"""
    )
    visitor.button("Use the camera").click()
    expect(visitor.button("Stop")).to_be_visible()
    visitor.page.evaluate("new Promise(done => setInterval(() => window.allow && done()))")
    visitor.button("Stop").click()
    visitor.page.evaluate("allow()")
    state = "new Promise(done => setInterval(() => window.opened && done(opened.getVideoTracks()[0].readyState)))"
    assert visitor.page.evaluate(state) == "ended"
    visitor.one("#effort").select_option("fast")  # does not turn it on again
    expect(visitor.button("Stop")).to_be_hidden()


def test_a_service_that_falls_silent_is_told_until_it_answers_again(visitor: Visitor, service: ServiceProcess) -> None:
    visitor.button("Use the camera").click()
    expect(visitor.one("#people button")).to_have_count(1)
    service.process.send_signal(signal.SIGSTOP)
    try:
        expect(visitor.one("#said")).to_contain_text("Nothing comes from the service")
        assert visitor.ink() == 0
        expect(visitor.one("#busy")).to_be_visible()
    finally:
        service.process.send_signal(signal.SIGCONT)
    expect(visitor.one("#people button")).to_have_count(1)
    expect(visitor.one("#busy")).to_be_hidden()
    expect(visitor.one("#state")).to_have_text("ready")
