"""`/docs`, the page of the OpenAPI document, in a real Chromium: of this service's files alone."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Browser, Route, expect

from service.testing.running import ServiceProcess
from tests.conftest import SAMPLES
from tests.page.visitor import Visitor, visiting


def opened(visitor: Visitor, path: str = "") -> None:
    visitor.page.goto(f"{visitor.url}{path}/docs")
    expect(visitor.one(".info .title")).to_contain_text("deephar-serve")


def asked(visitor: Visitor, operation: str) -> None:
    """Sends an operation's request by "Try it out"."""
    place = visitor.one(f"#operations-{operation}")
    place.locator(".opblock-summary-control").click()
    place.get_by_role("button", name="Try it out").click()
    place.get_by_role("button", name="Execute").click()


def answered(visitor: Visitor, status: int) -> str:
    answer = visitor.one(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text(str(status))
    return answer.locator("code").first.inner_text()


def test_operations_are_shown_and_tried_out(browser: Browser, service: ServiceProcess) -> None:
    with visiting(browser, service.url) as visitor:
        opened(visitor)
        expect(visitor.one(".errors-wrapper")).to_have_count(0)
        shown = visitor.one(".opblock-summary-path").all_inner_texts()
        assert {"/v1/pose", "/v1/actions", "/v1/models", "/v1/limits"} <= {re.sub(r"\W*$", "", path) for path in shown}
        asked(visitor, "models-models_v1_models_get")
        assert json.loads(answered(visitor, 200))["models"][0]["name"] == "lite"
        schema = visitor.one("#operations-models-models_v1_models_get .response .model-example").first
        expect(schema).to_contain_text("layout")


def test_a_picture_is_sent_and_its_drawing_is_shown(browser: Browser, service: ServiceProcess) -> None:
    with visiting(browser, service.url) as visitor:
        opened(visitor)
        pose = visitor.one("#operations-pose-pose_v1_pose_post")
        pose.locator(".opblock-summary-control").click()
        pose.get_by_role("button", name="Try it out").click()
        pose.locator("input[type=file]").set_input_files(SAMPLES / "person.jpg")
        pose.get_by_label("Media Type").first.select_option("image/jpeg")
        pose.get_by_role("button", name="Execute").click()
        picture = pose.locator(".live-responses-table img")
        expect(picture).to_be_visible()
        assert picture.evaluate("async image => { await image.decode(); return image.naturalWidth }") == 640


def test_where_keys_are_on_the_page_is_open_and_takes_one(
    browser: Browser, keys: tuple[ServiceProcess, str, str]
) -> None:
    service, key, _ = keys
    with visiting(browser, service.url) as visitor:
        opened(visitor)
        asked(visitor, "models-models_v1_models_get")
        assert json.loads(answered(visitor, 401))["code"] == "unauthenticated"
        visitor.one(".scheme-container").get_by_role("button", name="Authorize").click()
        dialog = visitor.one(".dialog-ux")
        bearer = dialog.locator(".auth-container", has_text="bearer")
        bearer.locator("input").fill(key)
        bearer.get_by_role("button", name="Apply credentials").click()
        dialog.get_by_role("button", name="Close").last.click()
        visitor.one("#operations-models-models_v1_models_get").get_by_role("button", name="Execute").click()
        assert json.loads(answered(visitor, 200))["models"][0]["name"] == "lite"
        assert visitor.refusals == [401]


def test_behind_a_path_of_a_proxy_everything_is_asked_for_below_it(visitor: Visitor) -> None:
    below = f"{visitor.url}/behind/it"

    def proxy(route: Route) -> None:
        if route.request.url.startswith(f"{below}/"):
            route.continue_(url=visitor.url + route.request.url.removeprefix(below))
        else:
            route.abort()  # of which the browser complains

    visitor.page.route("**/*", proxy)
    visitor.page.goto(f"{below}/")
    visitor.sample("person.jpg")
    expect(visitor.one("#said")).to_have_text("One person found in person.jpg.")
    expect(visitor.one("#snippet")).to_contain_text(f"{below}/v1/pose")
    opened(visitor, "/behind/it")
    asked(visitor, "models-models_v1_models_get")
    assert json.loads(answered(visitor, 200))["models"][0]["name"] == "lite"
