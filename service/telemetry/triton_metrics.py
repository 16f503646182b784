"""Triton's own metrics, read from its HTTP port: of one Triton or several, told apart by the label `address`."""

from __future__ import annotations

import asyncio
import logging
import urllib.error
import urllib.request
from http.client import HTTPException

from service.bare_url import host_of
from service.errors import Unavailable

log = logging.getLogger(__name__)

TIMEOUT_S = 2.0
LARGEST = 8 * 2**20  # bytes of one Triton's metrics

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no way to this machine's loopback


class TritonMetrics:
    """Reads the metrics of all Tritons.

    Args:
        urls: Where they are, by address.
    """

    def __init__(self, urls: dict[str, str]) -> None:
        self._urls = urls

    @staticmethod
    def of_setting(urls: str) -> TritonMetrics:
        """Returns those of URLs by commas; their addresses are the URLs' hosts and ports."""
        return TritonMetrics({host_of(url): url for url in (part.strip() for part in urls.split(",")) if url})

    async def read(self) -> str:
        """Returns the metrics in Prometheus' text format; those of a Triton that does not answer are left out.

        Raises:
            Unavailable: None answers, or nobody said where they are.
        """
        if not self._urls:
            raise Unavailable("nobody said where Triton's metrics are; set DEEPHAR_TRITON_METRICS_URL")
        texts = await asyncio.gather(*(_read(url) for url in self._urls.values()), return_exceptions=True)
        answered: dict[str, str] = {}
        for address, text in zip(self._urls, texts, strict=True):
            if isinstance(text, str):
                answered[address] = text
            elif isinstance(text, OSError | TimeoutError | HTTPException | ValueError):
                log.info("the metrics of the Triton at %s cannot be read: %s", address, text)
            else:
                raise text
        if not answered:
            raise Unavailable("no Triton's metrics can be read at present; try again in a few seconds")
        return merged(answered)


async def _read(url: str) -> str:
    async with asyncio.timeout(2 * TIMEOUT_S):
        return await asyncio.to_thread(_fetched, url)


def _fetched(url: str) -> str:
    with _direct.open(url, timeout=TIMEOUT_S) as answer:
        body: bytes = answer.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise ValueError(f"there are over {LARGEST} bytes")
    return body.decode()


def merged(texts: dict[str, str]) -> str:
    """Returns metrics of several servers as one text. Prometheus wants all lines of a metric together.

    Args:
        texts: By the value of the label `address` that each line gets.
    """
    comments: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for address, text in texts.items():
        family = ""
        for line in text.splitlines():
            if line.startswith("#"):
                words = line.split(maxsplit=3)
                if len(words) < 3 or words[1] not in ("HELP", "TYPE"):
                    continue
                family = words[2]
                known = comments.setdefault(family, [])
                if line not in known and len(known) < 2:
                    known.append(line)
            elif line.strip():
                samples.setdefault(family, []).append(_labelled(line, address))
    lines = [line for family in samples for line in (*comments.get(family, ()), *samples[family])]
    return "".join(f"{line}\n" for line in lines)


def _labelled(sample: str, address: str) -> str:
    label = 'address="' + address.replace("\\", r"\\").replace('"', r"\"") + '"'
    name, brace, rest = sample.partition("{")
    if brace:
        return f"{name}{{{label},{rest}" if not rest.startswith("}") else f"{name}{{{label}{rest}"
    name, _, value = sample.partition(" ")
    return f"{name}{{{label}}} {value}"
