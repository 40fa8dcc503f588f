"""Pictures to files: png, gif and mp4.

Owns nothing but the writing; a file appears whole or not at all.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from stratagym.envs.render.canvas import Image
from stratagym.envs.render.palette import GROUP_HUES, INK, WHITE


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
        picture = _fitted(Pillow, array, _palette([array], colours))
    return _write(path, lambda file: picture.save(file, "PNG", optimize=True))


class Frames:
    """The frames of a film, kept small: compressed, and of too many every second one is dropped.

    Args:
        most: frames that are kept at most, the first and the last among them; at least 2.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most, self._every, self._seen = max(2, most), 1, 0
        self._kept: list[tuple[bytes, tuple[int, ...]]] = []
        self._last: tuple[bytes, tuple[int, ...]] | None = None

    def add(self, frame: Image) -> None:
        """Add a frame, ``[H, W, 3]`` uint8.

        Raises:
            ValueError: if it is of another size than those before.
        """
        packed = (zlib.compress(np.ascontiguousarray(frame).tobytes(), 1), frame.shape)
        if self._last is not None and self._last[1] != packed[1]:
            raise ValueError(f"a film's frames are of one size: {self._last[1]} and {packed[1]}")
        self._last = packed
        if self._seen % self._every == 0:
            self._kept.append(packed)
        self._seen += 1
        if len(self._kept) >= self._most:
            self._kept, self._every = self._kept[::2], self._every * 2

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Image]:
        return map(_unpacked, self._all())

    def last(self) -> Image:
        """Return the latest frame.

        Raises:
            ValueError: if there is none.
        """
        if self._last is None:
            raise ValueError("there is no frame yet")
        return _unpacked(self._last)

    def some(self, count: int) -> list[Image]:
        """Return at most ``count`` frames, evenly spread."""
        every = self._all()
        places = {round(k * (len(every) - 1) / max(1, count - 1)) for k in range(count)} if every else set()
        return [_unpacked(every[k]) for k in sorted(places)]

    def _all(self) -> list[tuple[bytes, tuple[int, ...]]]:
        """Return what is kept, and the latest frame at the end."""
        if self._last is None or self._kept[-1] is self._last:
            return self._kept
        return [*self._kept, self._last]


def _unpacked(packed: tuple[bytes, tuple[int, ...]]) -> Image:
    data, shape = packed
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(shape)


def save_gif(
    frames: Frames | Iterable[Image],
    path: str | os.PathLike[str],
    fps: float = 10,
    hold: float = 1.5,
    colours: int = 255,
) -> Path:
    """Write ``[H, W, 3]`` uint8 frames as an endless gif and return its path.

    Args:
        frames: the pictures, all of one size, at least one.
        path: the file.
        fps: frames per second (gif rounds the pause to hundredths of a second).
        hold: seconds for which the last frame stays.
        colours: how many (2..255); fewer make a smaller file.

    Raises:
        ValueError: if there is no frame.
    """
    from PIL import Image as Pillow

    film = frames if isinstance(frames, Frames) else _film(frames)
    if not len(film):
        raise ValueError("a gif needs at least one frame")
    # One colour is left free: with it a gif says "as before".
    palette = _palette(film.some(SAMPLES), min(colours, 255))
    pictures = (_fitted(Pillow, frame, palette) for frame in film)
    first = next(pictures)
    pause = max(20, round(1000 / fps))
    pauses = [pause] * (len(film) - 1) + [max(pause, round(1000 * hold))]
    return _write(
        path,
        lambda file: first.save(
            file, "GIF", save_all=True, append_images=pictures, duration=pauses, loop=0, optimize=True
        ),
    )


def save_mp4(frames: Frames | Iterable[Image], path: str | os.PathLike[str], fps: float = 10) -> Path:
    """Write ``[H, W, 3]`` uint8 frames as an mp4 film and return its path.

    Raises:
        ImportError: without the packages of the extra ``video``.
        ValueError: if there is no frame.
    """
    import imageio_ffmpeg

    film = frames if isinstance(frames, Frames) else _film(frames)
    if not len(film):
        raise ValueError("a film needs at least one frame")
    height, width = film.last().shape[:2]

    def save(part: Path) -> None:
        writer = imageio_ffmpeg.write_frames(
            str(part), (width, height), fps=fps, macro_block_size=2, quality=7, output_params=["-f", "mp4"]
        )
        writer.send(None)
        for frame in film:
            writer.send(np.ascontiguousarray(frame))
        writer.close()

    return _beside(path, save)


KEPT = (*GROUP_HUES, WHITE, INK)
"""Colours that are in every palette."""

SAMPLES = 6
"""Frames from which the palette of a film is made."""


def _film(frames: Iterable[Image]) -> Frames:
    film = Frames()
    for frame in frames:
        film.add(np.asarray(frame))
    return film


def _palette(arrays: list[Image], colours: int) -> Any:
    """Return one palette for some pictures: the commonest colours exactly, the rest by median cut.

    The hues that mean something are always among them: median cut alone would merge the small
    but telling patches of a legend, or the bodies of a map.
    """
    from PIL import Image as Pillow

    whole = np.concatenate([a.reshape(-1, 3) for a in arrays]).astype(np.uint32)
    codes, counts = np.unique(whole @ np.array([1 << 16, 1 << 8, 1], np.uint32), return_counts=True)
    common = codes[np.argsort(-counts.astype(np.int64), kind="stable")[: colours * 3 // 4 - len(KEPT)]]
    often = np.stack([common >> 16, common >> 8 & 255, common & 255], axis=1)
    seen = {tuple(colour) for colour in often.tolist()}
    exact = np.concatenate([often, np.array([c for c in KEPT if c not in seen], np.uint32).reshape(-1, 3)])
    stacked = Pillow.fromarray(np.ascontiguousarray(np.concatenate(arrays)))
    cut = stacked.quantize(max(2, colours - len(exact)), dither=Pillow.Dither.NONE)
    palette = Pillow.new("P", (1, 1))
    palette.putpalette([*exact.astype(int).ravel().tolist(), *(cut.getpalette() or ())][: colours * 3])
    return palette


def _fitted(pillow: Any, array: Image, palette: Any) -> Any:
    """Return a picture in the colours of a palette."""
    whole = pillow.fromarray(np.ascontiguousarray(array))
    return whole.quantize(palette=palette, dither=pillow.Dither.NONE)


def _write(path: str | os.PathLike[str], save: Callable[[IO[bytes]], object]) -> Path:
    """Write a file by way of an open one beside it."""

    def into(part: Path) -> None:
        with part.open("wb") as file:
            save(file)

    return _beside(path, into)


def _beside(path: str | os.PathLike[str], save: Callable[[Path], object]) -> Path:
    """Let something be written beside the target, then put it in place in one move."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        save(beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return target
