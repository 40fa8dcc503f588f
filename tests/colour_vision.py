"""How far apart colours are for people with a colour vision deficiency.

Dichromats are simulated by the matrices of Machado, Oliveira and Fernandes (2009) at full severity;
distances are those of CIE 1976 in L*a*b*, where about 2.3 is just noticeable.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SEEN_BY = {
    "everybody": np.eye(3),
    "protanopes": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopes": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopes": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
"""Who sees -> linear RGB to linear RGB."""

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


def lab(colours: Any, viewer: str) -> np.ndarray:
    """Return sRGB colours ``[..., 3]`` 0..255 in L*a*b* as a viewer sees them."""
    share = np.asarray(colours, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ SEEN_BY[viewer].T, 0, 1) @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


def distance(one: Any, other: Any, viewer: str) -> np.ndarray:
    """Return the distances between colours, ``[...]``."""
    apart: np.ndarray = np.linalg.norm(lab(one, viewer) - lab(other, viewer), axis=-1)
    return apart
