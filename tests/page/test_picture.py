"""Pictures in the page."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from service.testing.running import ServiceProcess
from tests.conftest import SAMPLES
from tests.page.visitor import Visitor, printed

PERSON = SAMPLES / "person.jpg"


def test_a_sample_shows_the_person_and_the_joints(visitor: Visitor, service: ServiceProcess) -> None:
    visitor.sample("person.jpg")
    expect(visitor.one("#said")).to_have_text("One person found in person.jpg.")
    assert visitor.ink() > 0
    answer = httpx.post(f"{service.url}/v1/pose", content=PERSON.read_bytes()).json()
    (person,) = answer["people"]
    rows = visitor.one("#joints li").all_inner_texts()
    assert [re.sub(r"\s+", " ", row) for row in rows] == [
        f"{joint['name'].replace('_', ' ')} {joint['score']:.2f}" for joint in person["keypoints"]
    ]
    head = person["keypoints"][answer["layout"]["joints"].index("head")]
    visitor.one("#overlay").hover(position=visitor.place(head["x"] + 3, head["y"]))
    expect(visitor.one("#tip")).to_have_text(f"head {head['score']:.2f}")
    expect(visitor.one("#joints li.lit")).to_contain_text("head")
    visitor.one("#overlay").hover(position={"x": 5, "y": 5})
    expect(visitor.one("#tip")).to_be_hidden()
    figures = visitor.one("#figures").inner_text()
    assert re.search(r"Model\s+lite\s+Effort\s+balanced\s+In the service\s+\d+ ms\s+There and back\s+\d+ ms", figures)


def test_a_row_of_the_joints_lights_the_joint_in_the_picture(visitor: Visitor) -> None:
    visitor.sample("person.jpg")
    expect(visitor.one("#joints li")).to_have_count(16)
    before = visitor.drawn("#overlay")
    visitor.one("#joints li").nth(8).hover()
    assert visitor.drawn("#overlay") != before


def test_of_several_people_one_is_chosen_and_the_slider_fades_who_is_below(visitor: Visitor) -> None:
    visitor.sample("people.jpg")
    expect(visitor.one("#said")).to_have_text("4 people found in people.jpg.")
    expect(visitor.one("#people button")).to_have_count(4)
    second = visitor.one("#people button").nth(1)
    second.focus()
    visitor.page.keyboard.press("Enter")
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(visitor.one("#joints-title")).to_have_text("Joints of person 2")
    bright = visitor.ink()
    visitor.one("#score").focus()
    visitor.page.keyboard.press("End")
    expect(visitor.one("#said")).to_have_text("Nobody found in people.jpg, and 4 below the lowest score.")
    expect(visitor.one("#people .below")).to_have_count(4)
    expect(visitor.one("#score-help")).to_contain_text("only clear poses")
    expect(visitor.one("#snippet")).to_contain_text("min_score=1")
    assert 0 < visitor.ink() < bright / 2


def test_the_view_in_space_is_turned_by_keys_pointer_and_buttons(visitor: Visitor) -> None:
    visitor.sample("person.jpg")
    space = visitor.one("#space")
    expect(space).to_be_visible()
    seen = [visitor.drawn("#space")]
    space.focus()
    for key in ("ArrowLeft", "ArrowUp", "Home"):
        visitor.page.keyboard.press(key)
        seen.append(visitor.drawn("#space"))
    for name in ("Side", "Top"):
        visitor.button(name).click()
        seen.append(visitor.drawn("#space"))
    box = space.bounding_box()
    assert box is not None
    visitor.page.mouse.move(box["x"] + 100, box["y"] + 100)
    visitor.page.mouse.down()
    visitor.page.mouse.move(box["x"] + 180, box["y"] + 120, steps=4)
    visitor.page.mouse.up()
    seen.append(visitor.drawn("#space"))
    assert len(set(seen)) == len(seen)
    visitor.button("Front").click()
    assert visitor.drawn("#space") == seen[3]  # Home


@pytest.mark.parametrize("way", ["drop", "paste", "choose"])
def test_a_picture_is_dropped_pasted_or_chosen(visitor: Visitor, way: str) -> None:
    if way == "choose":
        with visitor.page.expect_file_chooser() as chooser:
            visitor.button("Choose a picture or video").press("Enter")
        chooser.value.set_files(PERSON)
    else:
        visitor.give(way, PERSON, "image/jpeg")
    expect(visitor.one("#said")).to_have_text("One person found in person.jpg.")


def test_the_command_and_the_program_give_what_the_page_shows(visitor: Visitor) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    visitor.one("#effort").select_option("fast")
    visitor.sample("people.jpg")
    expect(visitor.one("#snippet")).to_contain_text("effort=fast")
    run = subprocess.run(["bash", "-c", f"{visitor.one('#snippet').inner_text()}"], cwd=SAMPLES, capture_output=True)
    answer = json.loads(run.stdout)
    shown = [text.partition(": ")[2] for text in visitor.one("#people button").all_inner_texts()]
    assert [f"{person['score']:.2f}" for person in answer["people"]] == shown
    visitor.page.get_by_role("tab", name="Shell").focus()
    visitor.page.keyboard.press("ArrowRight")
    expect(visitor.page.get_by_role("tab", name="Python")).to_have_attribute("aria-selected", "true")
    assert [f"{float(line.partition(' ')[0]):.2f}" for line in printed(visitor)] == shown


def test_another_model_or_effort_asks_anew(visitor: Visitor) -> None:
    visitor.sample("person.jpg")
    expect(visitor.one("#figures")).to_contain_text("balanced")
    visitor.one("#effort").select_option("best")
    expect(visitor.one("#figures")).to_contain_text("best")
    visitor.one("#model").select_option("lite")
    expect(visitor.one("#snippet")).to_contain_text("model=lite")


def test_the_picture_is_saved_with_its_skeletons(visitor: Visitor, tmp_path: Path) -> None:
    visitor.sample("person.jpg")
    with visitor.page.expect_download() as download:
        visitor.button("Save picture").click()
    assert download.value.suggested_filename == "person_pose.png"
    with Image.open(io.BytesIO(Path(download.value.path()).read_bytes())) as saved, Image.open(PERSON) as sent:
        assert saved.size == sent.size
        assert saved.convert("RGB").tobytes() != sent.convert("RGB").tobytes()


def test_a_file_that_is_no_picture_is_a_clear_error(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    visitor.give("drop", tmp_path / "notes.txt", "text/plain")
    problem = visitor.page.get_by_role("alert")
    expect(problem).to_contain_text("send a JPEG, PNG, WebP, BMP, HEIC or AVIF file")
    expect(problem).to_contain_text("invalid_image, request ")
    assert visitor.refusals == [422]
    expect(visitor.one("#frame")).to_be_hidden()
    visitor.sample("person.jpg")
    expect(visitor.one("#said")).to_contain_text("One person")
    expect(problem).to_be_empty()


def test_a_picture_that_the_browser_cannot_show_is_shown_as_the_service_reads_it(visitor: Visitor) -> None:
    # As with HEIC, which no library here writes: the browser's first attempt at the file fails.
    visitor.page.evaluate(
        """() => {
          const image = document.getElementById("picture");
          image.decode = () => {
            delete image.decode;
            return Promise.reject(new DOMException("not an image", "EncodingError"));
          };
        }"""
    )
    visitor.give("drop", PERSON, "image/heic")
    expect(visitor.one("#said")).to_have_text("One person found in person.jpg.")
    expect(visitor.one("#picture")).to_be_visible()
    expect(visitor.one("#unshown")).to_be_hidden()
    assert visitor.one("#picture").evaluate("image => image.naturalWidth") == 640
    assert visitor.ink() > 0


def test_a_service_that_cannot_be_reached_is_asked_again_on_demand(visitor: Visitor) -> None:
    visitor.sample("person.jpg")
    expect(visitor.one("#said")).to_contain_text("One person")
    visitor.page.context.set_offline(True)
    visitor.one("#effort").select_option("best")
    expect(visitor.page.get_by_role("alert")).to_contain_text("cannot be reached")
    visitor.page.context.set_offline(False)
    visitor.button("Try again").click()
    expect(visitor.one("#figures")).to_contain_text("best")
    visitor.complaints[:] = [text for text in visitor.complaints if "net::ERR_INTERNET_DISCONNECTED" not in text]
