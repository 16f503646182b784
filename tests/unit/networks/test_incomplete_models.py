"""Models of which a part is missing: what is told to callers, and in the log."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import Unavailable, UnknownModel
from service.networks.catalogue import Catalogue
from service.networks.repository import read
from service.settings import ROOT
from service.testing.networks import FakeServer


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """`lite`, and `other` with the same networks."""
    folder = Path(shutil.copytree(ROOT / "model_repository", tmp_path / "models"))
    for network in ("frame", "clip"):
        config = Path(shutil.copytree(folder / f"lite_{network}", folder / f"other_{network}")) / "config.pbtxt"
        text = re.sub(r'lite_(clip|frame)|\\"model\\": \\"lite\\"', _as_other, config.read_text())
        config.write_text(text)
    return folder


def _as_other(found: re.Match[str]) -> str:
    return found[0].replace("lite", "other")


def edit(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))


def loaded(repository: Path) -> Catalogue:
    """The catalogue of a service that loads the repository itself: what is refused is not loaded."""
    refusals = {name: folder.refusal for name, folder in read(repository).items() if folder.refusal}
    server = FakeServer(repository)
    server.versions = dict.fromkeys(refusals, "")
    return Catalogue(server, "lite", None, 60, refusals)


def polled(repository: Path) -> Catalogue:
    """That of a Triton which loads whatever there is."""
    return Catalogue(FakeServer(repository), "lite", None, 60)


Spoil = Callable[[Path], None]
FRAME, CLIP = "other_frame", "other_clip"


def remove(path: str) -> Spoil:
    return lambda repository: shutil.rmtree(repository / path)


WRONG: list[tuple[Spoil, str]] = [
    (remove(FRAME), "other_frame is not in the repository"),
    (lambda r: edit(r / FRAME / "config.pbtxt", '"card"', '"cart"'), "it has no card: "),
    (lambda r: edit(r / FRAME / "config.pbtxt", '"image"', '"picture"'), "the input image of shape [192, 192, 3]"),
    (lambda r: edit(r / FRAME / "config.pbtxt", '"keypoint_scores"', '"scores"'), "no output keypoint_scores"),
    (lambda r: edit(r / FRAME / "config.pbtxt", '"action_features"', '"more"'), "no output action_features"),
]  # fmt: skip
ON_DISK: list[tuple[Spoil, str]] = [
    (remove(CLIP), "its card promises actions, and there is no other_clip"),
    (lambda r: (r / FRAME / "1" / "model.onnx").unlink(), "it has no version folder"),
    (lambda r: (r / CLIP / "config.pbtxt").unlink(), "other_frame is refused: other_clip is refused"),
]


@pytest.mark.parametrize(
    ("catalogue_of", "spoil", "said"),
    [(way, *wrong) for way in (loaded, polled) for wrong in WRONG] + [(loaded, *wrong) for wrong in ON_DISK],
)
def test_what_is_missing_is_told_to_callers_and_once_in_the_log(
    repository: Path,
    caplog: pytest.LogCaptureFixture,
    catalogue_of: Callable[[Path], Catalogue],
    spoil: Spoil,
    said: str,
) -> None:
    spoil(repository)
    caplog.set_level(logging.INFO)
    catalogue = catalogue_of(repository)

    async def scene() -> None:
        for _ in range(3):
            await catalogue.read()

    asyncio.run(scene())
    assert [model.name for model in catalogue.all()] == ["lite"]
    (state,) = catalogue.incomplete()
    assert (state.name, state.version, state.ready) == ("other", "", False)
    assert said in state.missing[0]
    for ask in (catalogue.card_of, catalogue.named):
        with pytest.raises(Unavailable, match="model 'other' is not ready: ") as raised:
            ask("other")
        assert said in str(raised.value)
    with pytest.raises(UnknownModel, match=r"choose one of lite$"):
        catalogue.card_of("another")
    told = [record.message for record in caplog.records if "other" in record.message]
    assert sum("is refused: " in line for line in told) == (catalogue_of is polled), "otherwise by who loads it"
    assert sum("other is not ready" in line for line in told) == 1


def test_a_model_that_waits_for_its_clip_network_says_so(repository: Path) -> None:
    """A Triton elsewhere has loaded the frame network alone: the card is known."""
    shutil.rmtree(repository / CLIP)

    async def scene() -> Catalogue:
        catalogue = polled(repository)
        await catalogue.read()
        return catalogue

    catalogue = asyncio.run(scene())
    assert catalogue.incomplete() == []
    other = catalogue.card_of("other")
    assert (other.ready, other.missing) == (False, ("other_clip is not in the repository",))
    with pytest.raises(Unavailable, match="model 'other' is not ready: other_clip is not in the repository"):
        catalogue.named("other")
    catalogue.lose("no answer")
    assert catalogue.card_of("lite").missing == ("Triton does not answer",)


def test_a_clip_network_that_is_still_to_be_unloaded_is_no_model(repository: Path) -> None:
    """Both folders were removed: callers are told that there is no such model."""
    server = FakeServer(repository)
    del server._configs[FRAME]
    catalogue = Catalogue(server, "lite", None, 60, {})
    asyncio.run(catalogue.read())
    with pytest.raises(UnknownModel):
        catalogue.card_of("other")
    assert catalogue.incomplete() == []
