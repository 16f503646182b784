"""`deephar-serve`, or `python -m service`: REST and gRPC until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import errno
import os
import resource
import socket
import sys
from collections.abc import Sequence

from service.configuration import Configuration, Misconfigured, lines_of, read
from service.errors import UnusableFile
from service.settings import Settings, variable_of

WRONG = 2  # exit code where the configuration, or an option, is wrong

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE_BLOCK = 8 * 2**20  # bytes; pictures of full HD and less stay under it, and are reused
KEPT = 2 * LARGE_BLOCK  # bytes of free memory that each thread may keep


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deephar-serve",
        description="Serves human pose and action recognition over REST and gRPC until Ctrl-C.",
        epilog="Settings are environment variables DEEPHAR_*, or stand in the TOML file that DEEPHAR_CONFIG names, "
        "with the same names in lower case without the prefix: http_port = 9000. Variables win over the file. "
        "docs/deployment.md has them all.",
    )
    # Each does its work instead of serving.
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--check-config", action="store_true", help="tell whether the settings are right, and exit")
    instead.add_argument("--new-key", metavar="NAME", help="make an API key: print it, and what to write for it")
    instead.add_argument("--version", action="store_true", help="tell the version, and exit")
    return parser


def fault_of(host: str, port: int) -> OSError | None:
    """Returns why this process cannot listen there; None: it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            return error
    return None


def set_memory_limits() -> None:
    """Has glibc return large blocks to the system when they are freed, and keep small ones for the next picture.

    By itself it learns to keep blocks of sizes that are freed often, for each thread, up to a whole large picture for
    each worker. Told that it must not, it gives everything back, and a small picture takes 1.4 ms of page faults.
    """
    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def configured() -> Configuration:
    """Returns the configuration; exits where it is wrong, and tells all that is."""
    try:
        configuration = read(os.environ)
        configuration.check_files()
    except Misconfigured as error:
        print(*lines_of(error.problems), sep="\n", file=sys.stderr)
        sys.exit(WRONG)
    return configuration


def check_contents(settings: Settings) -> None:
    """Exits where the files of keys, tokens or certificates are broken."""
    # Here, since they take half a second, and `--new-key` has no use for them.
    from service.access.access import Access
    from service.certificates import certificates_of

    try:
        Access(settings)
        certificates_of(settings)
    except UnusableFile as error:
        print(*lines_of([str(error)]), sep="\n", file=sys.stderr)
        sys.exit(WRONG)


def check_ports(settings: Settings) -> None:
    """Exits where one of them is taken, or is not for this user."""
    places = [("http_port", settings.host), ("grpc_port", settings.host)]
    if settings.metrics_port:
        places.append(("metrics_port", settings.metrics_host))
    for name, host in places:
        port = getattr(settings, name)
        fault = fault_of(host, port)
        if fault is None:
            continue
        if isinstance(fault, socket.gaierror) or fault.errno == errno.EADDRNOTAVAIL:
            where = "DEEPHAR_METRICS_HOST" if name == "metrics_port" else "DEEPHAR_HOST"
            advice = f"set {where} to an address of this machine"
        else:
            advice = f"set {variable_of(name)} to a free port"
        sys.exit(f"cannot listen on {host}:{port} ({fault.strerror}); {advice}")


def run(settings: Settings) -> None:
    # Here, since they take a second, and the other commands have no use for them.
    import cv2
    import uvloop

    from service.serving import serve
    from service.telemetry import logs

    logs.install(settings.log_level, settings.log_format, settings.access_log)
    set_memory_limits()
    cv2.setNumThreads(1)  # the workers are threads enough, and OpenCV's spin for a while after each crop
    # Each caller is an open file: as many as the system lets this process have.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


def main(arguments: Sequence[str] | None = None) -> None:
    options = command_line().parse_args(arguments)
    if options.version:
        from deephar.version import __version__

        print(f"deephar-serve {__version__}")
    elif options.new_key is not None:
        from service.access.keys import print_new_key

        sys.exit(print_new_key(options.new_key))
    elif options.check_config:
        configuration = configured()
        check_contents(configuration.settings)
        print(*lines_of(["the configuration is valid", *configuration.differences()]), sep="\n")
    else:
        # Otherwise gRPC writes lines of its own past the log: for a handshake that fails, or a compressed message.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        settings = configured().settings
        check_contents(settings)
        check_ports(settings)
        run(settings)


if __name__ == "__main__":
    main()
