"""Generates the Python stubs of proto/ into the client package; with --check, says whether they are up to date."""

from __future__ import annotations

import argparse
import filecmp
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
STUBS = ROOT / "clients" / "python" / "src"
NAMES = ("inference_pb2.py", "inference_pb2.pyi", "inference_pb2_grpc.py")


def generate(out: Path) -> None:
    arguments = ["protoc", f"-I{ROOT / 'proto'}"]
    arguments += [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main([*arguments, "deephar/v1/inference.proto"]) != 0:
        sys.exit("protoc failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        generate(STUBS)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        here = Path("deephar/v1")
        _, differing, missing = filecmp.cmpfiles(Path(folder) / here, STUBS / here, NAMES, shallow=False)
    if differing or missing:
        sys.exit(f"the stubs are not those of proto/: run `make proto` ({', '.join(differing + missing)})")


if __name__ == "__main__":
    main()
