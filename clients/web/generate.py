"""Generates the types of the client for browsers and Node; with --check, says whether they are up to date.

`schema.d.ts` is made from the service's OpenAPI, by openapi-typescript; the others from the client itself, by tsc.
"""

from __future__ import annotations

import argparse
import asyncio
import filecmp
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from service.testing.documents import openapi

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "node_modules" / ".bin"
MODULES = ("client", "deadline", "errors", "outbox", "reconnects", "stream")
SCHEMA = "schema.d.ts"
NAMES = (SCHEMA, *(f"{module}.d.ts" for module in MODULES))


def generate(out: Path) -> None:
    """Writes the types into an empty folder: beside older ones, tsc would take these for what the client is."""
    for name in (*(f"{module}.js" for module in MODULES), "types.d.ts", "tsconfig.json"):
        shutil.copy(HERE / name, out)
    (out / "openapi.json").write_text(json.dumps(asyncio.run(openapi())))
    _run(out, "openapi-typescript", "openapi.json", "--output", SCHEMA)
    _run(out, "tsc")


def _run(folder: Path, program: str, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - what npm has installed
        [str(PROGRAMS / program), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{program} failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        if not is_check:
            for name in NAMES:
                shutil.copy(Path(folder) / name, HERE)
            return
        _, differing, missing = filecmp.cmpfiles(folder, HERE, NAMES, shallow=False)
    if differing or missing:
        which = ", ".join(differing + missing)
        sys.exit(f"the types of clients/web are not the service's: run `make web-types` ({which})")


if __name__ == "__main__":
    main()
