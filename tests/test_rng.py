"""The draws: golden values that must never change, and the published generator behind them."""

from __future__ import annotations

import numpy as np
import pytest

from stratagym.envs import rng

GOLDEN = {
    (0, rng.DURATION, 0, 1): 0x99D3CEA6,
    (7, rng.DURATION, 3, 1): 0xE3325D19,
    (7, rng.SUCCESS, 3, 2): 0xAFCB5D72,
    (2**64 - 1, rng.EVENT, 0, 1): 0xBB94862B,
    (42, rng.ORDER, 5, 1): 0xC787C0F8,
    (42, rng.INSTANCE, 0, 1): 0xA0A6DA13,
    (42, rng.WORLD, 0, 0): 0x872B9794,
    (42, rng.WORLD, 17, 123): 0xD6DABB51,
    (42, rng.WORLD, 2**31 - 1, 9): 0x7CC24B0A,
}
"""(seed, kind, subtask or the world's number, attempt or tick) -> 32 bits."""


@pytest.mark.parametrize("key", GOLDEN)
def test_draws_are_golden(key: tuple[int, int, int, int]) -> None:
    """A named draw has the same bits for ever, on every platform."""
    assert rng.draw(*key) == GOLDEN[key]


def test_kinds_are_golden() -> None:
    """The numbers of the kinds are part of every draw."""
    kinds = (rng.DURATION, rng.SUCCESS, rng.EVENT, rng.ORDER, rng.INSTANCE, rng.WORLD)
    assert kinds == (0, 1, 2, 3, 4, 5)


def test_the_finaliser_is_the_published_one() -> None:
    """``scramble`` yields the first three outputs of SplitMix64 with seed 0, as its authors print them."""
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [rng.scramble(k * rng.G & rng.WORD) for k in (1, 2, 3)] == published


def test_seeds_of_episodes_are_golden() -> None:
    """The k-th episode after a reset has a seed of its own; the first has that of the reset."""
    seeds = [rng.mix(s, k) for s, k in ((0, 0), (0, 1), (5, 1), (5, 2), (2**64 - 1, 3))]
    assert seeds == [0, 0x397AB29740681D9, 0x5ACAF5D5BB3427D9, 0x3AB2D7071DC44DA1, 0x3AB0A773543093F1]
    assert rng.mix(-1, 0) == 2**64 - 1


def test_orders_are_golden() -> None:
    """The order of the subtasks under ``none`` is a permutation that only the seed decides."""
    assert rng.permutation(3, 8) == [5, 7, 1, 3, 2, 0, 6, 4]
    assert rng.permutation(0, 5) == [4, 1, 3, 0, 2]


def test_what_is_made_of_bits() -> None:
    """``floor(u * k)`` and ``u < p`` follow from the bits exactly."""
    drawn = [rng.draw_below(6, 1, rng.DURATION, 0, k) for k in range(1, 11)]
    assert drawn == [0, 0, 5, 4, 4, 3, 4, 4, 5, 2]
    assert [rng.threshold(p) for p in (0.0, 0.1, 0.5, 1.0)] == [0, 429496730, 2**31, 2**32]


def test_draws_look_random() -> None:
    """Bits are even and neighbours in every part of the key are not alike."""
    for part in range(4):
        key = np.array([11, rng.WORLD, 4, 1])
        bits = np.array([rng.draw(*(key + np.eye(4, dtype=int)[part] * k).tolist()) for k in range(4096)])
        ones = (bits[:, None] >> np.arange(32) & 1).mean(axis=0)
        assert abs(ones - 0.5).max() < 0.04
        uniform = bits / 2**32
        assert abs(np.corrcoef(uniform[:-1], uniform[1:])[0, 1]) < 0.06


def test_compiled_draws_are_the_same() -> None:
    """The compiled generator is the interpreted one, bit for bit."""
    from stratagym.envs.task.compiled import compile_modules

    numba_bits = compile_modules((rng,), ("bits32",), True)["bits32"]
    for key, bits in GOLDEN.items():
        assert int(numba_bits(*(np.uint64(part) for part in key))) == bits
