"""Models, readiness and health as JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.networks.engines import BuildingEngine
from service.networks.model import Model, ModelState
from service.rest.schemas import LayoutJson


class ModelJson(BaseModel):
    name: str
    version: str
    ready: bool
    missing: list[str] = Field(description="where it is not ready: what is not there, and why")
    card: dict[str, Any] = Field(description="what the model is: crop, layout, labels, weights, licence")
    layout: LayoutJson

    @staticmethod
    def of(model: Model) -> ModelJson:
        return ModelJson(
            name=model.name,
            version=model.version,
            ready=model.ready,
            missing=list(model.missing),
            card=model.card.model_dump(exclude_none=True),
            layout=LayoutJson.of(model.layout, model.card.has_depth),
        )


class ModelStateJson(BaseModel):
    name: str
    version: str = Field(description="that answers; empty where none was ever loaded")
    ready: bool
    missing: list[str] = Field(description="what is not there, and why")

    @staticmethod
    def of(state: ModelState) -> ModelStateJson:
        return ModelStateJson(name=state.name, version=state.version, ready=state.ready, missing=list(state.missing))


class ModelsJson(BaseModel):
    models: list[ModelJson]
    incomplete: list[ModelStateJson] = Field(description="models of which so much is missing that they have no card")


class HealthJson(BaseModel):
    status: Literal["ok", "not ready"]


class EngineJson(BaseModel):
    """The engine for the GPU that is being built."""

    building: str = Field(description="its network")
    step: str = Field(description="what is done at present, in the builder's words")
    done: float | None = Field(description="share of that step, 0 to 1, where it is known")
    built: int = Field(description="engines that are finished")
    wanted: int = Field(description="engines in all")
    seconds: float = Field(description="since this engine was begun")

    @staticmethod
    def of(engine: BuildingEngine) -> EngineJson:
        return EngineJson.model_validate(engine.model_dump(exclude={"began_s"}) | {"seconds": engine.seconds()})


class ReadyJson(BaseModel):
    status: Literal["ok", "not ready"]
    reason: str | None = Field(None, description="what the service cannot do at present")
    models: list[ModelStateJson] = Field(description="and the detector `person`")
    engines: EngineJson | None = Field(None, description="only while engines for a GPU are being built")
