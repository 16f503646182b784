"""`deephar top`: the service at work, in figures of its `/metrics`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from deephar.address import Address
from deephar.cli.connection import Connection, http_client, with_connection
from deephar.cli.exits import DONE, REFUSED, UNREACHABLE, tell
from deephar.cli.load import load_of
from deephar.cli.output import print_json
from deephar.cli.prometheus import Interval, Reading
from deephar.transport.unreachable import unreachable

if TYPE_CHECKING:
    import httpx

CLEAR_LINE, CLEAR_BELOW, UP = "\x1b[K", "\x1b[J", "\x1b[{}A"


@click.command(
    epilog="""\b
Examples:
  deephar top
  deephar top --once
  deephar top --json --interval 10 >> load.jsonl
"""
)
@click.option("--once", is_flag=True, help="One interval, then end.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each interval.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two.",
)
@click.option(
    "--metrics-url",
    metavar="URL",
    help="Where /metrics is.  [default: the address, if it is http(s); else port 8080 of its host]",
)
@with_connection
def top(connection: Connection, once: bool, as_json: bool, interval: float, metrics_url: str | None) -> int:
    """Shows requests, times, queues, models and GPUs of the service, every second."""
    url = urlsplit(metrics_url or _url_of(connection))
    show = print_json if as_json else _Screen(url.netloc, once).show
    with http_client(f"{url.scheme}://{url.netloc}", connection.ca) as http:
        reader = _Reader(http, url.path.rstrip("/") or "/metrics")
        before = reader.service()
        if isinstance(before, _Missing):
            tell(f"{before.text}; name the address of REST with --metrics-url http://host:8080")
            return before.exit_code
        while True:
            time.sleep(interval)
            after = reader.service()
            if isinstance(after, _Missing):
                tell(after.text)
                if once:
                    return after.exit_code
                continue
            show(load_of(Interval(before, after), reader.triton()))
            if once:
                return DONE
            before = after


def _url_of(connection: Connection) -> str:
    address = connection.address
    if address.is_rest:
        return address.url
    host = urlsplit(f"//{address.target}").hostname or "localhost"
    port = os.environ.get("DEEPHAR_HTTP_PORT", "").strip() or "8080"
    return f"http{'s' * address.is_encrypted}://{f'[{host}]' if ':' in host else host}:{port}"


class _Missing:
    """Why there are no metrics."""

    def __init__(self, text: str, exit_code: int) -> None:
        self.text, self.exit_code = text, exit_code


class _Reader:
    def __init__(self, http: httpx.Client, path: str) -> None:
        self._http, self._path, self._has_triton = http, path, True

    def service(self) -> Reading | _Missing:
        import httpx

        try:
            answer = self._http.get(self._path)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            where = Address.of(str(self._http.base_url))
            return _Missing(unreachable(where, str(error)).detail, UNREACHABLE)
        if answer.status_code == 401:
            return _Missing("the metrics need a key: set DEEPHAR_API_KEY", REFUSED)
        if answer.status_code != 200 or "deephar_" not in answer.text:
            return _Missing(f"there are no metrics of a deephar-serve (status {answer.status_code})", REFUSED)
        return Reading(answer.text, time.monotonic())

    def triton(self) -> Reading:
        """Returns Triton's own metrics, which tell of GPUs; empty where it has none, and then not asked again."""
        import httpx

        if self._has_triton:
            try:
                answer = self._http.get(f"{self._path}/triton")
            except httpx.TransportError:
                return Reading("")
            self._has_triton = answer.status_code == 200
            return Reading(answer.text if self._has_triton else "")
        return Reading("")


class _Screen:
    """Lines for people, in place on a terminal, one block after another elsewhere.

    Args:
        place: The server's name in the first line.
        once: There will be one block.
    """

    def __init__(self, place: str, once: bool) -> None:
        self._place, self._once = place, once
        self._in_place = sys.stdout.isatty() and not once
        self._lines = 0

    def show(self, load: dict[str, Any]) -> None:
        lines = list(_lines(self._place, load))
        if self._in_place:
            import shutil

            columns, rows = shutil.get_terminal_size()
            lines = [line[: columns - 1] for line in lines[: rows - 1]]
            up = UP.format(self._lines) if self._lines else ""
            text = up + "".join(f"{line}{CLEAR_LINE}\n" for line in lines) + CLEAR_BELOW
        else:
            text = "".join(f"{line}\n" for line in lines) + "\n" * (not self._once)
        click.echo(text, nl=False)
        sys.stdout.flush()
        self._lines = len(lines)


def _lines(place: str, load: dict[str, Any]) -> Iterator[str]:
    yield f"{place}  deephar-serve {load['version']}  {'ready' if load['ready'] else 'NOT READY'}"
    yield ""
    yield f"{'':10}{'requests/s':>12}{'errors/s':>10}{'p50 ms':>10}{'p95 ms':>10}"
    for kind, figures in load["requests"].items():
        times = f"{_figure(figures['p50_ms']):>10}{_figure(figures['p95_ms']):>10}"
        yield f"{kind:10}{figures['per_s']:>12.1f}{figures['errors_per_s']:>10.1f}{times}"
    yield ""
    yield f"in flight {load['in_flight']}, refused/s {load['refused_per_s']:.1f}, queue {_figure(load['queue_ms'])} ms"
    frames = f"frames/s {load['frames_per_s']:.1f}, dropped/s {load['dropped_per_s']:.1f}"
    yield f"streams {load['streams']}, {frames}, lag {_figure(load['lag_ms'])} ms"
    up = sum(load["triton"].values())
    away = "".join(f", {address} is away" for address, is_up in load["triton"].items() if not is_up)
    yield f"Triton {up} of {len(load['triton'])} up, restarts {load['triton_restarts']}{away}"
    yield "models " + ", ".join(f"{name} {'ready' if ready else 'NOT READY'}" for name, ready in load["models"].items())
    for gpu in load["gpus"]:
        memory = ""
        if gpu["memory_total_bytes"]:
            memory = f", {gpu['memory_used_bytes'] / 2**30:.1f} of {gpu['memory_total_bytes'] / 2**30:.1f} GiB"
        yield f"GPU {gpu['gpu']}: {gpu['utilization']:.0%} at work{memory}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
