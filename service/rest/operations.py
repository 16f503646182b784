"""`/v1/limits`: what callers may run into, before they do."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, create_model

from service.pipeline.options import LONGEST_DEADLINE_MS
from service.rest.form import LONGEST_OPTION, MOST_FIELDS
from service.rest.payload import LARGEST_DOCUMENT
from service.settings import LIMITS, Settings
from service.video.mp4_boxes import MOST_SAMPLES
from service.vision.images import MOST_SCANS


class BuiltInLimits(BaseModel):
    """Limits that follow from settings, and those that are the same everywhere."""

    model_config = ConfigDict(title="Limits")

    max_body_bytes: int = Field(description="of a request with a picture, and of every JSON body")
    max_video_body_bytes: int = Field(description="of a request with a video")
    max_message_bytes: int = Field(description="of a message of gRPC or of a WebSocket")
    max_deadline_ms: int = Field(LONGEST_DEADLINE_MS, description="largest `deadline_ms`")
    max_option_characters: int = Field(LONGEST_OPTION, description="of an option as text, as `boxes`")
    max_form_fields: int = Field(MOST_FIELDS, description="of a form, besides its files")
    max_json_values: int = Field(LARGEST_DOCUMENT, description="in a JSON body")
    max_picture_scans: int = Field(MOST_SCANS, description="of a progressive JPEG")
    max_video_samples: int = Field(MOST_SAMPLES, description="frames and pieces of sound that a video's index may have")


Limits = create_model(
    "Limits",
    __base__=BuiltInLimits,
    **{name: (Settings.model_fields[name].annotation, Settings.model_fields[name]) for name in LIMITS},  # type: ignore[call-overload]
)


def routes(settings: Settings) -> APIRouter:
    router = APIRouter()
    limits = Limits.model_validate(settings, from_attributes=True)

    @router.get("/v1/limits", response_model=Limits, tags=["operations"])
    async def all_limits() -> BuiltInLimits:
        """The limits of this service. Names say the unit; what has none is a number of things."""
        return limits

    return router
