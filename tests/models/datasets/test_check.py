"""`deephar-models data check`, and what is said where a data set cannot be opened."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.io import savemat

from models import cli
from models.datasets import published
from models.datasets.catalogue import MODULES, module_of, open_split
from models.datasets.check import State
from models.datasets.problem import DataProblem
from models.files.checksums import md5_of
from tests.models.datasets import made_coco, made_h36m, made_lsp, made_mpii
from tests.models.datasets.drawn import structs

MAKERS: dict[str, Callable[[Path], None]] = {
    "mpii": made_mpii.make,
    "h36m": lambda folder: made_h36m.make(folder, frames=1),
    "lsp": made_lsp.make,
    "lspet": lambda folder: made_lsp.make(folder, extended=True),
    "coco": made_coco.make,
}
ANNOTATIONS = {
    "mpii": "annotations.mat",
    "h36m": "annotations.mat",
    "lsp": "joints.mat",
    "lspet": "joints.mat",
    "coco": "annotations/person_keypoints_val2017.json",
}
LAST_SPLIT = {name: module_of(name).SPLITS[-1] for name in MAKERS}

every_set = pytest.mark.parametrize("name", MAKERS)


@pytest.fixture
def folder(name: str, tmp_path: Path) -> Path:
    """A whole data set."""
    MAKERS[name](tmp_path)
    return tmp_path


def states(name: str, folder: Path) -> dict[str, State]:
    return {finding.what: finding.state for finding in module_of(name).inspect(folder)}


def files_in(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): md5_of(file) for file in folder.rglob("*") if file.is_file()}


@every_set
def test_a_whole_set_passes_and_nothing_is_written(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files_in(folder)
    assert cli.main(["data", "check", name, str(folder)]) == 0
    told = capsys.readouterr().out
    # The tiny set is not the published one, and that is said; its pictures are all there.
    assert f"unknown  {ANNOTATIONS[name]}: " in told
    assert "published" in told
    assert " of them were decoded)" in told
    assert files_in(folder) == before


def test_the_published_version_is_known_by_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_mpii.make(tmp_path)
    md5 = md5_of(tmp_path / "annotations.mat")
    known = published.Published("annotations.mat", "mpii_annotations.mat", "https://example.org/mpii", md5)
    monkeypatch.setattr("models.datasets.mpii.MPII_ANNOTATIONS", known)
    (tmp_path / "annotations.mat").rename(tmp_path / "mpii_annotations.mat")  # its name at the place of publication
    annotations, pictures = module_of("mpii").inspect(tmp_path)
    assert annotations.state is State.OK
    assert annotations.found == "7 people in train, 7 people in val; the published version"
    assert pictures.state is State.OK
    assert len(open_split("mpii", tmp_path, "val")) == 7


@pytest.mark.parametrize("name", MODULES)
def test_an_empty_folder_lacks_everything(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", name, str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "missing " in told
    assert "http" in told  # where it comes from
    with pytest.raises(DataProblem, match=f"(?s)http.*deephar-models data check {name} "):
        open_split(name, tmp_path, module_of(name).SPLITS[-1])
    assert list(tmp_path.iterdir()) == []


@every_set
def test_the_folder_above(name: str, tmp_path: Path) -> None:
    MAKERS[name](tmp_path / "set")
    with pytest.raises(DataProblem, match=f"there is one in {tmp_path / 'set'}: name that folder"):
        open_split(name, tmp_path, LAST_SPLIT[name])
    missing = {finding.found for finding in module_of(name).inspect(tmp_path)}
    assert f"there is no {ANNOTATIONS[name]}; there is one in {tmp_path / 'set'}: name that folder" in missing
    assert "which are wanted, only the annotations tell" in missing


@every_set
def test_a_folder_that_there_is_not(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", name, str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == f"deephar-models: {tmp_path / 'none'} is no folder\n"
    with pytest.raises(DataProblem, match="none is no folder"):
        open_split(name, tmp_path / "none", LAST_SPLIT[name])


@every_set
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content[: len(content) * 2 // 3], "cut"),
        (lambda content: content[:100], "no MATLAB file|cut"),
        (lambda content: b"", "it is empty: a download that did not begin"),
        (
            lambda content: b"<!DOCTYPE html><title>Quota exceeded</title>",
            "it is a web page, not the data",
        ),
        (lambda content: b"\0" * len(content), "it begins with zeros: a download that was not ended"),
        (lambda content: b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (lambda content: b"PK\x03\x04" + content, "it is an archive: unpack it"),
    ],
    ids=["cut", "begun", "empty", "web page", "zeros", "pointer", "archive"],
)
def test_a_broken_annotation_file(
    name: str, folder: Path, change: Callable[[bytes], bytes], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / ANNOTATIONS[name]
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataProblem, match=reason) as caught:
        open_split(name, folder, LAST_SPLIT[name])
    assert str(file) in str(caught.value)
    assert cli.main(["data", "check", name, str(folder)]) == 1
    assert f"wrong    {ANNOTATIONS[name]}: {caught.value}" in capsys.readouterr().out


@every_set
def test_damaged_bytes_within_the_annotation_file(name: str, folder: Path) -> None:
    file = folder / ANNOTATIONS[name]
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = b"\xff" * 64
    file.write_bytes(content)
    assert states(name, folder)[ANNOTATIONS[name]] is State.WRONG


@pytest.mark.parametrize(("name", "other"), [("mpii", "h36m"), ("h36m", "mpii"), ("lsp", "lspet"), ("lspet", "lsp")])
def test_annotations_of_another_set(name: str, other: str, tmp_path: Path) -> None:
    MAKERS[other](tmp_path)
    with pytest.raises(DataProblem, match=r"it is another file|not Leeds Sports Pose"):
        open_split(name, tmp_path, LAST_SPLIT[name])
    assert states(name, tmp_path)[ANNOTATIONS[name]] is State.WRONG


def test_unknown_structs(tmp_path: Path) -> None:
    made_mpii.make(tmp_path / "mpii")
    savemat(tmp_path / "mpii" / "annotations.mat", {"annot_tr": [1, 2, 3], "annot_val": [[1], [2], [3]]})
    with pytest.raises(DataProblem, match=r"the people of val in an unknown form .* Wanted is .*mpii_annotations\.mat"):
        open_split("mpii", tmp_path / "mpii", "val")
    made_h36m.make(tmp_path / "h36m")
    savemat(tmp_path / "h36m" / "annotations.mat", {"sequences_val": {"name": "Directions 1", "frames": 1}})
    with pytest.raises(DataProblem, match=r"sequences_val in an unknown form .* Wanted is .*h36m_annotations\.mat"):
        open_split("h36m", tmp_path / "h36m", "val")
    other = made_h36m.drawn_sequence("a02_s09_e01_c01", [1], seed=1)
    few = made_h36m.MadeSequence(other.name, [made_h36m.MadeFrame(1, other.frames[0].world_mm[:17])])
    savemat(tmp_path / "h36m" / "annotations.mat", {"sequences_val": structs([made_h36m.fields(few)], (1, 1))})
    with pytest.raises(DataProblem, match=r"a pose of 32 joints is wanted, not an array of shape \(3, 17\)"):
        open_split("h36m", tmp_path / "h36m", "val")
    made_coco.make(tmp_path / "coco")
    (tmp_path / "coco" / ANNOTATIONS["coco"]).write_text('{"images": [], "annotations": []}')
    with pytest.raises(DataProblem, match=r"no file of COCO's people with keypoints \(nobody has keypoints\)"):
        open_split("coco", tmp_path / "coco", "val2017")


def test_the_owners_file_of_mpii_has_no_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_mpii.make(tmp_path)
    (tmp_path / "annotations.mat").unlink()
    labelled = made_mpii.drawn_pictures("0", 6, 1) + made_mpii.drawn_pictures("1", 6, 2)
    file = tmp_path / "mpii_human_pose_v1_u12_1.mat"
    made_mpii.write_release(file, labelled, made_mpii.drawn_pictures("2", 2, 3))
    reason = r"is the owners': it has trainval, but no train and val\..*download/v0\.1/mpii_annotations\.mat"
    with pytest.raises(DataProblem, match=reason):
        open_split("mpii", tmp_path, "val")
    assert cli.main(["data", "check", "mpii", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "missing  annotations.mat: there is no annotations.mat; mpii_human_pose_v1_u12_1.mat has 14 people" in told
    assert "images/*.jpg: 12 of 12 are there" in told
    file.rename(tmp_path / "annotations.mat")
    with pytest.raises(DataProblem, match=reason):
        open_split("mpii", tmp_path, "val")
    assert len(open_split("mpii", tmp_path, "trainval")) == 14


def test_matlab_73(tmp_path: Path) -> None:
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n"
    (tmp_path / "joints.mat").write_bytes(head)
    with pytest.raises(DataProblem, match=r"MATLAB 7\.3 file; the published ones are version 5"):
        open_split("lsp", tmp_path, "test")


@every_set
def test_missing_pictures_are_counted_and_named(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = sorted(folder.rglob("*.jpg"))[-1]
    picture.unlink()
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        archive.writestr("im0001.jpg", b"x" * 1000)
    cut = (folder / "images.zip").read_bytes()[:700]
    (folder / "others.zip").write_bytes(cut)
    (folder / "more.tar.gz.part").write_bytes(b"\x1f\x8b")
    assert cli.main(["data", "check", name, str(folder)]) == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("missing"))
    assert f"missing: {picture.relative_to(folder)}" in line
    assert "images.zip is an archive: unpack it here" in line
    assert "others.zip is cut or no archive: download it again" in line
    assert "more.tar.gz.part is a download that was not ended" in line


@every_set
@pytest.mark.parametrize("kept", [0, 1500])
def test_damaged_pictures_are_named(name: str, folder: Path, kept: int, capsys: pytest.CaptureFixture[str]) -> None:
    picture = sorted(folder.rglob("*.jpg"))[-1]
    picture.write_bytes(picture.read_bytes()[:kept])
    assert cli.main(["data", "check", name, str(folder)]) == 1
    assert f"but cannot be read: {picture.relative_to(folder)}" in capsys.readouterr().out


def test_a_place_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", "h36m", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert told.count("ffmpeg -i VIDEO.mp4") == 1
    assert told.splitlines()[-1] == "           from the same place"


def test_wrong_names_are_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", "imagenet", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert all(f"'{name}'" in told for name in MODULES)


def test_a_link_that_leads_nowhere_is_a_missing_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_mpii.make(tmp_path)
    nowhere, loop, *_ = sorted(tmp_path.glob("images/*"))
    for link, target in ((nowhere, tmp_path / "unplugged"), (loop, loop)):
        link.unlink()
        link.symlink_to(target)
    assert cli.main(["data", "check", "mpii", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert f"10 of 12 are there; missing: images/{nowhere.name}, images/{loop.name}\n" in told


def test_links_to_pictures_are_followed(tmp_path: Path) -> None:
    made_mpii.make(tmp_path / "elsewhere")
    (tmp_path / "set").mkdir()
    for name in ("annotations.mat", "images"):
        (tmp_path / "set" / name).symlink_to(Path("..", "elsewhere", name))
    assert states("mpii", tmp_path / "set")["images/*.jpg"] is State.OK


def test_what_the_system_refuses_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", "mpii", "x" * 300]) == 1
    assert capsys.readouterr().err == f"deephar-models: {'x' * 300}: File name too long\n"


def test_commands_are_told_as_a_shell_takes_them(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    with pytest.raises(DataProblem, match=f"deephar-models data check mpii '{folder}'"):
        open_split("mpii", folder, "val")
    assert f"data boxes penn --data '{folder}'" in module_of("penn").inspect(folder)[2].source
