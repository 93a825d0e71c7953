"""Work of several requests done at once: what waits while a batch is worked on is the next batch."""
import asyncio
from collections import deque


class Batcher:
    """Gives items of many callers to one function, in batches; one batch at a time.

    An item waits while the one before is worked on, and no longer, but for ``wait``: while ``coming`` says that more is
    on its way. So nobody who is alone waits. What its caller has given up is not worked on.

    Args:
        function (callable): A list of items to a list of results, in a thread of ``pool``.
        pool (concurrent.futures.Executor): Where it works.
        most (int): Items of a batch.
        wait (float): Seconds; see above.
        coming (callable): How many items others are preparing (int).
        observe (callable or None): Is told the size of each batch.
    """

    def __init__(self, function, pool, most, wait=0.0, coming=lambda: 0, observe=None):
        self.function, self.pool, self.most, self.wait = function, pool, most, wait
        self.coming, self.observe = coming, observe
        self._waiting, self._worker, self._changed = deque(), None, asyncio.Event()

    def __len__(self):
        return len(self._waiting)

    async def submit(self, items):
        """Results of items, in their order.

        Raises:
            Exception: What the function raised for one of them; a batch that fails is done again item by item, so that
                nobody pays for another's.
        """
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures))
        self.nudge()
        if futures and self._worker is None:
            self._worker = loop.create_task(self._work())
        try:
            return list(await asyncio.gather(*futures))
        finally:
            for future in futures:
                future.cancel()

    def nudge(self):
        """Say that ``coming`` has changed."""
        self._changed.set()

    async def close(self):
        """Wait until everything is done that was submitted."""
        if self._worker is not None:
            await self._worker

    async def _work(self):
        batch = []
        try:
            while self._waiting:
                await self._gather()
                batch = self._next()
                if batch:
                    await self._run(batch)
        except Exception as error:  # a pool that was shut down: whoever waits is told
            for _, future in [*batch, *self._waiting]:
                if not future.done():
                    future.set_exception(error)
            self._waiting.clear()
        finally:
            self._worker = None

    async def _gather(self):
        """Wait for others that are on their way, no longer than is allowed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.wait
        while len(self._waiting) < self.most and self.coming() and (left := end - loop.time()) > 0:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except asyncio.TimeoutError:
                return

    def _next(self):
        batch = []
        while self._waiting and len(batch) < self.most:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    async def _run(self, batch):
        if self.observe is not None:
            self.observe(len(batch))
        items = [item for item, _ in batch]
        outcomes = await asyncio.get_running_loop().run_in_executor(self.pool, self._outcomes, items)
        for (_, future), (result, error) in zip(batch, outcomes):
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _outcomes(self, items):
        """A result or an error for each item."""
        try:
            return [(result, None) for result in self.function(items)]
        except Exception as error:
            if len(items) == 1:
                return [(None, error)]
        return [outcome for item in items for outcome in self._outcomes([item])]
