"""Several requests in one forward pass: the numbers of single ones, nobody pays for another, nothing is in vain."""
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from httpx2 import ASGITransport, AsyncClient

from mlaface.serve.batching import Batcher
from tests.serve.served import Grid, png, send, served


def batcher(function, **settings):
    return Batcher(function, ThreadPoolExecutor(1), settings.pop('most', 8), **settings)


def doubled(sizes):
    def work(items):
        sizes.append(len(items))
        return [2 * item for item in items]
    return work


def test_what_waits_while_a_batch_is_worked_on_is_the_next():
    async def run():
        hold, started, sizes = threading.Event(), asyncio.Event(), []
        loop = asyncio.get_running_loop()

        def work(items):
            sizes.append(len(items))
            loop.call_soon_threadsafe(started.set)
            assert hold.wait(10)
            return items
        made = batcher(work)
        tasks = [asyncio.create_task(made.submit([0]))]
        await started.wait()
        tasks += [asyncio.create_task(made.submit([number])) for number in range(1, 20)]
        await asyncio.sleep(0)
        hold.set()
        assert await asyncio.gather(*tasks) == [[number] for number in range(20)]
        assert sizes == [1, 8, 8, 3]
    asyncio.run(run())


@pytest.mark.parametrize('coming, least', [(0, 0), (1, 0.2)])
def test_one_waits_for_others_only_while_they_are_coming(coming, least):
    async def run():
        loop, sizes = asyncio.get_running_loop(), []
        made = batcher(doubled(sizes), wait=0.2, coming=lambda: coming)
        start = loop.time()
        assert await made.submit([1]) == [2]
        assert loop.time() - start >= 0.95 * least
    asyncio.run(run())


def test_who_comes_in_time_shares_the_batch():
    async def run():
        coming, sizes = [1], []
        made = batcher(doubled(sizes), wait=10, coming=lambda: coming[0])
        first = asyncio.create_task(made.submit([1]))
        await asyncio.sleep(0.01)
        coming[0] = 0
        assert await made.submit([2, 3]) == [4, 6] and await first == [2] and sizes == [3]
        lone, coming[0] = asyncio.create_task(made.submit([1])), 1
        await asyncio.sleep(0.01)
        coming[0] = 0
        made.nudge()  # the other had no face
        assert await asyncio.wait_for(lone, 5) == [2]
    asyncio.run(run())


def test_an_item_that_fails_fails_alone():
    async def run():
        def work(items):
            if 3 in items:
                raise ValueError('three')
            return items
        made = batcher(work, wait=1, coming=lambda: len(made) < 3)
        found = await asyncio.gather(*(made.submit([number]) for number in (1, 3, 5)), return_exceptions=True)
        assert found[0] == [1] and found[2] == [5] and str(found[1]) == 'three'
    asyncio.run(run())


def test_what_was_given_up_is_not_worked_on():
    async def run():
        hold, seen = threading.Event(), []

        def work(items):
            seen.extend(items)
            assert hold.wait(10)
            return items
        made = batcher(work)
        first = asyncio.create_task(made.submit([1]))
        await asyncio.sleep(0.05)
        given_up = asyncio.create_task(made.submit([2]))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        hold.set()
        assert await made.submit([3]) == [3] and await first == [1] and seen == [1, 3]
        await made.close()
    asyncio.run(run())


def test_who_waits_is_told_when_nothing_can_be_done_any_more():
    async def run():
        made = batcher(list)
        made.pool.shutdown()
        for _ in range(2):
            with pytest.raises(RuntimeError, match='after shutdown'):
                await asyncio.wait_for(made.submit([1, 2]), 5)
    asyncio.run(run())


async def post(client, path, **files):
    return await client.post(f'/v1/{path}', files={name: ('x', data) for name, data in files.items()})


def test_requests_of_many_clients_share_batches_and_get_the_numbers_of_single_ones(client, tmp_path, drawn):
    faces = [png(image) for person in drawn for image in person]
    single = [send(client, 'embed', image=face).json() for face in faces]
    network = Grid()
    app = served(tmp_path, network)
    network.batches.clear()

    async def run():
        async with AsyncClient(transport=ASGITransport(app), base_url='http://localhost') as asked:
            network.hold.clear()
            tasks = [asyncio.create_task(post(asked, 'embed', image=face)) for face in faces]
            while sum(network.batches) + len(app.app.state.service.batcher) < len(faces):
                await asyncio.sleep(0.01)
            network.hold.set()
            return [answer.json() for answer in await asyncio.gather(*tasks)]
    together = asyncio.run(run())
    assert sum(network.batches) == len(faces) and len(network.batches) <= 2
    assert together == single  # this network's numbers do not depend on the batch at all


def test_searches_of_many_clients_are_one_and_each_gets_what_it_asked_for(client, tmp_path, drawn):
    for number, person in enumerate(drawn):
        send(client, 'enroll', image=png(person[0]), name=f'person {number}')
    faces = [png(person[1]) for person in drawn]
    queries = ['?k=1', '?k=3', '?k=2&threshold=0.99', '?k=6&threshold=-1', '?far=0.01', '?score=mean&threshold=-1']
    single = [send(client, 'identify', query, image=face).json() for query, face in zip(queries, faces)]
    app, probes = served(tmp_path / 'galleries'), []
    galleries = app.app.state.galleries

    async def run():
        async with AsyncClient(transport=ASGITransport(app), base_url='http://localhost') as asked:
            await asked.get('/v1/people')
            gallery, = galleries._open.values()
            galleries.observe = probes.append
            with gallery.lock:
                tasks = [asyncio.create_task(post(asked, f'identify{query}', image=face))
                         for query, face in zip(queries, faces)]
                await asyncio.sleep(0.5)
            return [answer.json() for answer in await asyncio.gather(*tasks)]
    assert asyncio.run(run()) == single
    assert sum(probes) == len(faces) and len(probes) < len(faces)
    counts = [len(found['faces'][0]['matches']) for found in single]
    assert counts[0] <= 1 and counts[2] <= 2
    assert counts[3] == 6 and counts[5] == 5
