"""`python -m service`: REST and gRPC until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import resource
import socket
import sys

import uvloop
from pydantic import ValidationError

from service.serving import serve
from service.settings import Settings

M_MMAP_THRESHOLD = -3  # of malloc.h
LARGE_BLOCK = 8 * 2**20  # bytes; pictures of full HD and less stay under it, and are reused


def can_listen(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


def give_large_blocks_back() -> None:
    """Has glibc return large blocks to the system when they are freed.

    By itself it learns to keep blocks of sizes that are freed often, for each thread: the blocks of 16 MB that Pillow
    decodes into, up to a whole large picture for each worker.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            where = (
                "DEEPHAR_" + "_".join(str(part).upper() for part in problem["loc"]) if problem["loc"] else "settings"
            )
            print(f"{where}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    for name in ("http_port", "grpc_port"):
        port = getattr(settings, name)
        if not can_listen(settings.host, port):
            sys.exit(f"cannot listen on {settings.host}:{port}; set DEEPHAR_{name.upper()} to a free port")
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    give_large_blocks_back()
    # Each caller is an open file: as many as the system lets this process have.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


if __name__ == "__main__":
    main()
