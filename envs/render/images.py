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


def save_png(array: Image, path: str | os.PathLike[str]) -> Path:
    """Write ``[H, W, 3]`` uint8 pixels as a png file and return its path."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(array))
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
    from PIL import Image as Pillow

    pictures = [
        Pillow.fromarray(np.ascontiguousarray(f)).quantize(128, dither=Pillow.Dither.NONE) for f in frames
    ]
    if not pictures:
        raise ValueError("a gif needs at least one frame")
    pause = max(20, round(1000 / fps))
    return _write(
        path,
        lambda file: pictures[0].save(
            file, "GIF", save_all=True, append_images=pictures[1:], duration=pause, loop=0, optimize=True
        ),
    )


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
