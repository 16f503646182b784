"""Callers behind the proxy who ask without a pause and keep what they were told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

import grpc
import httpx

from tests.deploy.stack import PICTURE
from tests.grpc_calls import GrpcCalls

PAUSE_S = 0.05  # a machine with two processors is then busy, but not full


class Load:
    """Callers over REST, with connections that are kept and new ones, and over gRPC; from entering to leaving it."""

    def __init__(self, http_port: int, grpc_port: int) -> None:
        self._url, self._address = f"http://127.0.0.1:{http_port}/v1/pose", f"127.0.0.1:{grpc_port}"
        self._picture = PICTURE.read_bytes()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=caller) for caller in (self._kept, self._new, self._grpc, self._grpc)]
        self.answers: list[str] = []
        self.longest_s = 0.0

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def failures(self) -> dict[str, int]:
        return {answer: count for answer, count in Counter(self.answers).items() if answer != "200"}

    def _asking(self, ask: Callable[[], str]) -> None:
        while not self._over.wait(PAUSE_S):
            started = time.monotonic()
            self.answers.append(ask())
            self.longest_s = max(self.longest_s, time.monotonic() - started)

    def _kept(self) -> None:
        with httpx.Client(timeout=60) as client:
            self._asking(lambda: self._post(client))

    def _new(self) -> None:
        def ask() -> str:
            with httpx.Client(timeout=60) as client:
                return self._post(client)

        self._asking(ask)

    def _post(self, client: httpx.Client) -> str:
        try:
            answer = client.post(self._url, content=self._picture, headers={"Content-Type": "image/jpeg"})
        except httpx.TransportError as error:
            return repr(error)
        return "200" if answer.is_success and answer.json()["people"] else f"{answer.status_code} {answer.text}"

    def _grpc(self) -> None:
        with GrpcCalls(self._address) as client:

            def ask() -> str:
                try:
                    return "200" if client.pose(self._picture).people else "nobody"
                except grpc.RpcError as error:
                    return f"{error.code()} {error.details()}"

            self._asking(ask)
