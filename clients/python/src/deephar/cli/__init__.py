"""The command `deephar`. A command's module is imported when that command runs."""

from deephar.cli.program import main

__all__ = ["main"]
