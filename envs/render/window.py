"""A window that shows frames, for ``render_mode="human"``.

Owns the one display that pygame has. It works without a screen too: then SDL's
dummy driver is chosen while the window opens, and the environment variable is
put back afterwards.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

from stratagym.envs.render.canvas import Image, pygame_module

_DRIVER = "SDL_VIDEODRIVER"

MOST_KEYS = 256
"""Keys that are kept until somebody asks for them; older ones are forgotten."""


@contextlib.contextmanager
def _driver_without_screen() -> Iterator[None]:
    """Choose the dummy driver where there is no screen and nobody chose one."""
    screen = not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", _DRIVER)
    )
    if screen:
        yield
        return
    os.environ[_DRIVER] = "dummy"
    try:
        yield
    finally:
        os.environ.pop(_DRIVER, None)


class Window:
    """Shows one frame after another; the window opens with the first."""

    _open = 0
    """Windows that use the display; the last one to close shuts it down."""

    def __init__(self, title: str = "stratagym", fps: float = 10, repeat: bool = False) -> None:
        """Prepare a window.

        Args:
            title: of the window.
            fps: most frames per second; 0 for as many as possible.
            repeat: whether a key that is held down counts again and again.
        """
        self.title, self.fps, self._repeat = title, fps, repeat
        self._keys: deque[str] = deque(maxlen=MOST_KEYS)
        self.closed = False
        self._screen: Any = None
        self._clock: Any = None

    def show(self, frame: Image) -> bool:
        """Show a frame ``[H, W, 3]`` uint8; return False once the user has closed the window."""
        if self.closed:
            return False
        pygame = pygame_module()
        height, width = frame.shape[:2]
        if self._screen is None:
            self._open_display(pygame, (width, height))
        elif not pygame.display.get_init() or pygame.display.get_surface() is None:
            self.close()
            return False
        screen = pygame.display.get_surface()
        if screen.get_size() != (width, height):
            screen = pygame.display.set_mode((width, height))
        screen.blit(pygame.image.frombuffer(frame.tobytes(), (width, height), "RGB"), (0, 0))
        pygame.display.flip()
        for event in pygame.event.get((pygame.QUIT, pygame.KEYDOWN)):
            if event.type == pygame.QUIT:
                self.close()
                return False
            self._keys.append(pygame.key.name(event.key))
        pygame.event.pump()
        if self.fps > 0:
            self._clock.tick(self.fps)
        return True

    def take(self) -> list[str]:
        """Return the names of the keys pressed since the last call (``tab``, ``a``, ``left``...)."""
        keys = list(self._keys)
        self._keys.clear()
        return keys

    def _open_display(self, pygame: Any, size: tuple[int, int]) -> None:
        with _driver_without_screen():
            if not pygame.display.get_init():
                pygame.display.init()
            self._screen = pygame.display.set_mode(size)
        pygame.display.set_caption(self.title)
        if self._repeat:
            pygame.key.set_repeat(260, 70)
        self._clock = pygame.time.Clock()
        Window._open += 1

    def close(self) -> None:
        """Close the window; more than once does no harm."""
        if self._screen is not None:
            self._screen = None
            Window._open -= 1
            pygame = pygame_module()
            if Window._open <= 0 and pygame.display.get_init():
                pygame.display.quit()
        self.closed = True
