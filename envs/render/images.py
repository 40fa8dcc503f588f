"""Pictures to files: png and gif.

Owns nothing but the writing; a file appears whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.envs.render.canvas import Image


def save_png(array: Image, path: str | os.PathLike[str], colours: int | None = None) -> Path:
    """Write pixels as a png file and return its path.

    Args:
        array: ``[H, W, 3]`` uint8.
        path: the file; missing folders are made.
        colours: keep only so many (2..256), for a smaller file; all if left out.
    """
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(array))
    if colours is not None:
        picture = _reduced([np.asarray(array)], colours)[0]
    return _write(path, lambda file: picture.save(file, "PNG", optimize=True))


def save_gif(frames: Iterable[Image], path: str | os.PathLike[str], fps: float = 10) -> Path:
    """Write ``[H, W, 3]`` uint8 frames as an endless gif and return its path.

    Args:
        frames: the pictures, all of one size, at least one.
        path: the file.
        fps: frames per second (gif rounds the pause to hundredths of a second).

    Raises:
        ValueError: if there is no frame.
    """
    pictures = _reduced([np.asarray(f) for f in frames], 256)
    if not pictures:
        raise ValueError("a gif needs at least one frame")
    pause = max(20, round(1000 / fps))
    return _write(
        path,
        lambda file: pictures[0].save(
            file, "GIF", save_all=True, append_images=pictures[1:], duration=pause, loop=0, optimize=True
        ),
    )


def _reduced(arrays: list[Image], colours: int) -> list[Any]:
    """Return the pictures with one palette: the commonest colours exactly, the rest by median cut.

    Median cut alone would merge the small but telling patches of a legend.
    """
    from PIL import Image as Pillow

    if not arrays:
        return []
    sample = np.concatenate([a.reshape(-1, 3) for a in arrays[:: max(1, len(arrays) // 4)]]).astype(np.uint32)
    codes, counts = np.unique(sample @ np.array([1 << 16, 1 << 8, 1], np.uint32), return_counts=True)
    common = codes[np.argsort(-counts.astype(np.int64), kind="stable")[: colours * 3 // 4]]
    exact = np.stack([common >> 16, common >> 8 & 255, common & 255], axis=1)
    whole = [Pillow.fromarray(np.ascontiguousarray(a)) for a in arrays]
    cut = whole[0].quantize(max(2, colours - len(exact)), dither=Pillow.Dither.NONE)
    palette = Pillow.new("P", (1, 1))
    palette.putpalette([*exact.astype(int).ravel().tolist(), *(cut.getpalette() or ())][: colours * 3])
    return [picture.quantize(palette=palette, dither=Pillow.Dither.NONE) for picture in whole]


def _write(path: str | os.PathLike[str], save: Any) -> Path:
    """Write beside the target, then put it in place in one move."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            save(file)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return target
