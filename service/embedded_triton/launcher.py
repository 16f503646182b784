"""Launcher of the embedded Triton: replaces itself by the `tritonserver` of the wheel nvidia-pytriton.

    .venv-triton/bin/python service/embedded_triton/launcher.py --repository model_repository --port 8001

Runs in the environment that holds the wheel and OpenVINO, with the standard library only. Triton 2.51 is old and has
known holes: it listens on loopback only, for gRPC and, where it is told to, for who reads its metrics.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import filecmp
import importlib.util
import os
import select
import shutil
import signal
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it runs as a script, where this project is not installed
from service.embedded_triton import native_backend

BACKEND_SOURCE = Path(__file__).with_name("openvino_backend.py")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Triton keeps it
PR_SET_PDEATHSIG = 1


def wheel_folder() -> Path:
    found = importlib.util.find_spec("pytriton")
    if found is None or not found.submodule_search_locations:
        sys.exit(f"embedded Triton: nvidia-pytriton is not installed for {sys.executable}; run `make setup`")
    return Path(found.submodule_search_locations[0])


def prepare_backends(wheel: Path) -> Path:
    """Returns the backend directory: the native backend's or, where that cannot be built, the Python backend's.

    Both are made once for an environment. They are apart, since two servers of one environment may differ in it.
    """
    wanted = os.environ.get("DEEPHAR_BACKEND", "native")
    if wanted not in ("native", "python"):
        sys.exit(f"embedded Triton: DEEPHAR_BACKEND={wanted} is neither native nor python")
    if wanted == "python":
        say("I", "the Python backend runs the networks, as DEEPHAR_BACKEND says")
        return python_backends(wheel)
    target = Path(sys.prefix) / "deephar_native_backends"
    try:
        native_backend.build(target / "onnxruntime")
    except native_backend.NotBuilt as reason:
        say("W", f"the Python backend runs the networks, slowly: the native one could not be built: {reason}")
        return python_backends(wheel)
    say("I", "the native backend runs the networks")
    return target


def say(level: str, text: str) -> None:
    """Writes a line to the server's log, in its format."""
    now = time.time()
    moment = time.strftime("%m%d %H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}"
    print(f'{level}{moment} {os.getpid()} launcher.py] "{text}"', file=sys.stderr, flush=True)  # noqa: T201


def python_backends(wheel: Path) -> Path:
    """Makes the Python backend's directory. Files are copied: Triton refuses links."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    library = f"libpython{version}.so.1.0"
    if not (library_folder() / library).exists():
        try:
            ctypes.CDLL(library)
        except OSError:
            sys.exit(f"embedded Triton: {library} is missing; install Python's shared library (Debian: libpython3.11)")
    stub = wheel / "tritonserver" / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        sys.exit(f"embedded Triton: its Python backend does not know Python {version}; use 3.11 or 3.12")
    python_backend = wheel / "tritonserver" / "backends" / "python"
    target = Path(sys.prefix) / "deephar_backends"
    files = {
        "python/libtriton_python.so": python_backend / "libtriton_python.so",
        "python/triton_python_backend_utils.py": python_backend / "triton_python_backend_utils.py",
        "python/triton_python_backend_stub": stub,
        "onnxruntime/model.py": BACKEND_SOURCE,
    }
    for name, source in files.items():
        copy = target / name
        if not copy.exists() or not filecmp.cmp(source, copy, shallow=False):
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Renamed into place: another service may start from the same environment.
            with tempfile.NamedTemporaryFile(dir=copy.parent, delete=False) as part:
                pass
            shutil.copy2(source, part.name)
            os.replace(part.name, copy)
    return target


def library_folder() -> Path:
    return Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")


def environment(wheel: Path, regions: str) -> dict[str, str]:
    """Returns the server's environment variables. Stubs find their packages by the first `python3` in PATH."""
    return os.environ | {
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "LD_LIBRARY_PATH": f"{library_folder()}:{wheel.parent / 'nvidia_pytriton.libs'}",
        "DEEPHAR_SHARED_MEMORY": str(SHARED_MEMORY / regions),  # for the backend, which restricts its permissions
    }


def command(
    wheel: Path,
    backends: Path,
    repository: Path,
    port: int,
    metrics_port: int | None,
    server_id: str,
    regions: str,
    loaded_by_parent: bool,
) -> list[str]:
    metrics = ["--allow-metrics=false"]
    if metrics_port is not None:
        metrics = ["--allow-metrics=true", "--metrics-address=127.0.0.1", f"--metrics-port={metrics_port}"]
    # Models may be added while it runs: its parent has it load them, or it looks for them itself.
    polled = ["--model-control-mode=poll", "--repository-poll-secs=1"]
    loaded = ["--model-control-mode=explicit", "--load-model=*"]
    return [
        str(wheel / "tritonserver" / "bin" / "tritonserver"),
        f"--id={server_id}",
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={port}",
        "--allow-http=false",
        *metrics,
        "--allow-gpu-metrics=false",
        *(loaded if loaded_by_parent else polled),
        "--exit-on-error=false",  # one that fails to load must not stop the others
        "--strict-readiness=false",
        "--disable-auto-complete-config",
        "--pinned-memory-pool-byte-size=0",
        "--exit-timeout-secs=3",
        f"--backend-config=python,shm-region-prefix-name={regions}",
    ]


def die_with(parent: int) -> None:
    """Has the kernel kill this process when its parent ends, however that ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("embedded Triton: the service is gone already")


def watch(regions: str) -> None:
    """Forks a process that waits for the end of this one, then kills its stubs and removes its shared memory.

    A server that is killed cannot do that itself, and a stub may hang, or be just starting, when its server ends.
    """
    server = os.getpid()
    pidfd = os.pidfd_open(server)
    if os.fork():
        os.close(pidfd)
        return
    os.setsid()  # out of the process group that it kills
    for polite in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it ends when its work is done
        signal.signal(polite, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)  # the reader of the server's log waits for all writers to close it
    select.select([pidfd], [], [])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server, signal.SIGKILL)
    for region in SHARED_MEMORY.glob(f"{regions}*"):
        region.unlink(missing_ok=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--metrics-port", type=int, help="of its metrics over HTTP; otherwise there are none")
    parser.add_argument("--id", default=f"deephar{os.getpid()}", help="name of the server and of its shared memory")
    parser.add_argument("--parent", type=int, help="must not be outlived; for group leaders only")
    parser.add_argument("--loaded-by-parent", action="store_true", help="changed models are, by the API")
    parser.add_argument("--prepare-only", action="store_true", help="for images whose files are read-only later")
    arguments = parser.parse_args()
    if arguments.parent is not None:
        die_with(arguments.parent)
    wheel = wheel_folder()
    backends = prepare_backends(wheel)
    if arguments.prepare_only:
        return
    # Unique to this run: clearing up after an earlier run must not remove the regions of the next.
    regions = f"{arguments.id}-{os.getpid()}-"
    repository, ports = arguments.repository.resolve(), (arguments.port, arguments.metrics_port)
    argv = command(wheel, backends, repository, *ports, arguments.id, regions, arguments.loaded_by_parent)
    variables = environment(wheel, regions)
    os.umask(0o077)
    if arguments.parent is not None:
        watch(regions)
    os.execve(argv[0], argv, variables)  # noqa: S606


if __name__ == "__main__":
    main()
