"""Where the files of the data sets are published: the owners' pages, and the annotation files of deephar's releases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_RELEASES = "https://github.com/dluvizon/deephar/releases/download"
_DRIVE = "https://drive.google.com/file/d/{}/view"


@dataclass(frozen=True)
class Published:
    """A file that deephar's authors published."""

    name: str  # in the data set's folder
    released: str  # its name at the place of publication, which the folder may have as well
    url: str
    md5: str | None  # None: none is published

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        checksum = f"MD5 {self.md5}" if self.md5 else "no checksum is published"
        renamed = "" if self.name == self.released else f"; save it as {self.name}"
        return f"deephar's authors: {self.url} ({checksum}){renamed}"

    def find(self, folder: Path) -> Path | None:
        """The file in a data set's folder, under either name."""
        return next((file for name in (self.name, self.released) if (file := folder / name).is_file()), None)


def _release(tag: str, released: str, md5: str, name: str) -> Published:
    return Published(name, released, f"{_RELEASES}/{tag}/{released}", md5)


MPII_ANNOTATIONS = _release("v0.1", "mpii_annotations.mat", "cc62b1bb855bf4866d19bc0637526930", "annotations.mat")
H36M_ANNOTATIONS = _release("v0.2", "h36m_annotations.mat", "4067d52db61737fbebdec850238d87dd", "annotations.mat")
PENN_ANNOTATIONS = _release("v0.3", "penn_annotations.mat", "b37a2e72c0ba308bd7ad476bc2aa4d33", "annotations.mat")
PENN_CLIP_BOXES = _release(
    "v0.3", "penn_pred_bboxes_16f.json", "30b124a919185cb031b928bc6154fa9b", "penn_pred_bboxes_16f.json"
)
PENN_FRAME_BOXES = Published(
    "penn_pred_bboxes_multitask.json",
    "penn_pred_bboxes_multitask.json",
    _DRIVE.format("1qXpEKF0d9KxmQdd2_QSIA1c3WGj1D3Y3"),
    None,
)
NTU_POSES = "deephar's authors: " + _DRIVE.format("1eTJPb8q2XCRK8NEC4h17p17JW2DDNwjG") + " (2 GB, no checksum)"

MPII_PAGE = "the owners: http://human-pose.mpi-inf.mpg.de (mpii_human_pose_v1.tar.gz, 12.9 GB)"
LSP_PAGE = "the owners: http://sam.johnson.io/research/lsp.html (lsp_dataset.zip)"
LSPET_PAGE = "the owners: http://sam.johnson.io/research/lspet.html (lspet_dataset.zip)"
COCO_PAGE = "the owners: https://cocodataset.org/#download"
H36M_PAGE = "the owners, after registration: http://vision.imar.ro/human3.6m"
PENN_PAGE = "the owners: https://dreamdragon.github.io/PennAction (Penn_Action.tar.gz)"
NTU_PAGE = "the owners, after registration: https://rose1.ntu.edu.sg/dataset/actionRecognition"
