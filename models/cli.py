"""The commands of `deephar` that make models: weights, export, engine. The client's command hands them on to here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

# Loaded only when asked for: export loads PyTorch, engine must do without.
COMMANDS = {
    "weights": ("models.weights.command", "list, download and import deephar's released weights"),
    "export": ("models.export.command", "imported weights to a model that Triton serves"),
    "engine": ("models.tensorrt_engine.command", "a TensorRT engine of a model, for this machine's GPU"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="deephar", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, about) in COMMANDS.items():
        command = commands.add_parser(name, help=about)
        if given[:1] == [name]:
            import_module(module).configure(command)
    parsed = parser.parse_args(given)
    try:
        status: int = import_module(COMMANDS[parsed.command][0]).run(parsed)
    except KeyboardInterrupt:
        print("deephar: stopped", file=sys.stderr)
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
