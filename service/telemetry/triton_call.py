"""Each inference that Triton is asked for: counted, timed, and a step of its request's trace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter

from service.telemetry.metrics import METRICS
from service.telemetry.traces import TRACES

_TRITON = METRICS.stage("triton")
_batch_size, _calls = cache(METRICS.batch_size.labels), cache(METRICS.triton_calls.labels)  # by network, and code


@contextmanager
def triton_call(network: str, rows: int) -> Iterator[tuple[tuple[str, str], ...]]:
    """Returns the context of one call; yields the metadata that it is sent with.

    Args:
        network: Name of the Triton model.
        rows: Size of the batch.
    """
    code = "OK"
    _batch_size(network).observe(rows)
    began_s = perf_counter()
    try:
        if TRACES.are_on:
            with TRACES.of_inference(network, rows) as metadata:
                yield metadata
        else:
            yield TRACES.passed_on()
    except BaseException as error:
        code = _code_of(error)
        raise
    finally:
        _TRITON.observe(perf_counter() - began_s)
        _calls(network, code).inc()


def _code_of(error: BaseException) -> str:
    """Returns the name of gRPC's code for an error of the call, which this package does not import gRPC for."""
    if isinstance(error, asyncio.CancelledError):
        return "CANCELLED"
    if isinstance(error, TimeoutError):
        return "DEADLINE_EXCEEDED"
    code = getattr(error, "code", None)
    return str(getattr(code(), "name", "UNKNOWN")) if callable(code) else "UNKNOWN"
