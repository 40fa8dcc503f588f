"""The colours of every picture.

Owns the mapping from meanings (status, outcome, group) to colours. It draws
nothing. Hues are those of Okabe and Ito ("Color Universal Design", 2008), which
people with the common colour vision deficiencies can tell apart; pictures never
rely on them alone.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
ORANGE: Colour = (230, 159, 0)
SKY: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
VERMILLION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)

WHITE: Colour = (255, 255, 255)
PAPER: Colour = (255, 255, 255)
PANEL: Colour = (246, 247, 249)
RULE: Colour = (222, 225, 230)
MUTED: Colour = (96, 102, 112)
INK: Colour = (24, 28, 34)

GROUP_HUES: tuple[Colour, ...] = (SKY, ORANGE, GREEN, PURPLE, YELLOW, BLUE, VERMILLION)
"""Hues of groups of subtasks, in the order in which they are given out."""

OTHER: Colour = (170, 176, 186)
"""The hue of what belongs to no group."""


@dataclass(frozen=True, slots=True)
class Style:
    """How one status looks.

    Attributes:
        fill: background of the node.
        edge: border and icon.
        words: what the legend says.
    """

    fill: Colour
    edge: Colour
    words: str


STATUS_STYLE: dict[str, Style] = {
    "locked": Style((238, 240, 243), (150, 157, 168), "locked"),
    "eligible": Style((222, 240, 252), BLUE, "can start"),
    "running": Style((253, 226, 150), ORANGE, "running"),
    "done": Style((190, 232, 218), GREEN, "done"),
    "failed": Style((250, 214, 188), VERMILLION, "failed"),
    "closed": Style((243, 220, 233), PURPLE, "too late"),
}
"""Status word -> style, in the order of the legend."""

OUTCOME_HUE: dict[str, Colour] = {"running": ORANGE, "success": GREEN, "failure": VERMILLION}
"""Outcome of a run -> hue, where bars are coloured by outcome."""

LAG: Colour = BLUE
ITEM: Colour = (128, 92, 32)
FORBIDS: Colour = VERMILLION
NEEDS: Colour = (84, 91, 102)
NOW: Colour = (20, 60, 140)


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Return the colour with ``share`` (0..1) of ``other`` mixed in."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(colour, other, strict=True))
    return (r, g, b)


def luminance(colour: Colour) -> float:
    """Return the relative luminance in 0..1 (WCAG 2.1)."""
    parts = [c / 255 for c in colour]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(colour: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.1)."""
    low, high = sorted((luminance(colour), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(background: Colour) -> Colour:
    """Return black or white, whichever reads better on the background."""
    return BLACK if contrast(BLACK, background) >= contrast(WHITE, background) else WHITE
