"""Work done a bounded number of items ahead of whoever takes the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    items: Iterable[Item], work: Callable[[Item], Result], threads: int, most: int
) -> Iterator[tuple[Item, Result]]:
    """The items with the results of `work`, in order, computed by a few threads.

    Args:
        items: Drawn only as results are taken.
        work: Thread-safe. What it raises is raised here.
        threads: How many.
        most: Results that may wait at a time.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="crops")
    begun: deque[tuple[Item, Future[Result]]] = deque()
    source = iter(items)
    try:
        begun.extend((item, pool.submit(work, item)) for item in islice(source, most))
        while begun:
            item, future = begun.popleft()
            result = future.result()
            begun.extend((following, pool.submit(work, following)) for following in islice(source, 1))
            yield item, result
    finally:
        pool.shutdown(cancel_futures=True)
