"""What a machine is, for whoever reads its numbers."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from service.testing.running import ROOT

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")
_TRITON = ROOT / ".venv-triton"
_PRECISION = 'import openvino; print(*openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))'


def described() -> dict[str, str]:
    """Returns what speed depends on, by name."""
    about = _processor()
    flags = about.get("flags", "").split()
    return {
        "processor": f"{about.get('model name', platform.machine())} (family {about.get('cpu family', '?')}, "
        f"model {about.get('model', '?')})",
        "cores": str(len(os.sched_getaffinity(0))),
        "flags": " ".join(flag for flag in _FLAGS if flag in flags),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "precision": _precision(),
        "openvino": _version(_TRITON, "openvino"),
        "triton": f"nvidia-pytriton {_version(_TRITON, 'nvidia-pytriton')}",
        "onnxruntime": _version(ROOT / ".venv-bench", "onnxruntime"),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "commit": _commit(),
    }


def _processor() -> dict[str, str]:
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    lines = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def _precision() -> str:
    """Returns in what the embedded Triton computes here, as its backend decides."""
    wanted = os.environ.get("DEEPHAR_PRECISION", "auto")
    if wanted != "auto":
        return wanted
    try:
        known = _output(str(_TRITON / "bin" / "python"), "-c", _PRECISION)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return "bf16" if "BF16" in known.split() else "fp32"


def _version(environment: Path, package: str) -> str:
    folders = [str(folder) for folder in environment.glob("lib/python3*/site-packages")]
    for found in importlib.metadata.distributions(name=package, path=folders):
        return found.version
    return "not installed"


def _commit() -> str:
    try:
        changed = " and changes" if _output("git", "status", "--porcelain", "--untracked-files=no") else ""
        return _output("git", "rev-parse", "HEAD") + changed
    except (OSError, subprocess.CalledProcessError):
        return "none"


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
