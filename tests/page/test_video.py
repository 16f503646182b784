"""Videos in the page."""

from __future__ import annotations

import io
import math
import re
import statistics
from pathlib import Path

import av
import httpx
from PIL import Image
from playwright.sync_api import expect

from service.testing.running import ServiceProcess
from tests.conftest import SAMPLES
from tests.page.visitor import Visitor, printed

ANSWERED = re.compile(r"^(jumping_jacks|old)\.\w+: person 1: jumping jacks 0\.\d\d\.$")


def test_a_video_shows_its_actions_and_the_timeline_seeks_it(visitor: Visitor) -> None:
    visitor.sample("jumping_jacks.mp4")
    expect(visitor.one("#said")).to_have_text(ANSWERED)
    segment = visitor.one("#timeline button").first
    expect(segment).to_have_text(re.compile(r"^jumping jacks 0\.\d\d$"))
    seek, film = visitor.one("#seek"), visitor.one("#film")
    seek.fill("2.5")
    expect(visitor.one("#time")).to_have_text("2.5 / 4.0 s")
    assert abs(film.evaluate("film => film.currentTime") - 2.5) < 0.05
    later = visitor.drawn("#overlay")
    assert visitor.ink() > 0
    expect(visitor.one("#actions .bar.first")).to_contain_text("jumping jacks")
    segment.focus()
    visitor.page.keyboard.press("Enter")
    expect(visitor.one("#time")).to_have_text("0.0 / 4.0 s")
    expect(segment).to_have_attribute("aria-current", "time")
    assert visitor.drawn("#overlay") != later
    seek.focus()
    visitor.page.keyboard.press("End")
    expect(visitor.one("#time")).to_have_text("4.0 / 4.0 s")
    assert re.search(r"Frames\s+100\s+Lost frames\s+0", visitor.one("#figures").inner_text())
    expect(visitor.one("#snippet")).to_contain_text("-F video=@jumping_jacks.mp4")
    visitor.page.get_by_role("tab", name="Python").click()
    (line,) = printed(visitor)
    assert re.fullmatch(r"0\.0 3\.\d+ 1 jumping_jacks 0\.\d+", line)


def test_between_two_samples_fast_arms_are_where_the_film_shows_them(visitor: Visitor, service: ServiceProcess) -> None:
    visitor.sample("jumping_jacks.mp4")
    expect(visitor.one("#said")).to_have_text(ANSWERED)
    with av.open(str(SAMPLES / "jumping_jacks.mp4")) as film:
        frames = dict(enumerate(film.decode(video=0)))
    misses = []
    for number in range(34, 66, 4):  # the arms go up and down
        visitor.one("#seek").fill(f"{number / 25:.2f}")
        jpeg = io.BytesIO()
        Image.fromarray(frames[number].to_ndarray(format="rgb24")).save(jpeg, "JPEG", quality=95)
        (person,) = httpx.post(f"{service.url}/v1/pose", content=jpeg.getvalue()).json()["people"]
        titles = visitor.one("#joints li").evaluate_all("rows => rows.map(row => row.title)")
        for joint, title in zip(person["keypoints"], titles, strict=True):
            if re.search("elbow|wrist", joint["name"]):
                x, y = map(float, re.findall(r"-?\d+\.\d", title)[:2])
                misses.append(math.dist((x, y), (joint["x"], joint["y"])) / person["box"][3])
    assert statistics.median(misses) < 0.015  # of the height; 0.028 with the filter of the live stream


def test_the_film_plays_with_its_skeletons(visitor: Visitor) -> None:
    visitor.sample("jumping_jacks.mp4")
    expect(visitor.one("#said")).to_have_text(ANSWERED)
    visitor.button("Play").click()
    visitor.page.wait_for_timeout(300)
    pictures = {visitor.drawn("#overlay")}
    visitor.page.wait_for_timeout(400)
    pictures.add(visitor.drawn("#overlay"))
    assert len(pictures) == 2
    visitor.button("Pause").click()
    assert visitor.one("#film").evaluate("film => film.paused && film.currentTime > 0.3")
    # Where the film stands, the joints are those of that time: what a new visit to it shows.
    time = float(visitor.one("#seek").input_value())
    paused = visitor.drawn("#overlay")
    visitor.one("#seek").fill("0")
    expect(visitor.one("#time")).to_have_text("0.0 / 4.0 s")
    assert visitor.drawn("#overlay") != paused
    visitor.one("#seek").evaluate(
        "(seek, time) => { seek.value = time; seek.dispatchEvent(new Event('input')); }", time
    )
    expect(visitor.one("#time")).to_have_text(f"{time:.1f} / 4.0 s")


def test_a_film_that_the_browser_cannot_play_is_shown_as_skeletons(visitor: Visitor, tmp_path: Path) -> None:
    old = tmp_path / "old.avi"
    with av.open(str(SAMPLES / "jumping_jacks.mp4")) as source, av.open(str(old), "w") as film:
        stream = film.add_stream("mpeg4", rate=25, options={"qscale": "3"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for frame in source.decode(video=0):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")))
        film.mux(stream.encode(None))
    visitor.one("#file").set_input_files(old)
    expect(visitor.one("#said")).to_have_text(ANSWERED)
    expect(visitor.one("#unshown")).to_be_visible()
    first = visitor.drawn("#overlay")
    assert visitor.ink() > 0
    visitor.one("#seek").fill("3.2")
    visitor.button("Play").click()
    expect(visitor.button("Play")).to_be_visible()  # at its end
    expect(visitor.one("#time")).to_have_text("4.0 / 4.0 s")
    visitor.one("#timeline button").first.click()
    expect(visitor.one("#time")).to_have_text("0.0 / 4.0 s")
    assert visitor.drawn("#overlay") == first


def test_a_video_that_is_none_is_a_clear_error(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes((SAMPLES / "jumping_jacks.mp4").read_bytes()[:3000])
    visitor.one("#file").set_input_files(tmp_path / "broken.mp4")
    expect(visitor.page.get_by_role("alert")).to_contain_text("invalid_video")
    assert visitor.refusals == [422]
    expect(visitor.one("#busy")).to_be_hidden()
