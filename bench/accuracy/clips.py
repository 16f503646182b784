"""Actions of the real clips, named by a running service."""

from __future__ import annotations

import csv
from pathlib import Path

from deephar import Client

from models.lite.layout import ACTIONS


def measure(client: Client, folder: Path) -> list[tuple[str, str, str, float]]:
    """File, its class, the class that the service names, and that one's score."""
    rows = []
    with (folder / "manifest.csv").open() as manifest:
        for line in csv.DictReader(manifest):
            if line["label"] in ACTIONS:
                best = client.classify(folder / line["file"]).actions[0]
                rows.append((line["file"], line["label"], best.label, best.score))
    return rows
