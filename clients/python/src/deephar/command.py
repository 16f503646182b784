"""The command `deephar`: calls of a service are in this package, the making of models is in the project itself."""

from __future__ import annotations

import sys

from deephar import cli

MAKING_MODELS = ("weights", "export", "engine")


def main() -> None:
    """Runs `deephar` with the arguments of the command line."""
    if sys.argv[1:2] and sys.argv[1] in MAKING_MODELS:
        sys.exit(_make_models(sys.argv[1:]))
    cli.main()


def _make_models(arguments: list[str]) -> int:
    try:
        from models.cli import main as make
    except ModuleNotFoundError as error:
        if error.name not in ("models", "models.cli"):
            raise
        print(
            f"deephar: {' '.join(arguments[:1])} needs the project's environment for models. "
            f"In its folder: make models, then .venv-models/bin/deephar {' '.join(arguments)}",
            file=sys.stderr,
        )
        return 1
    status: int = make(arguments)
    return status
