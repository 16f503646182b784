"""Writes docs/reference from the schemas; with --check, says whether it is up to date.

    .venv/bin/python docs/site/reference.py

REST is of the OpenAPI document, gRPC of the proto with its comments, and the WebSocket's messages of the models that
read them and of the client's events.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from grpc_reference import Proto, grpc_page
from rest_reference import rest_page
from websocket_reference import websocket_page

from service.testing.documents import openapi

OUT = Path(__file__).resolve().parents[1] / "reference"


def pages() -> dict[str, str]:
    """Returns the pages by the names of their files."""
    document, proto = asyncio.run(openapi()), Proto()
    return {
        "rest.md": rest_page(document),
        "grpc.md": grpc_page(proto),
        "websocket.md": websocket_page(document, proto),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    made = pages()
    if is_check:
        wrong = [name for name, text in made.items() if (OUT / name).read_text() != text]
        if wrong:
            sys.exit(f"docs/reference is not the service's: run `make docs-reference` ({', '.join(wrong)})")
        return
    OUT.mkdir(exist_ok=True)
    for name, text in made.items():
        (OUT / name).write_text(text)


if __name__ == "__main__":
    main()
