"""`/v1/limits`: what callers may run into, before they do."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, create_model

from service.pipeline.options import LONGEST_DEADLINE_MS
from service.rest.accept import takes_json
from service.rest.form import LONGEST_OPTION, MOST_FIELDS
from service.rest.openapi import PROBLEMS
from service.rest.payload import LARGEST_DOCUMENT
from service.settings import LIMITS, Settings
from service.video.mp4_boxes import MOST_SAMPLES
from service.vision.images import MOST_SCANS


class BuiltInLimits(BaseModel):
    """Limits that follow from settings, and those that are the same everywhere."""

    max_body_bytes: int = Field(description="of a request with a picture, and of every JSON body")
    max_video_body_bytes: int = Field(description="of a request with a video")
    max_message_bytes: int = Field(description="of a message of gRPC or of a WebSocket")
    max_deadline_ms: int = Field(description="largest `deadline_ms`")
    max_option_characters: int = Field(description="of an option as text, as `boxes`")
    max_form_fields: int = Field(description="of a form, besides its files")
    max_json_values: int = Field(description="in a JSON body")
    max_picture_scans: int = Field(description="of a progressive JPEG")
    max_video_samples: int = Field(description="frames and pieces of sound that a video's index may have")

    @classmethod
    def of(cls, settings: Settings) -> BuiltInLimits:
        return cls(
            **{name: getattr(settings, name) for name in LIMITS},
            max_body_bytes=settings.max_body_bytes,
            max_video_body_bytes=settings.max_video_body_bytes,
            max_message_bytes=settings.max_message_bytes,
            max_deadline_ms=LONGEST_DEADLINE_MS,
            max_option_characters=LONGEST_OPTION,
            max_form_fields=MOST_FIELDS,
            max_json_values=LARGEST_DOCUMENT,
            max_picture_scans=MOST_SCANS,
            max_video_samples=MOST_SAMPLES,
        )


_OF_SETTINGS = {name: Settings.model_fields[name] for name in LIMITS}
Limits = create_model(
    "Limits",
    __base__=BuiltInLimits,
    __doc__="Every limit. A name says the unit; what has none is a number of things.",
    **{name: (field.annotation, Field(description=field.description)) for name, field in _OF_SETTINGS.items()},  # type: ignore[call-overload]
)


def routes(settings: Settings) -> APIRouter:
    router = APIRouter(dependencies=[Depends(takes_json)])
    limits = Limits.of(settings)

    @router.get("/v1/limits", response_model=Limits, responses={406: PROBLEMS[406]}, tags=["operations"])
    async def all_limits() -> BuiltInLimits:
        """What callers may run into at this service."""
        return limits

    return router
