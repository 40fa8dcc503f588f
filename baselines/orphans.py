"""Worker processes whose parent is gone.

Owns that they end: nothing else would end them when the parent was killed, and whoever takes its work up
again would share a folder, and the machine, with them.
"""

from __future__ import annotations

import os
import threading
import time


def die_with(parent: int) -> None:
    """End this process when its parent is gone; for the initializer of a pool.

    Args:
        parent: number of the process that has the pool.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
