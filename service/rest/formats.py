"""Answers in formats of other programs (`deephar.formats`), asked for by `Accept` or by the option `format`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from typing import Literal, TypeVar

from deephar.formats import FORMATS, Format, FormatError, Poses
from pydantic import BaseModel, Field

from service.errors import InvalidArgument
from service.pipeline.options import Count, PictureOptions, UploadOptions
from service.rest.payload import room_for_uploads
from service.rest.schemas import LayoutJson, PoseJson
from service.telemetry.metrics import METRICS

JSON = "application/json"
BY_MEDIA_TYPE = {form.media_type: form for form in FORMATS.values()}
MEDIA_TYPES = tuple(BY_MEDIA_TYPE)
Name = Literal["json", "coco", "openpose", "csv", "mot", "trc"]


class FormatOptions(BaseModel):
    """Options of answers that have a format. They follow the others."""

    format: Name | None = Field(
        None, description="of the answer, instead of the header Accept: " + ", ".join(("json", *FORMATS))
    )
    person_id: Count | None = Field(
        None, description="of trc: whom the file is of; absent: who is in most frames, or first in a picture"
    )


class PictureQuestion(FormatOptions, PictureOptions):
    """Options of `/v1/pose`."""


class UploadQuestion(FormatOptions, UploadOptions):
    """Options of `/v1/actions`."""


Question = TypeVar("Question", PictureQuestion, UploadQuestion)


def format_of(accepted: str, question: FormatOptions) -> Format | None:
    """Returns the format that is asked for; None: JSON, or what else is not of `deephar.formats`.

    Args:
        accepted: The media type by `Accept`.
        question: With the option `format`, which counts where that type is JSON.

    Raises:
        InvalidArgument: Both ask for something else, or there is an option of another format.
    """
    form = BY_MEDIA_TYPE.get(accepted)
    if question.format is not None:
        wanted = FORMATS.get(question.format)
        if accepted not in (JSON, wanted.media_type if wanted else JSON):
            raise InvalidArgument(f"Accept asks for {accepted} and format for {question.format}; send one of them")
        form = wanted
    if form is None and question.person_id is not None:
        raise InvalidArgument("person_id is of trc; leave it out, or send format=trc")
    return form


def in_layout_of(form: Format | None, question: Question) -> Question:
    """Returns the options with the layout that the format's readers expect, unless there is one."""
    if form is None or form.layout is None or question.layout:
        return question
    return question.model_copy(update={"layout": form.layout})


def check(form: Format, layout: LayoutJson, has_ids: bool, question: FormatOptions) -> None:
    """Raises `InvalidArgument` where an answer cannot be written in a format."""
    try:
        form.check(layout.model_dump(), has_ids, question.person_id)
    except FormatError as error:
        raise InvalidArgument(str(error)) from None


def pictures_in(form: Format, answers: Sequence[PoseJson], names: Sequence[str | None], question: FormatOptions) -> str:
    """Returns the answers for pictures as one document.

    Raises:
        InvalidArgument: They lack what the format needs.
    """
    layout = answers[0].layout
    check(form, layout, False, question)
    poses = [
        Poses.of_picture(answer.model_dump(), name, number)
        for number, (answer, name) in enumerate(zip(answers, names, strict=True))
    ]
    try:
        return "".join(form.chunks(poses, layout.model_dump(), question.person_id))
    except FormatError as error:
        raise InvalidArgument(str(error)) from None


async def written(
    form: Format, layout: LayoutJson, question: FormatOptions, poses: AsyncGenerator[Poses, None]
) -> AsyncGenerator[bytes, None]:
    """Yields the document of a video, as its frames come.

    Raises:
        InvalidArgument: They lack what the format needs.
        Unavailable: What waits for the end of the video finds no room on the disk.
        DeepharError: What the poses raise.
    """
    with closing(form.open(layout.model_dump(), question.person_id)) as writer:
        text = writer.begin()
        async with aclosing(poses):
            async for each in poses:
                with METRICS.stage("encode").time(), room_for_uploads():
                    text += writer.add(each)
                if text:
                    yield text.encode()
                    text = ""
        try:
            with room_for_uploads():
                for part in writer.end():
                    yield (text + part).encode()
                    text = ""
        except FormatError as error:
            raise InvalidArgument(str(error)) from None
        yield text.encode()
