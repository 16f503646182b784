"""`deephar-models data boxes` with the committed detector, on pictures of the sample's drawn person."""

from __future__ import annotations

import fcntl
import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.cli import main
from models.datasets import boxes_making
from models.datasets.catalogue import module_of, open_split
from models.datasets.check import State
from models.datasets.problem import DataProblem
from models.datasets.samples import Clip
from models.protocol.clips import multi_clip
from models.protocol.window import Window, union
from tests.conftest import SAMPLES
from tests.models.datasets import made_ntu, made_penn

PERSON = (205, 89, 232, 319)  # x, y, width, height in samples/person.jpg
SIZE = (480, 360)
FRAMES = (6, 34, 4)  # of the three sequences; the second is the test split


@pytest.fixture(scope="module")
def person() -> Image.Image:
    with Image.open(SAMPLES / "person.jpg") as picture:
        return picture.convert("RGB").resize(SIZE)


def place(person: Image.Image, folder: Path, frames: int, empty: tuple[int, ...] = ()) -> None:
    """Writes the person into a sequence's pictures, moved to the right frame by frame; not into some of them."""
    for number in range(1, frames + 1):
        picture = Image.new("RGB", SIZE, (150, 160, 150))
        if number - 1 not in empty:
            picture.paste(person, (2 * number - 40, 0))
        picture.save(folder / f"{number:06d}.jpg", quality=92)


@dataclass(frozen=True)
class Run:
    """A data set after the command."""

    folder: Path
    before: list[State]  # what the check found of its boxes
    told: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, person: Image.Image) -> Run:
    """The command on sequences in the last of which nobody is."""
    folder = tmp_path_factory.mktemp("penn of a user") / "penn"
    made_penn.make(folder, train=2, test=1, frames=FRAMES, size=SIZE)
    for number, empty in (("0001", ()), ("0002", (0, 1, 2, 20, 33)), ("0003", range(FRAMES[2]))):
        place(person, folder / "frames" / number, FRAMES[int(number) - 1], tuple(empty))
    before = [finding.state for finding in module_of("penn").inspect(folder)[2:]]
    with redirect_stdout(io.StringIO()) as told:
        assert boxes("penn", "--data", folder) == 0
    return Run(folder, before, told.getvalue())


@pytest.fixture
def tiny(tmp_path: Path, person: Image.Image) -> Path:
    """Three sequences of few frames."""
    folder = tmp_path / "tiny"
    made_penn.make(folder, train=2, test=1, frames=4, size=SIZE)
    for number in ("0001", "0002", "0003"):
        place(person, folder / "frames" / number, 4)
    return folder


def boxes(*arguments: str | Path) -> int:
    return main(["data", "boxes", *map(str, arguments)])


def person_at(frame: int) -> tuple[float, float]:
    """The person's middle in a frame's picture."""
    x, y, width, height = (value * 0.75 for value in PERSON)
    return x + width / 2 + 2 * (frame + 1) - 40, y + height / 2


def test_the_files_are_those_that_the_protocols_read(run: Run) -> None:
    penn = run.folder
    assert "44 frames of 3 sequences; the person was found in 35" in run.told
    assert "1 sequences, which have the whole image: 0003 (train)" in run.told
    test = open_split("penn", penn, "test", boxes=penn / "boxes_of_frames.json")[0]
    for frame in range(FRAMES[1]):
        nearest = {0: 3, 1: 3, 2: 3, 20: 19, 33: 32}.get(frame, frame)
        window = test.window_of([frame])
        x, y = person_at(nearest)
        assert abs(window.centre_x - x) < 15
        assert abs(window.centre_y - y) < 15
        assert abs(window.width - 0.75 * 319 * 1.5 * 0.92) < 25  # the joints' box is 0.92 of the body's, times 1.5
        assert abs(window.width - window.height) <= 1
    train = open_split("penn", penn, "train", boxes=penn / "boxes_of_frames.json")
    assert train[1].window_of([3]) == Window.of_whole_image(*SIZE)
    assert sorted(file.name for file in penn.iterdir()) == [
        "annotations.mat",
        "boxes_of_clips.json",
        "boxes_of_frames.json",
        "frames",
    ]


def test_boxes_of_clips_are_the_unions_of_their_frames(run: Run) -> None:
    of_frames, of_clips = (
        open_split("penn", run.folder, "test", boxes=run.folder / f"boxes_of_{parts}.json")[0]
        for parts in ("frames", "clips")
    )
    clips = multi_clip(FRAMES[1], 16, 2)
    assert clips
    assert len(json.loads((run.folder / "boxes_of_clips.json").read_text())) == 2 * len(clips)
    for frames in clips:
        assert of_clips.window_of(frames) == of_frames.window_of(frames) == of_clips.window_of(frames, True)
        assert of_clips.window_of(frames) == union(of_frames.window_of([frame]) for frame in frames)


def test_a_file_of_ones_own_name_has_its_clips_beside_it(tmp_path: Path) -> None:
    made_penn.make(tmp_path / "penn", train=0, test=1, frames=32, size=(64, 48))
    out = tmp_path / "my boxes" / "mine.json"
    assert boxes("penn", "--data", tmp_path / "penn", "--split", "test", "--out", out) == 0
    assert sorted(file.name for file in out.parent.iterdir()) == ["mine.json", "mine_clips.json"]


def test_what_was_stopped_goes_on_and_gives_the_same(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boxes("penn", "--data", tiny, "--out", tmp_path / "whole.json") == 0
    looked_at: list[str] = []
    real = boxes_making.boxes_of

    def stopped(clip: Clip, *others: object) -> object:
        looked_at.append(clip.key)
        if len(looked_at) == 3:
            raise KeyboardInterrupt
        return real(clip, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(boxes_making, "boxes_of", stopped)
    again = tmp_path / "again.json"
    assert boxes("penn", "--data", tiny, "--out", again) == 130
    assert not again.exists()
    unfinished = tmp_path / "again.json.unfinished"
    with unfinished.open("a") as stream:
        stream.write('{"split": "train", "ind')  # the power went while a line was written
    looked_at.clear()
    looked_at.append("after")
    assert boxes("penn", "--data", tiny, "--out", again) == 0
    assert looked_at == ["after", "0003"]
    assert "2 of 3 sequences are there" in capsys.readouterr().err
    assert again.read_text() == (tmp_path / "whole.json").read_text()
    assert not unfinished.exists()


def test_an_unfinished_file_of_other_data_is_refused(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = tiny / "boxes_of_frames.json.unfinished"
    part.write_text('{"data": {}}\n{"split": "test"}\n')
    assert boxes("penn", "--data", tiny) == 1
    assert "was begun with other data" in capsys.readouterr().err
    assert part.read_text() == '{"data": {}}\n{"split": "test"}\n'
    part.write_text('{"da')  # not even its first line was written
    assert boxes("penn", "--data", tiny, "--split", "test") == 0


def test_two_runs_do_not_write_the_same_file(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tiny / "boxes_of_frames.json.unfinished").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert boxes("penn", "--data", tiny) == 1
    assert "is being written by another process" in capsys.readouterr().err


def test_a_damaged_picture_stops_only_its_sequence(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tiny / "frames" / "0003" / "000004.jpg"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:200])
    assert boxes("penn", "--data", tiny) == 1
    told = capsys.readouterr().err
    assert "1 sequences could not be read" in told
    assert "000004.jpg is damaged" in told
    assert not (tiny / "boxes_of_frames.json").exists()
    unfinished = tiny / "boxes_of_frames.json.unfinished"
    others = unfinished.read_bytes()
    assert boxes("penn", "--data", tiny, "--leave-out") == 0
    assert "1 sequences could not be read" in capsys.readouterr().err
    with pytest.raises(DataProblem, match=r"has no box 1\.0"):
        open_split("penn", tiny, "train", boxes=tiny / "boxes_of_frames.json")[1].window_of([0])
    unfinished.write_bytes(others)
    picture.write_bytes(whole)
    assert boxes("penn", "--data", tiny) == 0
    assert "2 of 3 sequences are there" in capsys.readouterr().err


def test_the_check_takes_own_boxes(run: Run) -> None:
    assert run.before == [State.MISSING, State.MISSING]
    after = module_of("penn").inspect(run.folder)[2:]
    assert [(finding.what, finding.state) for finding in after] == [
        ("boxes_of_frames.json", State.OK),
        ("boxes_of_clips.json", State.OK),
    ]


def test_boxes_of_ntu_are_lines(tmp_path: Path) -> None:
    made_ntu.make(tmp_path, frames=3, form="owners", size=(320, 180))
    assert boxes("ntu", "--data", tmp_path, "--split", "test") == 0
    file = tmp_path / "boxes_of_frames.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["sequence"] for line in lines[1:]] == sorted(made_ntu.IDS[3:])
    assert all(np.shape(line["boxes"]) == (3, 4) for line in lines[1:])
    clip = open_split("ntu", tmp_path, "test", every=2, boxes=file)[0]
    left, top, right, bottom = clip.window_of([0, 1]).corners
    assert left < right
    assert top < bottom


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "127.0.0.1:9"), "no Triton answers at 127.0.0.1:9"),
        (("--repository", "."), "--repository names a model repository with the detector person"),
        (("--out", "boxes.json/under/it.json"), "boxes.json/under"),
    ],
)
def test_what_cannot_work_is_told_in_a_line(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boxes.json").write_text("")
    assert boxes("penn", "--data", tiny, *arguments) == 1
    told = capsys.readouterr().err
    assert told.startswith("deephar-models: ")
    assert said in told
    assert len(told.splitlines()) == 1
