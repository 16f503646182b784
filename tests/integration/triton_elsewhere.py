"""A Triton that no gateway has started, as one on another machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.settings import ROOT, Settings

# The launcher binds loopback only, ever; these hosts are namespaces of the test's own.
_ON_ADDRESS = """
import sys
from service.embedded_triton import launcher
on_loopback, address = launcher.command, sys.argv.pop(1)
launcher.command = lambda *given: [part.replace("127.0.0.1", address) for part in on_loopback(*given)]
launcher.main()
"""


@contextmanager
def triton_at(address: str, port: int, repository: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a Triton in the network namespace of this thread. It ends with this context, or with the thread."""
    settings = Settings()
    process = subprocess.Popen(
        [
            str(settings.triton_env / "bin" / "python"),
            "-c",
            _ON_ADDRESS,
            address,
            f"--repository={repository or settings.model_repository}",
            f"--port={port}",
            f"--id=elsewhere-{os.getpid()}-{port}",
            f"--parent={os.getpid()}",
        ],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
