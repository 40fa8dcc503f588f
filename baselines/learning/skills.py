"""Learned levels: planners over skills, and skills that are learned, as agents that can be kept.

Owns the batches in which they learn, the skill whose policy is a network (``TrainedSkill``), and how
the two levels of a trained pair are put together again. What a skill is, and how levels meet, is the
agents' (``agents.base``, ``agents.hierarchy``).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stratagym.agents.base import FOR_SKILLS, Case, Goal, Memory, Move, Prospect, Survey
from stratagym.agents.skills import SCRIPTED, make_skill
from stratagym.baselines.methods import Options, Skills
from stratagym.baselines.suites import EnvironmentSpec, InputError, one_line

if TYPE_CHECKING:
    from stratagym.baselines.learning.trained import TrainedAgent

FOLDER = "skill"
"""Where an agent keeps the learned skills under it."""
PATIENCE = 80
"""Ticks after which a learned skill that has come to nothing gives up."""


def smdp(spec: EnvironmentSpec, count: int, settings: Options, mode: str) -> Any:
    """Return lanes in which an action is a skill.

    Raises:
        InputError: if the environment or the skills cannot be used.
    """
    from stratagym.baselines.skill_env import SkillVectorEnv

    spec.make().close()  # says what is wrong with an id or an option
    try:
        return SkillVectorEnv(
            spec.id, count, settings.skills, settings.gamma, autoreset_mode=mode, **dict(spec.options)
        )
    except ValueError as error:
        raise InputError(f"{spec.label}: {one_line(error)}") from error


def practice(spec: EnvironmentSpec, count: int, settings: Skills, mode: str) -> Any:
    """Return lanes in which one goal-conditioned skill is learned.

    Raises:
        InputError: if there is no world to learn it in, several bodies, or no such planner to play it under.
    """
    from stratagym.agents.hierarchy import HierarchicalAgent
    from stratagym.baselines.skill_training_env import SkillTrainingVectorEnv

    spec.make().close()
    try:
        HierarchicalAgent(settings.planner)
        batch = SkillTrainingVectorEnv(
            spec.id, count, "scripted", settings.shaping, settings.gamma, mode, **dict(spec.options)
        )
    except ValueError as error:
        raise InputError(f"{spec.label}: {one_line(error)}") from error
    if batch.model.agents != 1:
        raise InputError(f"{spec.label}: skill_ppo learns for one body, but here are {batch.model.agents}")
    return batch


class TrainedSkill:
    """A skill whose policy is a network; its start condition is that of the scripted skill.

    The network steers one body toward starting the goal's subtask. Goals of another kind (bringing, giving),
    joint ones, and bodies without a goal are left to the scripted skill.

    Args:
        agent: the kept agent of a run of ``skill_ppo``.
    """

    def __init__(self, agent: TrainedAgent) -> None:
        self._agent = agent
        self._scripted: dict[str, Any] = {}

    def sees(self, base: Any) -> Mapping[str, Any]:
        """Return what the network reads of an environment, but for the goal."""
        return self._agent.eyes.see(base)

    def start(self, memory: Memory, body: int, goal: Goal) -> Prospect:
        """Tell whether the body could pursue the goal now."""
        found: Prospect = self._script(memory).start(memory, body, goal)
        return found

    def act(self, cases: Sequence[Case]) -> Sequence[Move]:
        """Return one move per case."""
        if not cases:
            return []
        scripted: Sequence[Move] = self._script(cases[0].memory).act(cases)
        return [self._steer(case, move) for case, move in zip(cases, scripted, strict=True)]

    def survey(self, memory: Memory) -> Survey:
        """Return the scripted skill's estimates; where it makes none, nothing adds to the task."""
        look = getattr(self._script(memory), "survey", None)
        if look is None:
            task = memory.observation.task
            return Survey([0] * len(task.names), [[True] * len(task.names)] * len(task.agents))
        found: Survey = look(memory)
        return found

    def urgent(self, memory: Memory, body: int) -> Goal | None:
        """Return what the scripted skill says must be done before all else."""
        wants = getattr(self._script(memory), "urgent", None)
        found: Goal | None = wants(memory, body) if wants is not None else None
        return found

    def _script(self, memory: Memory) -> Any:
        kind = memory.observation.world.kind
        if kind not in self._scripted:
            self._scripted[kind] = make_skill(kind)
        return self._scripted[kind]

    def _steer(self, case: Case, scripted: Move) -> Move:
        """Return the network's move for a case that it has learned, else the scripted one."""
        goal, observation = case.goal, case.memory.observation
        arrays = observation.arrays
        if goal is None or goal.kind != "do" or goal.crew not in (None, (case.body,)):
            return scripted
        if scripted.stop in ("failed", "reached"):
            return scripted
        if arrays is None:
            raise InputError("a learned skill needs observation.arrays; see the agent's method sees")
        view = observation.world
        if view.time - case.since > PATIENCE:
            return Move(len(view.actions) - 1 if view.actions else [0.0] * 3, "failed", "took too long")
        from stratagym.baselines.skill_training_env import goal_cells

        shown = {
            key.removeprefix(FOR_SKILLS): part for key, part in arrays.items() if key.startswith(FOR_SKILLS)
        }
        spaces_of = self._agent.about["observations"]["dict"]
        wanted = np.zeros(spaces_of["goal"]["box"], np.uint8)
        wanted[goal.subtask] = 1
        shown["goal"] = wanted
        if "goal_cells" in spaces_of:
            height, width = spaces_of["goal_cells"]["box"]
            shown["goal_cells"] = goal_cells(view, goal.subtask, (height, width))
        chosen = self._agent.choose(shown, view.mask[case.body : case.body + 1])
        if view.actions:
            action = int(chosen[0])
            # The scripted skill knows which action asks for the subtask: the same one asks here.
            return scripted if action == scripted.action else Move(action, "", "learned")
        vector = [float(v) for v in np.ravel(chosen)]
        return Move(vector, scripted.stop if vector[-1] > 0.5 else "", "learned")


def load_skill(path: str | Path) -> TrainedSkill:
    """Return the skill that a run of ``skill_ppo`` has learned.

    Raises:
        InputError: if there is none.
    """
    from stratagym.baselines.learning import trained

    agent = trained.load(path)
    if agent.about["method"] != "skill_ppo":
        raise InputError(
            f"{path}: the agent there was trained by {agent.about['method']}, which learns no skill; "
            "skill_ppo does"
        )
    return TrainedSkill(agent)


def keep(folder: Path, about: Mapping[str, Any]) -> None:
    """Copy the learned skills under an agent into its folder."""
    from stratagym.baselines.learning import trained

    path = about.get("skills")
    if path in (None, SCRIPTED):
        return
    source = trained.folder_of(path)
    if source is not None:
        shutil.copytree(source, folder / FOLDER)


def under_planner(agent: TrainedAgent) -> Any:
    """Return a learned skill under the planner that its run names."""
    from stratagym.agents.hierarchy import HierarchicalAgent

    return HierarchicalAgent(agent.about["planner"], skill=TrainedSkill(agent))


def over_skills(agent: TrainedAgent) -> Any:
    """Return a learned planner over the skills that it was trained with, or else the scripted ones."""
    from stratagym.agents.hierarchy import HierarchicalAgent

    skill = None
    if agent.about["skills"] not in (None, SCRIPTED):
        assert agent.folder is not None
        skill = load_skill(agent.folder / FOLDER)
    return HierarchicalAgent(lambda: agent, replan="always", skill=skill)
