from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from service.errors import InvalidImage
from service.pipeline.lookahead import ahead


class Source:
    """Numbers from 1 that are counted; the one whose place is `damaged` cannot be made."""

    def __init__(self, count: int, damaged: int | None = None, endless_at: int | None = None) -> None:
        self._count, self._damaged, self._endless_at = count, damaged, endless_at
        self.made = 0
        self.closed = False

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            for i in range(self._count):
                if i == self._endless_at:
                    await asyncio.Event().wait()
                if i == self._damaged:
                    raise InvalidImage("damaged")
                self.made += 1
                yield i + 1
        finally:
            self.closed = True


def test_items_come_in_order() -> None:
    async def run() -> list[int]:
        async with aclosing(ahead(Source(5).items())) as items:
            return [item async for item in items]

    assert asyncio.run(run()) == [1, 2, 3, 4, 5]


def test_one_item_is_made_while_another_is_in_work() -> None:
    async def run() -> None:
        source = Source(5)
        async with aclosing(ahead(source.items())) as items:
            await anext(items)
            await asyncio.sleep(0.01)  # the work on the first one
            assert source.made == 2
        assert source.closed

    asyncio.run(run())


def test_the_rate_of_two_stages_is_that_of_the_slower_one() -> None:
    busy: list[str] = []

    async def first() -> AsyncGenerator[int, None]:
        for i in range(1, 6):
            busy.append(f"first begins {i}")
            await asyncio.sleep(0.01)
            yield i

    async def run() -> None:
        async for item in ahead(first()):
            await asyncio.sleep(0)
            busy.append(f"second begins {item}")
            await asyncio.sleep(0.01)

    asyncio.run(run())
    assert busy.index("first begins 3") < busy.index("second begins 2")


def test_an_error_comes_in_the_turn_of_its_item() -> None:
    seen = []

    async def run() -> None:
        async for item in ahead(Source(5, damaged=2).items()):
            await asyncio.sleep(0.01)
            seen.append(item)

    with pytest.raises(InvalidImage):
        asyncio.run(run())
    assert seen == [1, 2]


@pytest.mark.parametrize("cancelled", [False, True])
def test_who_leaves_while_an_item_is_awaited_leaves_nothing_behind(cancelled: bool) -> None:
    async def run() -> None:
        source = Source(5, endless_at=1)

        async def follow() -> None:
            async with aclosing(ahead(source.items())) as items:
                await anext(items)
                await asyncio.sleep(0.01)
                if cancelled:
                    await anext(items)

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert source.closed
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
