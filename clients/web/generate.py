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

from service.access.access import Access
from service.networks.catalogue import Catalogue
from service.pipeline.options import StreamOptions, TrackedBoxes
from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.rest.app import build_app
from service.settings import Settings
from service.stopping import Stopping
from service.testing.networks import FakeServer
from service.workers import Workers

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "node_modules" / ".bin"
MODULES = ("client", "deadline", "errors", "outbox", "reconnects", "stream")
SCHEMA = "schema.d.ts"
NAMES = (SCHEMA, *(f"{module}.d.ts" for module in MODULES))


async def openapi() -> str:
    """Returns the service's OpenAPI document, with the texts of streams. Nothing is asked of an inference server."""
    settings, server, workers = Settings(), FakeServer(), Workers(1)
    try:
        catalogue = Catalogue(server, settings.default_model, None, settings.catalogue_poll_s)
        pipeline, stopping = Pipeline(settings, catalogue, server, workers), Stopping()
        app = build_app(pipeline, Readiness(pipeline, stopping), stopping, Access(settings))
        document = app.openapi()
    finally:
        workers.close()
    # The texts of a WebSocket, which OpenAPI does not know.
    for sent in (StreamOptions, TrackedBoxes):
        schema = sent.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= {**schema.pop("$defs", {}), sent.__name__: schema}
    return json.dumps(document)


def generate(out: Path) -> None:
    """Writes the types into an empty folder: beside older ones, tsc would take these for what the client is."""
    for name in (*(f"{module}.js" for module in MODULES), "types.d.ts", "tsconfig.json"):
        shutil.copy(HERE / name, out)
    (out / "openapi.json").write_text(asyncio.run(openapi()))
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
