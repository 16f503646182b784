"""Several pictures in one request: an answer for each, in order."""

from __future__ import annotations

import httpx
import pytest

from tests.odd_pictures import picture as quarters
from tests.picture_files import file
from tests.unit.parts import Gateway
from tests.unit.rest.test_app import PERSON, asked

SMALL = file(quarters(), "PNG")


def form(*pictures: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{i}.jpg", data)) for i, data in enumerate(pictures)]


def test_each_has_its_answer_in_order() -> None:
    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        alone = [(await client.post("/v1/pose", files=form(data))).json() for data in (PERSON, SMALL)]
        answer = await client.post("/v1/pose", files=form(PERSON, SMALL, PERSON))
        assert answer.status_code == 200, answer.text
        answers = answer.json()["answers"]
        assert [one["image"]["width"] for one in answers] == [640, quarters().width, 640]
        for one, other in zip(answers, [*alone, alone[0]], strict=True):
            assert {**one, "timing_ms": None} == {**other, "timing_ms": None}
        assert parts.pipeline.requests.inside == 0

    asked(work)


def test_a_bad_one_has_its_problem_and_the_others_are_answered() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        alone = await client.post("/v1/pose", files=form(PERSON[:5000]))
        answers = (await client.post("/v1/pose", files=form(PERSON, PERSON[:5000], b"GIF89a" + bytes(30)))).json()[
            "answers"
        ]
        assert answers[0]["model"] == "lite"
        assert answers[1] == alone.json()
        assert (answers[2]["status"], answers[2]["code"]) == (415, "unsupported_media_type")

    asked(work)


@pytest.mark.parametrize(
    ("count", "data", "headers", "status", "says"),
    [
        (5, {}, {}, 422, "more than 4 of 'image'"),
        (2, {"boxes": "[[1, 2, 3, 4]]"}, {}, 422, "boxes belong to one picture"),
        (2, {"flip": "perhaps"}, {}, 422, "flip must be"),
        (2, {"model": "nobody's"}, {}, 404, "there is no model"),
        (2, {}, {"Accept": "image/jpeg"}, 406, "ask for application/json"),
    ],
)
def test_what_is_wrong_with_all_of_them_is_an_error(
    count: int, data: dict[str, str], headers: dict[str, str], status: int, says: str
) -> None:
    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        answer = await client.post("/v1/pose", files=form(*[PERSON] * count), data=data, headers=headers)
        assert answer.status_code == status
        assert says in answer.json()["detail"]
        assert parts.pipeline.requests.inside == 0

    asked(work, max_pictures=4)


def test_each_takes_a_place() -> None:
    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        assert (await client.post("/v1/pose", files=form(PERSON, PERSON, PERSON))).status_code == 200
        with parts.pipeline.requests.enter():
            answer = await client.post("/v1/pose", files=form(PERSON, PERSON, PERSON))
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        answer = await client.post("/v1/pose", files=form(PERSON, PERSON, PERSON, PERSON))
        assert answer.status_code == 422, "never all at once"

    asked(work, max_requests=3)


def test_json_is_taken_where_it_is_second_best() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        headers = {"Accept": "image/jpeg, application/json;q=0.9"}
        answer = await client.post("/v1/pose", files=form(PERSON, PERSON), headers=headers)
        assert len(answer.json()["answers"]) == 2

    asked(work)
