"""Throughput of two checkouts of this project, alternating: what a change costs or gains.

    python -m bench.speed.two_checkouts ../before . --seconds 4 --rounds 5

Each checkout runs in the environment in its folder `.venv`, with a Triton of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from pathlib import Path

from bench.speed.http_load import Caller, person_with_box, rate
from service.testing.running import ServiceProcess, running_service

CALLERS = 8


def cpu_s(pid: int) -> float:
    """Returns the processor's seconds of the gateway, without its Triton's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(services: list[ServiceProcess], seconds: float, rounds: int) -> None:
    """Prints the throughput of both, and their ratio, for each round and as medians."""
    request = person_with_box()
    sides = [[Caller(service.http_port, request) for _ in range(CALLERS)] for service in services]
    for callers in sides:
        await rate(callers, 2.0)
    throughput, cost = [], []
    for number in range(rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        rates, used, done = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        for side in (*order, *reversed(order)):  # a drift of the machine cancels out
            began, used_before = time.monotonic(), cpu_s(services[side].process.pid)
            each = await rate(sides[side], seconds)
            rates[side] += each / 2
            done[side] += each * (time.monotonic() - began)
            used[side] += cpu_s(services[side].process.pid) - used_before
        milliseconds = [1e3 * used[side] / done[side] for side in (0, 1)]
        throughput.append(rates[1] / rates[0])
        cost.append(milliseconds[1] / milliseconds[0])
        print(
            f"{rates[0]:.1f} and {rates[1]:.1f} requests/s, ratio {throughput[-1]:.3f}; the gateway's CPU"
            f" {milliseconds[0]:.2f} and {milliseconds[1]:.2f} ms a request, ratio {cost[-1]:.3f}",
            flush=True,
        )
    print(f"medians: throughput {statistics.median(throughput):.3f}, the gateway's CPU {statistics.median(cost):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run; a round has two of each checkout")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    before, after = options.before.resolve(), options.after.resolve()
    with running_service(checkout=before) as one, running_service(checkout=after) as other:
        asyncio.run(measure([one, other], options.seconds, options.rounds))


if __name__ == "__main__":
    main()
