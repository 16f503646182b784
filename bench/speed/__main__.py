"""The benchmark of the service's speed.

    make bench
    make bench SECTIONS=gateway,streams SECONDS=5
    python -m bench.speed --sections gateway --json FILE

Sides of a comparison take turns in one run, since machines are shared and noisy: ratios hold, times are of a machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.speed import (
    batch,
    evaluation,
    gateway,
    gpu,
    growth,
    machine,
    networks,
    overload,
    penn,
    side_by_side,
    streams,
)
from bench.speed.processes import Others
from bench.speed.report import Options, Table
from service.testing.running import ROOT

SECTIONS: dict[str, Callable[[Options], Iterator[Table]]] = {
    "gateway": gateway.measure,
    "batch": batch.measure,
    "peers": side_by_side.measure,
    "streams": streams.measure,
    "growth": growth.measure,
    "penn": penn.measure,
    "overload": overload.measure,
    "networks": networks.measure,
    "evaluation": evaluation.measure,
    "gpu": gpu.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default=",".join(SECTIONS), help=f"by commas; default: {','.join(SECTIONS)}")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measured point; default: 10")
    parser.add_argument("--full", action="store_true", help="10,000 requests and a stream of an hour in `growth`")
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another checkout of this project, in `peers`")
    parser.add_argument("--made", type=Path, default=ROOT / "build" / "made" / "repository", metavar="FOLDER")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json", metavar="FILE")
    arguments = parser.parse_args()
    names = arguments.sections.split(",")
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"no sections {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    beside = arguments.beside.resolve() if arguments.beside else None
    options = Options(arguments.seconds, arguments.full, arguments.made.resolve(), beside)
    sys.exit(1 if run(names, options, arguments.json) else 0)


def run(names: list[str], options: Options, file: Path) -> list[str]:
    """Prints and writes the tables of these sections, and returns the names of those that failed."""
    about = machine.described()
    print(*(f"{name:12} {value}" for name, value in about.items()), sep="\n", flush=True)
    sections: dict[str, list[dict[str, object]]] = {}
    taken: dict[str, float] = {}
    failed = []
    for name in names:
        began, others = time.monotonic(), Others()
        sections[name] = []
        try:
            for table in SECTIONS[name](options):
                print(table, flush=True)
                sections[name].append(dataclasses.asdict(table))
        except Exception:  # the other sections are still worth their time
            traceback.print_exc()
            failed.append(name)
        taken[name] = others.cores()
        print(f"[{name}: {time.monotonic() - began:.0f} s; other processes took {taken[name]:.2f} cores]", flush=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        document = {"machine": about, "seconds": options.seconds, "cores of other processes": taken}
        document |= {"failed": failed, "sections": sections}
        file.write_text(json.dumps(document, indent=1) + "\n")
    return failed


if __name__ == "__main__":
    main()
