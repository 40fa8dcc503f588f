"""The knobs of random tasks, with their ranges.

Owns what a family of generated tasks is described by, and the refusal of
settings that contradict each other; ``generate`` draws tasks from it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

_SHARES = (
    "and_share", "or_share", "k_of_share", "not_share", "drawn", "attended", "dispatched", "use_share",
    "min_lags", "max_lags", "releases", "deadlines", "dues", "slack", "joint", "modes", "chance", "success",
)  # fmt: skip


@dataclass(frozen=True)
class Knobs:
    """What a family of random tasks looks like. Shares are in 0..1.

    Attributes:
        number: subtasks in all, distractors included; modes count as one.
        depth: subtasks on the longest chain of positive needs.
        width: subtasks in the largest layer (a layer: equal longest chain before it).
        and_share: share of the later subtasks that need two or three others.
        or_share: share that need one of two.
        k_of_share: share that need two of three.
        not_share: share that must come before some subtask, or without it.
        distractors: subtasks that the goal never asks for; ``not_share`` names them first.
        duration: shortest and longest fixed duration.
        drawn: share of durations that are uniform and drawn at the start.
        attended: share of subtasks attended throughout; the rest for their first tick.
        dispatched: share of the rest that are not attended at all.
        resources: renewable resources; ``capacity`` is the range of their units.
        use_share: share of subtasks that hold a resource.
        min_lags: share of the fixed needs with a least wait.
        max_lags: share of the fixed needs that spoil, smallest gaps of the witness first.
        keeps: range of ticks beyond the witness's gap before something spoils.
        releases: share of subtasks with a release.
        deadlines: share with a deadline, ``slack`` (of the witness's makespan) at most behind it.
        dues: share with a soft due date, half as loose.
        items: stocks; every second is handed on from one subtask to the next, the
            others hold exactly what the witness takes, and distractors take of them too.
        agents: how many agents; ``joint`` is the share of subtasks that take two.
        skills: how many skills; then half of the subtasks ask for one.
        modes: share of subtasks with a fast attended and a slow unattended mode.
        chance: share of subtasks that succeed with probability ``success`` only.
        events: unknown disturbances that the witness survives.
        constraints: LTLf formulas that the witness satisfies.
        horizon: as a multiple of the witness's makespan, or None.
        goal: whether there is a goal; without, rewards are all there is.
    """

    number: int = 16
    depth: int = 5
    width: int = 5
    and_share: float = 0.4
    or_share: float = 0.15
    k_of_share: float = 0.1
    not_share: float = 0.2
    distractors: int = 2
    duration: tuple[int, int] = (1, 8)
    drawn: float = 0.0
    attended: float = 0.5
    dispatched: float = 0.0
    resources: int = 2
    capacity: tuple[int, int] = (1, 2)
    use_share: float = 0.5
    min_lags: float = 0.0
    max_lags: float = 0.0
    keeps: tuple[int, int] = (0, 2)
    releases: float = 0.0
    deadlines: float = 0.0
    dues: float = 0.0
    slack: float = 0.25
    items: int = 0
    agents: int = 1
    joint: float = 0.0
    skills: int = 0
    modes: float = 0.0
    chance: float = 0.0
    success: float = 0.8
    events: int = 0
    constraints: int = 0
    horizon: float | None = 2.0
    goal: bool = True

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: {getattr(self, name)} is not in 0..1")
        for name in ("number", "depth", "width", "agents"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is less than 1")
        for name in ("distractors", "resources", "items", "skills", "events", "constraints"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)} is negative")
        for name in ("duration", "capacity"):
            low, high = getattr(self, name)
            if not 1 <= low <= high:
                raise ValueError(f"{name}: [{low}, {high}] is not a range from 1 on")
        if not 0 <= self.keeps[0] <= self.keeps[1]:
            raise ValueError(f"keeps: {list(self.keeps)} is not a range from 0 on")
        low, high = self.depth + self.width - 1, self.depth * self.width
        if not low <= self.number <= high:
            raise ValueError(
                f"number: depth {self.depth} and width {self.width} take {low} to {high} subtasks, "
                f"not {self.number}"
            )
        if self.distractors > self.number - self.depth:
            raise ValueError(f"distractors: {self.distractors} leave less than one subtask a layer")
        if self.and_share + self.or_share + self.k_of_share > 1.0:
            raise ValueError("and_share, or_share, k_of_share: together more than 1")
        if self.success == 0.0:
            raise ValueError("success: 0 makes the goal unreachable")
        if self.horizon is not None and self.horizon < 1.0:
            raise ValueError(f"horizon: {self.horizon} of the witness's makespan cuts it off")
        if self.dues and self.horizon is None:
            raise ValueError("dues: due dates need a horizon")


def knob_names() -> tuple[str, ...]:
    """Return the names of all knobs, in order."""
    return tuple(f.name for f in fields(Knobs))
