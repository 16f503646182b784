"""`python -m service`: REST and gRPC until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import sys

import uvloop
from pydantic import ValidationError

from service.serving import serve
from service.settings import Settings


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
    # Each caller is an open file: as many as the system lets this process have.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


if __name__ == "__main__":
    main()
