"""The arguments of everything that measures accuracy."""

from __future__ import annotations

import argparse
from pathlib import Path


def parse(purpose: str | None, out: Path) -> argparse.Namespace:
    """`data`, the folder of the training data, and `out`, that of what is measured: `out` unless the caller says."""
    parser = argparse.ArgumentParser(description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=out)
    return parser.parse_args()
