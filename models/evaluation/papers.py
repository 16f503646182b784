"""The figures of deephar's papers, in one table, each with what it is and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Checked(Enum):
    """How a figure of the table was checked."""

    AUTHORS = "authors' README"  # github.com/dluvizon/deephar says the same, in words
    INDEX = "index of papers"  # an index of published results has it beside the paper's name; the table was not seen
    NO = "not checked"  # quoted; the paper's table could not be seen


CVPR18 = "Luvizon et al., CVPR'18, arXiv 1802.09232"
TPAMI20 = "Luvizon et al., TPAMI'20, arXiv 1912.08077"


@dataclass(frozen=True)
class PaperFigure:
    """One published figure, and the evaluation here that repeats it."""

    dataset: str
    models: tuple[str, ...]
    figure: str  # the name of the figure here
    value: float
    unit: str
    settings: tuple[tuple[str, str], ...]  # of an evaluation that is the same, beyond data set and model
    what: str
    source: str
    checked: Checked
    here: bool = True  # whether the data that it needs can be had: labels of MPII's test part cannot

    def is_of(self, dataset: str, model: str, settings: Mapping[str, object]) -> bool:
        """Whether an evaluation of these settings repeats this figure."""
        same = all(str(settings.get(name)) == value for name, value in self.settings)
        return self.here and self.dataset == dataset and model in self.models and same


SINGLE, MULTI = ("views", "single"), ("views", "multi")

PAPERS = (
    PaperFigure(
        "mpii", ("mpii",), "PCKh@0.5", 89.1, "%", (("split", "val"), SINGLE),
        "validation part, one crop, by the annotated centre and scale", CVPR18, Checked.AUTHORS,
    ),
    PaperFigure(
        "mpii", ("mpii",), "PCKh@0.5", 91.2, "%", (("split", "test"), MULTI),
        "test part, several crops with their mirrors, by the annotated centre and scale; its labels are not published, "
        "so that only MPII's own server can repeat it", CVPR18, Checked.AUTHORS, here=False,
    ),
    PaperFigure(
        "h36m", ("h36m",), "MPJPE", 55.1, "mm", (("split", "val"), SINGLE),
        "subjects 9 and 11, one crop around the true root joint with its true depth; every 64th frame in the authors' "
        "code, every 60th in the paper; best of 8 blocks, chosen on the same frames", CVPR18, Checked.AUTHORS,
    ),
    PaperFigure(
        "h36m", ("h36m",), "MPJPE", 53.2, "mm", (("split", "val"), MULTI),
        "as 55.1 mm, with several crops and their mirrors", CVPR18, Checked.INDEX,
    ),
    PaperFigure(
        "penn", ("penn-cvpr18",), "top-1, multi-clip", 98.6, "%", (("split", "test"),),
        "official test part; whether with annotated or with predicted boxes could not be seen", CVPR18, Checked.INDEX,
    ),
    PaperFigure(
        "ntu", ("ntu-cvpr18",), "top-1, single clip", 85.5, "%", (("split", "test"), ("subjects", "cross-subject")),
        "cross-subject; boxes by annotated poses in the authors' code", CVPR18, Checked.INDEX,
    ),
    PaperFigure(
        "penn", ("penn",), "top-1, multi-clip", 98.7, "%", (("split", "test"),),
        "official test part, several clips with their mirrors; whether with annotated or with predicted boxes could "
        "not be seen: the authors' code uses predicted ones", TPAMI20, Checked.NO,
    ),
    PaperFigure(
        "ntu", ("ntu",), "top-1, multi-clip", 89.9, "%", (("split", "test"), ("subjects", "cross-subject")),
        "cross-subject, several clips with their mirrors, boxes by annotated poses in the authors' code", TPAMI20,
        Checked.NO,
    ),
)  # fmt: skip


def paper_figure(dataset: str, model: str, figure: str, settings: Mapping[str, object]) -> PaperFigure | None:
    """The published figure that this one repeats; None where there is none."""
    return next((one for one in PAPERS if one.figure == figure and one.is_of(dataset, model, settings)), None)


def papers_table() -> str:
    """All published figures as a Markdown table."""
    rows = [("data set", "model", "figure", "published", "what it is", "source", "checked"), ("---",) * 7]
    rows += [
        (
            one.dataset, ", ".join(one.models), one.figure, f"{one.value} {one.unit}", one.what, one.source,
            one.checked.value,
        )
        for one in PAPERS
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
