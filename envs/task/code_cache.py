"""Where compiled code is kept, and whether it is there.

Owns the folder's name, a hash of all that the code depends on. Does not import numba,
so that asking costs nothing.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import types
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder for compiled code (``STRATAGYM_CACHE`` overrides the user's cache)."""
    base = os.environ.get("STRATAGYM_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stratagym"


def source_hash(modules: Iterable[types.ModuleType]) -> str:
    """Return a short hash of the sources of the modules, how they are compiled, and where.

    Numba keeps code by the path of its file, so that what another checkout of the same
    sources has compiled is not found.
    """
    digest = hashlib.sha256(version("numba").encode())
    digest.update(str(Path(__file__).resolve().parent).encode())
    # How it is compiled lies in a module that only numba can import.
    for name in ("compiled.py", "linking.py"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    for module in modules:
        digest.update(inspect.getsource(module).encode())
    return digest.hexdigest()[:16]


def variant(narrow: bool) -> str:
    """Return the name of one of the two compiled variants."""
    return "narrow" if narrow else "wide"


def is_cached(modules: Iterable[types.ModuleType], narrow: bool) -> bool:
    """Return whether code compiled from exactly these sources lies on disk."""
    folder = cache_folder() / source_hash(modules) / variant(narrow)
    return folder.is_dir() and any(folder.rglob("*.nbc"))


def writable(folder: Path) -> bool:
    """Return whether compiled code can be kept there; without a place it is compiled in every process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
