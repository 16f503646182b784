"""`python -m service`: REST and gRPC until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import resource
import socket
import sys

import cv2
import uvloop
from pydantic import ValidationError

from service.access.keys import print_new_key
from service.errors import UnusableFile
from service.serving import serve
from service.settings import Settings

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE_BLOCK = 8 * 2**20  # bytes; pictures of full HD and less stay under it, and are reused
KEPT = 2 * LARGE_BLOCK  # bytes of free memory that each thread may keep


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


def set_memory_limits() -> None:
    """Has glibc return large blocks to the system when they are freed, and keep small ones for the next picture.

    By itself it learns to keep blocks of sizes that are freed often, for each thread, up to a whole large picture for
    each worker. Told that it must not, it gives everything back, and a small picture takes 1.4 ms of page faults.
    """
    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def main() -> None:
    if sys.argv[1:2] == ["--new-key"]:
        sys.exit(print_new_key(" ".join(sys.argv[2:])))
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
    set_memory_limits()
    cv2.setNumThreads(1)  # the workers are threads enough, and OpenCV's spin for a while after each crop
    # Each caller is an open file: as many as the system lets this process have.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(settings))
        except UnusableFile as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
