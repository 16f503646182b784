"""A batch at work: inputs are asked for side by side, and each leaves a result file or a line in the list of errors."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from deephar.bulk.crew import Crew
from deephar.bulk.inputs import Input
from deephar.bulk.pace import Pace
from deephar.errors import DeepharError

AWAY = ("unreachable", "unavailable")
FAULTS = ("internal", "deadline_exceeded")
ABOUT_EVERYTHING = ("unauthenticated", "permission_denied", "unknown_model")
MOST_OUTAGES = 3  # in which one input was in work; with another one, it is what the service does not survive
MOST_FAULTS = 2  # retries of one input after `internal` or `deadline_exceeded`; the next fault goes to errors.jsonl
_REFUSALS = 8  # first answers that all refuse the options: no input is at fault
_CHUNK = 64  # inputs that are looked for at a time
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0


class ServiceAway(Exception):
    """The service did not answer for as long as the batch waits."""


class UnreadableInput(Exception):
    """The file cannot be read; the text says why."""


class Failed(NamedTuple):
    """Why an input cannot be answered."""

    code: str
    detail: str


class Asking(Protocol):
    """Asks the service for one input and writes its result."""

    async def ask(self, input: Input) -> None:
        """Asks, and writes the result.

        Raises:
            DeepharError: The service has no answer.
            UnreadableInput: The file cannot be read.
            OSError: The result cannot be written.
        """

    async def is_ready(self) -> bool:
        """Returns whether the service can answer at present."""


@dataclass
class _Tries:
    """What went wrong with an input so far, by no fault of its own."""

    outages: int = 0
    faults: int = 0


class Engine:
    """Runs inputs through a service.

    Args:
        asking: Who asks for one.
        done: Is told each input that is finished: None where it has a result, or why it has none.
        patience_s: How long a service that does not answer is waited for.
        threads: In which the inputs are looked for.
        tell: Takes a line for people.
    """

    def __init__(
        self,
        asking: Asking,
        done: Callable[[Input, Failed | None], None],
        patience_s: float,
        threads: ThreadPoolExecutor,
        tell: Callable[[str], None],
    ) -> None:
        self._asking, self._done, self._patience_s, self._threads = asking, done, patience_s, threads
        self._tell = tell
        self._taken = False  # whether the service took the options of an input so far
        self._refusals = 0
        self._stopping = asyncio.Event()
        self._return: asyncio.Task[None] | None = None  # of the service, which is away
        self._alone = asyncio.Lock()  # who was in work when the service went is asked for alone: it may be the cause

    def stop(self) -> None:
        """Takes no further inputs; those in work are finished."""
        self._stopping.set()

    async def run(self, inputs: Iterator[Input], pace: Pace) -> None:
        """Asks for all inputs.

        Raises:
            ServiceAway: The service was away for too long.
            DeepharError: It refuses what is the same for all inputs.
            OSError: A result cannot be written, or the inputs cannot be listed.
        """
        async with Crew(lambda: pace.limit) as crew:
            while not self._stopping.is_set() and (chunk := await self._next(inputs)):
                for input in chunk:
                    await crew.start(partial(self._one, input, pace))
                    if self._stopping.is_set():
                        break
            await crew.finish()

    async def _next(self, inputs: Iterator[Input]) -> list[Input]:
        """Returns the next inputs. They are looked for in a thread: folders may be slow."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: list(itertools.islice(inputs, _CHUNK)))

    async def _one(self, input: Input, pace: Pace) -> None:
        """Asks for an input until there is an answer, or an error of its own."""
        tries = _Tries()
        while not self._stopping.is_set():
            failed = None
            try:
                if input.kind is None:
                    raise UnreadableInput("neither a picture nor a video, by its name")
                async with self._alone if tries.outages else nullcontext():
                    await self._asking.ask(input)
                pace.answered()
            except UnreadableInput as error:
                failed = Failed("unreadable", str(error))
            except DeepharError as error:
                if await self._is_tried_again(error, tries, pace):
                    continue
                failed = Failed(error.code, error.detail)
            self._taken |= failed is None or failed.code not in ("unreadable", "invalid_argument")
            self._done(input, failed)
            return

    async def _is_tried_again(self, error: DeepharError, tries: _Tries, pace: Pace) -> bool:
        """Returns whether an input is asked for again, when it is time for that.

        Raises:
            DeepharError: The service would say the same of every input.
            ServiceAway: It was away for too long.
        """
        if error.code == "invalid_argument" and not self._taken:
            self._refusals += 1
        if error.code in ABOUT_EVERYTHING or self._refusals >= _REFUSALS:
            raise error
        if error.code == "overloaded":
            pace.refused()
            await asyncio.sleep((error.retry_after_s or 1.0) * random.uniform(0.5, 1.5))  # noqa: S311
            return True
        if error.code in AWAY and tries.outages < MOST_OUTAGES:
            tries.outages += 1
            await self._until_back(error)
            return True
        if error.code in FAULTS and tries.faults < MOST_FAULTS:
            tries.faults += 1
            await asyncio.sleep(tries.faults)
            return True
        return False

    async def _until_back(self, error: DeepharError) -> None:
        """Waits for the service, with all others who do."""
        if self._return is None or self._return.done():
            self._return = asyncio.create_task(self._service_returns(error))
        await asyncio.shield(self._return)

    async def _service_returns(self, error: DeepharError) -> None:
        self._tell(f"{error.detail}; waiting for it")
        until, pause_s = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            if await self._asking.is_ready():
                return
            if time.monotonic() > until:
                raise ServiceAway(f"{error.detail}; it was waited for {self._patience_s:g} s")
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
