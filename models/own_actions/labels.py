"""The CSV of labels: which part of which video shows which action."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.own_actions.problem import CannotTrain

NONE = "none"  # the label of clips that show none of the actions
COLUMNS = ("file", "label", "start_s", "end_s", "split", "group")
NEEDED = COLUMNS[:2]
SPLITS = ("train", "test")
LONGEST_LABEL = 64
MOST_TOLD = 8  # problems of one CSV


@dataclass(frozen=True)
class Labelled:
    """A labelled clip: a video, or a part of one.

    Attributes:
        file: The video.
        label: The action's; `NONE` where it is none of them.
        start_s: Seconds after the video's first frame.
        end_s: Likewise.
        split: One of `SPLITS`; empty where the CSV does not say.
        group: Clips of one group are never on both sides of a split: those of one video or, where the CSV says so, of
            one person or one recording.
    """

    file: Path
    label: str
    start_s: float = 0.0
    end_s: float = math.inf
    split: str = ""
    group: str = ""

    @property
    def is_none(self) -> bool:
        return self.label == NONE

    def __str__(self) -> str:
        part = "" if math.isinf(self.end_s) and not self.start_s else f" {self.start_s:g} to {self.end_s:g} s"
        return f"{self.file.name}{part}"


def read(file: Path, videos: Path) -> list[Labelled]:
    """Returns the labelled clips of a CSV with the columns file and label and, if wanted, others of `COLUMNS`.

    Args:
        file: UTF-8, with a first line that names the columns, by commas or, as some spreadsheets write it, by
            semicolons with commas in numbers.
        videos: The folder that `file` is relative to.

    Raises:
        CannotTrain: Lines are wrong, or videos are missing; the text names them.
        OSError: The CSV cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CannotTrain(f"{file} is not UTF-8; save it as CSV in UTF-8") from None
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        names = [name.strip().casefold() for name in lines.fieldnames or ()]
        lines.fieldnames = names
        _check_columns(file, names)
        numbered = [(lines.line_num, line) for line in lines if any(line.values())]
    except csv.Error as error:
        raise CannotTrain(f"{file} cannot be read as CSV: {error}") from None
    clips, problems = [], []
    for number, line in numbered:
        try:
            clips.append(_clip(line, videos))
        except CannotTrain as problem:
            problems.append(f"line {number}: {problem}")
    clips = list(dict.fromkeys(clips))  # a line that is there twice is one clip
    problems += [] if problems else dict.fromkeys(_contradictions(clips))
    if problems:
        more = f"\n  and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
        raise CannotTrain(f"{file} has lines that cannot be used:\n  " + "\n  ".join(problems[:MOST_TOLD]) + more)
    if not clips:
        raise CannotTrain(f"{file} names no clips")
    return clips


def actions_of(clips: list[Labelled]) -> tuple[str, ...]:
    """Returns the labels of the actions, in the alphabet's order."""
    return tuple(sorted({clip.label for clip in clips if not clip.is_none}))


def _check_columns(file: Path, names: list[str]) -> None:
    missing, unknown = [n for n in NEEDED if n not in names], [n for n in names if n not in COLUMNS]
    if missing or unknown or len(set(names)) < len(names):
        wrong = [f"{name} is missing" for name in missing] + [f"{name!r} is not known" for name in unknown]
        raise CannotTrain(
            f"the first line of {file} must name the columns file,label and, if wanted, start_s,end_s,split,group: "
            + (", ".join(wrong) or "one is there twice")
        )


def _clip(line: dict[str, str | None], videos: Path) -> Labelled:
    if None in line or None in line.values():
        raise CannotTrain("it has more or fewer columns than the first line; put text with commas into quotes")
    values = {name: (value or "").strip() for name, value in line.items()}
    label = _label(values["label"])
    if not values["file"]:
        raise CannotTrain("it names no file")
    file = videos / values["file"]
    if not file.is_file():
        raise CannotTrain(f"there is no file {file}")
    start_s, end_s = _seconds(values, "start_s", 0.0), _seconds(values, "end_s", math.inf)
    if not 0 <= start_s < end_s:
        raise CannotTrain(f"a clip cannot be from {start_s:g} to {end_s:g} s")
    split = values.get("split", "")
    if split and split not in SPLITS:
        raise CannotTrain(f"split is train or test, not {split!r}")
    return Labelled(file, label, start_s, end_s, split, values.get("group") or str(file.resolve()))


def _label(text: str) -> str:
    if not text:
        raise CannotTrain(f"it has no label; where none of the actions is shown, write {NONE}")
    if len(text) > LONGEST_LABEL or not text.isprintable():
        raise CannotTrain(f"a label has at most {LONGEST_LABEL} printable characters, not {text[:LONGEST_LABEL]!r}")
    return NONE if text.casefold() == NONE else text


def _seconds(values: dict[str, str], name: str, absent: float) -> float:
    text = values.get(name, "")
    try:
        number = float(text.replace(",", ".")) if text else absent
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise CannotTrain(f"{name} is a number of seconds, not {text!r}")
    return number


def _contradictions(clips: list[Labelled]) -> Iterator[str]:
    """Yields what single lines do not show."""
    labels: dict[str, str] = {}
    for clip in clips:
        if labels.setdefault(clip.label.casefold(), clip.label) != clip.label:
            yield f"the labels {labels[clip.label.casefold()]!r} and {clip.label!r} differ in capitals only"
    if len({bool(clip.split) for clip in clips}) > 1:
        yield "some lines have a split and others have none"
    sides: dict[str, str] = {}
    for clip in clips:
        if sides.setdefault(clip.group, clip.split) != clip.split:
            yield f"{clip.file.name} is in train and in test; clips of one video or group belong to one side"
    of_file: dict[Path, list[Labelled]] = {}
    for clip in clips:
        for other in of_file.setdefault(clip.file, []):
            if clip.label != other.label and clip.start_s < other.end_s and other.start_s < clip.end_s:
                yield f"{other} and {clip} overlap, and are labelled {other.label!r} and {clip.label!r}"
        of_file[clip.file].append(clip)
