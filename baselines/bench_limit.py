"""The limit of the speed benchmark: the least that a batched task environment could do.

Owns a numba kernel of its own for tasks of 32 subtasks that need up to two sets of
earlier ones: it starts what an action names if it can start, counts every run down,
pays, ends and restarts episodes, and writes 96 values and a mask a lane. It has no
agents, resources, lags, events or draws, so no environment with them can be faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

SUBTASKS = 32
HORIZON = 200
BLOCK = 20
"""Batch steps in one call of the kernel."""


def _needs(lanes: int, rng: np.random.Generator) -> Any:
    """Return ``[lanes, 2, 32]`` uint32: two alternative sets of earlier subtasks as bit masks."""
    sets = np.zeros((lanes, 2, SUBTASKS), dtype=np.uint32)
    for i in range(4, SUBTASKS):
        picks = rng.integers(0, i, size=(lanes, 2, 2)).astype(np.uint32)
        sets[:, :, i] = (np.uint32(1) << picks[..., 0]) | (np.uint32(1) << picks[..., 1])
    return sets


def _steps(
    needs: Any,
    duration: Any,
    reward: Any,
    done: Any,
    left: Any,
    clock: Any,
    actions: Any,
    first: int,
    last: int,
    view: Any,
    mask: Any,
    paid: Any,
    over: Any,
) -> None:
    """Step the lanes ``first`` to ``last`` once for every row of ``actions``; all arrays ``[lanes, ...]``."""
    for row in range(actions.shape[0]):
        for lane in range(first, last):
            have = done[lane]
            wanted = actions[row, lane]
            ready = (needs[lane, 0, wanted] & ~have) == 0 or (needs[lane, 1, wanted] & ~have) == 0
            if ready and left[lane, wanted] == 0 and not (have >> np.uint32(wanted)) & np.uint32(1):
                left[lane, wanted] = duration[lane, wanted]
            total = np.float32(0)
            for i in range(SUBTASKS):
                ticks = left[lane, i]
                if ticks > 0:
                    left[lane, i] = ticks - 1
                    if ticks == 1:
                        have |= np.uint32(1) << np.uint32(i)
                        total += reward[lane, i]
            clock[lane] += 1
            ended = have == np.uint32(0xFFFFFFFF) or clock[lane] >= HORIZON
            if ended:
                have = np.uint32(0)
                clock[lane] = 0
                left[lane, :] = 0
            done[lane] = have
            paid[lane] = total
            over[lane] = ended
            for i in range(SUBTASKS):
                is_done = (have >> np.uint32(i)) & np.uint32(1)
                open_now = (needs[lane, 0, i] & ~have) == 0 or (needs[lane, 1, i] & ~have) == 0
                can = np.uint8(open_now and left[lane, i] == 0 and is_done == 0)
                view[lane, i] = is_done
                view[lane, SUBTASKS + i] = left[lane, i]
                view[lane, 2 * SUBTASKS + i] = can
                mask[lane, i] = can


def chunks(lanes: int) -> Iterator[tuple[int, Callable[[], tuple[int, float, float]]]]:
    """Yield ``(threads, chunk)`` for one and for two threads, each over all lanes."""
    import numba

    kernel = numba.njit(nogil=True)(_steps)
    for threads in (1, 2):
        rng = np.random.default_rng(0)
        arrays = (
            _needs(lanes, rng),
            rng.integers(1, 6, size=(lanes, SUBTASKS)).astype(np.int16),
            rng.random((lanes, SUBTASKS), dtype=np.float32),
            np.zeros(lanes, dtype=np.uint32),
            np.zeros((lanes, SUBTASKS), dtype=np.int16),
            rng.integers(0, HORIZON, size=lanes).astype(np.int32),
            rng.integers(0, SUBTASKS, size=(BLOCK, lanes)).astype(np.uint8),
        )
        outputs = (
            np.zeros((lanes, 3 * SUBTASKS), dtype=np.uint8),
            np.zeros((lanes, SUBTASKS), dtype=np.uint8),
            np.zeros(lanes, dtype=np.float32),
            np.zeros(lanes, dtype=np.bool_),
        )
        kernel(*arrays, 0, 1, *outputs)
        with ThreadPoolExecutor(threads) as pool:
            yield threads, _chunk(kernel, arrays, outputs, threads, pool)


def _chunk(
    kernel: Any, arrays: Any, outputs: Any, threads: int, pool: ThreadPoolExecutor
) -> Callable[[], tuple[int, float, float]]:
    """Return a chunk that steps each thread's share of the lanes at once."""
    lanes = len(arrays[0])
    bounds = [(lanes * t // threads, lanes * (t + 1) // threads) for t in range(threads)]

    def chunk() -> tuple[int, float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        if threads == 1:
            kernel(*arrays, 0, lanes, *outputs)
        else:
            for future in [pool.submit(partial(kernel, *arrays, a, b, *outputs)) for a, b in bounds]:
                future.result()
        return lanes * BLOCK, time.perf_counter() - wall, time.process_time() - cpu

    return chunk
