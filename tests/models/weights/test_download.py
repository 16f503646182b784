"""Downloads over real HTTP from loopback, whatever the server and the line do."""

from __future__ import annotations

import hashlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.weights.download import DownloadFailed, pull
from models.weights.partial_file import PartialFile
from models.weights.released import Released, released_file
from tests.models.weights_server import BODY, HDF5, MD5, WeightsServer, weights_server

PAGE = b"<!DOCTYPE html><html><head><title>Google Drive -\n Quota exceeded</title></head></html>"
AT_ONCE = (0.0, 0.0)  # three tries without pauses


@dataclass
class Told:
    """A report that keeps what it is told."""

    texts: list[str] = field(default_factory=list)
    amounts: list[tuple[int, int | None]] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.texts.append(text)

    def progress(self, done: int, total: int | None) -> None:
        self.amounts.append((done, total))


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[WeightsServer]:
    with weights_server() as running:
        yield running


def fetched(released: Released, cache: Path, told: Told | None = None) -> bytes:
    file = pull(released, cache, told or Told(), pauses_s=AT_ONCE, timeout_s=5)
    assert file == released_file(released, cache)
    assert [path.name for path in file.parent.iterdir()] == [released.file]  # nothing is left over
    return file.read_bytes()


def failure(released: Released, cache: Path) -> str:
    with pytest.raises(DownloadFailed) as raised:
        pull(released, cache, Told(), pauses_s=AT_ONCE, timeout_s=5)
    assert not released_file(released, cache).exists()
    return str(raised.value)


def broken_off(server: WeightsServer, cache: Path, at: int, md5: str | None = MD5) -> Path:
    """A download that an earlier run did not bring to its end, in `cache`. Returns the part."""
    server.breaks = [at]
    with pytest.raises(DownloadFailed):
        pull(server.released(md5), cache, Told(), pauses_s=(), timeout_s=5)
    server.seen.clear()
    server.sent.clear()
    part = cache / "released" / "weights.h5.part"
    assert part.read_bytes() == BODY[:at]
    return part


def test_a_file_arrives_whole_and_is_reported(server: WeightsServer, tmp_path: Path) -> None:
    told = Told()
    assert fetched(server.released(), tmp_path, told) == BODY
    assert told.amounts[-1] == (len(BODY), len(BODY))
    assert "with the published MD5" in told.texts[-1]


def test_a_file_that_is_there_and_right_is_not_asked_for(server: WeightsServer, tmp_path: Path) -> None:
    fetched(server.released(), tmp_path)
    told = Told()
    assert fetched(server.released(), tmp_path, told) == BODY
    assert len(server.seen) == 1
    assert "already there" in told.texts[0]


@pytest.mark.parametrize("content", [HDF5 + b"truncated", PAGE, b""])
def test_a_file_that_is_there_and_wrong_is_replaced(server: WeightsServer, tmp_path: Path, content: bytes) -> None:
    target = released_file(server.released(), tmp_path)
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    assert fetched(server.released(), tmp_path) == BODY


def test_a_connection_that_breaks_is_taken_up_again(server: WeightsServer, tmp_path: Path) -> None:
    server.breaks = [50_000, 70_000]
    assert fetched(server.released(), tmp_path) == BODY
    assert server.ranges_asked == [None, "bytes=50000-", "bytes=120000-"]
    assert sum(server.sent) == len(BODY)


def test_tries_that_bring_something_do_not_count(server: WeightsServer, tmp_path: Path) -> None:
    server.breaks = [30_000] * 6
    assert fetched(server.released(), tmp_path) == BODY
    assert len(server.seen) == 7


def test_a_server_that_always_breaks_at_one_place_is_given_up(server: WeightsServer, tmp_path: Path) -> None:
    server.ranges = False
    server.breaks = [40_000] * 9
    assert "3 times in a row" in failure(server.released(), tmp_path)
    assert len(server.seen) == 3


@settings(max_examples=15)
@given(st.lists(st.integers(0, len(BODY)), max_size=4), st.booleans(), st.booleans())
def test_wherever_it_breaks_the_file_is_the_file(breaks: list[int], ranges: bool, length: bool) -> None:
    with weights_server() as server, tempfile.TemporaryDirectory() as folder:
        server.breaks, server.ranges, server.length = breaks, ranges, length
        pull(server.released(), Path(folder), Told(), pauses_s=(0.0,) * 5, timeout_s=5)
        assert released_file(server.released(), Path(folder)).read_bytes() == BODY


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_later_run_goes_on_if_the_file_is_still_the_same(
    server: WeightsServer, tmp_path: Path, md5: str | None
) -> None:
    broken_off(server, tmp_path, 60_000, md5)
    assert fetched(server.released(md5), tmp_path) == BODY
    assert server.ranges_asked == ["bytes=60000-"]
    assert server.seen[0]["If-Range"] == '"one"'
    assert server.sent == [len(BODY) - 60_000]


def test_without_a_strong_etag_the_date_tells_whether_it_is_the_same(server: WeightsServer, tmp_path: Path) -> None:
    server.etag, server.last_modified = 'W/"weak"', "Tue, 19 Sep 2017 10:00:00 GMT"
    broken_off(server, tmp_path, 60_000, md5=None)
    assert fetched(server.released(None), tmp_path) == BODY
    assert server.seen[0]["If-Range"] == server.last_modified


@pytest.mark.parametrize(("md5", "first"), [(MD5, "bytes=60000-"), (None, None)])
def test_with_neither_only_an_md5_makes_going_on_safe(
    server: WeightsServer, tmp_path: Path, md5: str | None, first: str | None
) -> None:
    server.etag = None
    broken_off(server, tmp_path, 60_000, md5)
    assert fetched(server.released(md5), tmp_path) == BODY
    assert server.ranges_asked == [first]


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_has_changed_is_fetched_from_its_start(
    server: WeightsServer, tmp_path: Path, heeds_if_range: bool
) -> None:
    broken_off(server, tmp_path, 60_000, md5=None)
    server.body, server.etag, server.if_range = HDF5 + BODY[::-1], '"two"', heeds_if_range
    assert fetched(server.released(None), tmp_path) == server.body


def test_a_server_that_cannot_resume_sends_all_again(server: WeightsServer, tmp_path: Path) -> None:
    broken_off(server, tmp_path, 60_000)
    server.ranges = False
    assert fetched(server.released(), tmp_path) == BODY
    assert server.sent == [len(BODY)]


def test_a_part_longer_than_the_file_is_dropped(server: WeightsServer, tmp_path: Path) -> None:
    part = broken_off(server, tmp_path, 60_000)
    part.write_bytes(BODY + b"more")
    assert fetched(server.released(), tmp_path) == BODY
    assert server.ranges_asked == [f"bytes={len(BODY) + 4}-", None]


def test_a_part_that_is_complete_is_only_checked(server: WeightsServer, tmp_path: Path) -> None:
    part = broken_off(server, tmp_path, 60_000)
    part.write_bytes(BODY)
    assert fetched(server.released(), tmp_path) == BODY
    assert server.seen == []


def test_damaged_notes_beside_a_part_do_no_harm(server: WeightsServer, tmp_path: Path) -> None:
    part = broken_off(server, tmp_path, 60_000, md5=None)
    part.with_name(part.name + ".json").write_text("[")
    assert fetched(server.released(None), tmp_path) == BODY
    assert server.ranges_asked == [None]


def test_redirects_are_followed_with_the_range(server: WeightsServer, tmp_path: Path) -> None:
    server.redirects = True
    broken_off(server, tmp_path, 60_000)
    assert fetched(server.released(), tmp_path) == BODY
    assert server.ranges_asked == ["bytes=60000-"]


def test_a_body_of_unknown_length(server: WeightsServer, tmp_path: Path) -> None:
    server.length, server.breaks = False, [50_000]
    told = Told()
    assert fetched(server.released(None), tmp_path, told) == BODY
    assert told.amounts[0][1] is None


def test_another_file_is_refused_with_both_sums_and_removed(server: WeightsServer, tmp_path: Path) -> None:
    server.body = HDF5 + b"other weights"
    text = failure(server.released(), tmp_path)
    assert MD5 in text
    assert hashlib.md5(server.body).hexdigest() in text
    assert list((tmp_path / "released").iterdir()) == []


def test_a_web_page_is_refused_and_the_way_by_hand_told(server: WeightsServer, tmp_path: Path) -> None:
    server.body, server.content_type = PAGE, "text/html; charset=utf-8"
    text = failure(server.released(None), tmp_path)
    assert 'a web page instead of the file ("Google Drive - Quota exceeded")' in text
    assert "https://example.org/page" in text
    assert f"save it as {released_file(server.released(), tmp_path)}" in text
    assert "deephar-models weights import mpii" in text
    assert len(server.seen) == 1
    assert list((tmp_path / "released").iterdir()) == []


@pytest.mark.parametrize(("body", "kind"), [(PAGE, "text/html"), (PAGE, "application/octet-stream"), (b"", "x/y")])
def test_what_is_not_the_file_does_not_cost_what_is_here(
    server: WeightsServer, tmp_path: Path, body: bytes, kind: str
) -> None:
    part = broken_off(server, tmp_path, 60_000)
    server.ranges, server.body, server.content_type = False, body, kind
    failure(server.released(), tmp_path)
    assert part.read_bytes() == BODY[:60_000]
    server.ranges, server.body, server.content_type = True, BODY, "application/octet-stream"
    assert fetched(server.released(), tmp_path) == BODY
    assert server.sent[-1] == len(BODY) - 60_000


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(server: WeightsServer, tmp_path: Path, status: int) -> None:
    server.refusals = [status] * 3
    text = failure(server.released(), tmp_path)
    assert str(status) in text
    assert "https://example.org/page" in text
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [204, 206])
def test_an_answer_that_was_not_asked_for_is_refused(server: WeightsServer, tmp_path: Path, status: int) -> None:
    server.status = status
    assert f"answered {status}" in failure(server.released(), tmp_path)


def test_a_busy_server_is_asked_again_when_it_says(server: WeightsServer, tmp_path: Path) -> None:
    server.refusals, server.headers = [503], {"Retry-After": "1"}
    told = Told()
    assert fetched(server.released(), tmp_path, told) == BODY
    assert "503 Service Unavailable; trying again in 1 s" in told.texts[1]


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as bound:  # bound, not listening: connections are refused
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/weights.h5"
        text = failure(Released("mpii", "weights.h5", MD5, "a test", url, "https://example.org/page"), tmp_path)
    assert "Connection refused" in text
    assert "3 times in a row" in text


def test_a_server_that_falls_silent_is_not_waited_for(server: WeightsServer, tmp_path: Path) -> None:
    done = threading.Event()
    server.breaks, server.before_break = [50_000], lambda: done.wait(10)
    file = pull(server.released(), tmp_path, Told(), pauses_s=AT_ONCE, timeout_s=0.3)
    assert file.read_bytes() == BODY
    assert server.ranges_asked == [None, "bytes=50000-"]
    done.set()


def test_a_file_that_the_disk_cannot_hold_is_not_begun(server: WeightsServer, tmp_path: Path) -> None:
    server.headers = {"Content-Length": str(10**18)}
    text = failure(server.released(), tmp_path)
    assert "1000000000000.0 MB more are needed" in text
    assert list((tmp_path / "released").iterdir()) == []


def test_two_pulls_of_one_file_do_not_mix(server: WeightsServer, tmp_path: Path) -> None:
    with PartialFile(released_file(server.released(), tmp_path)):
        assert "another pull" in failure(server.released(), tmp_path)
    assert fetched(server.released(), tmp_path) == BODY
