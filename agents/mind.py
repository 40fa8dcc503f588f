"""One planner's mind: what it knows, what its bodies are at, when it decides anew.

Owns the life of options: what is taken up by whom and why, what must come first, who helps
whom, when an option ends, when the planner is asked (again), and the rows of the trace. It
is made and asked by ``hierarchy``, which joins minds and skills; what skills and planners
do with what they are told is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from stratagym.agents.base import (
    Case,
    Decision,
    Goal,
    Mark,
    Memory,
    Move,
    Outcome,
    Plan,
    Planner,
    PlanStep,
    Prospect,
    Survey,
    label,
)
from stratagym.agents.critics.effect import started, surprises
from stratagym.agents.exploring import explore
from stratagym.agents.foresight import (
    Claim,
    Mask,
    can_foresee,
    decide,
    foresee,
    names_of,
    picture,
    travelling,
)
from stratagym.agents.memories import make_memory
from stratagym.agents.planners.search import expected
from stratagym.agents.rehearsal import improve
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.resume import resume
from stratagym.envs.task.view import Observation, TaskView

if TYPE_CHECKING:
    from stratagym.agents.hierarchy import HierarchicalAgent

Trigger = Literal["failure", "event", "chance"]
Replan = Literal["failure", "event", "chance", "always", "never"]
TRIGGERS: tuple[Trigger, ...] = ("failure", "event", "chance")
REPLAN: tuple[Replan, ...] = (*TRIGGERS, "always", "never")

BACKOFF = 4
"""Ticks for which a body leaves alone what it has just failed at; doubled with each failure."""

BACKOFF_MOST = 64

SLIPS = 3
"""Runs that may fail by their own draw before a body leaves their subtask alone for a while."""

STUCK = 24
"""Ticks at most for which nothing may be under way, though a step is due, before the plan counts as failed;
``BACKOFF`` the first time, doubled with each plan that has led nowhere."""

DEPTH = 8
"""Goals that may be put before a goal, one before the other."""

PATIENCE = 60
"""Ticks beyond four times the estimate after which an option that has not attempted counts as failed."""


@dataclass(slots=True)
class Option:
    """What a body is at.

    Attributes:
        goals: what it pursues; the last comes first, those before it wait for it.
        since: tick at which the last goal was taken up.
        before: how the task stood then.
        decision: its row of the trace.
        ticks: estimate of the ticks until the attempt.
        hold: tick before which it must not be attempted.
        tries: attempts of the last goal so far.
        move: the latest move, None before the first.
        helped: whether it waits for another body's help.
    """

    goals: list[Goal]
    since: int
    before: Mark
    decision: Decision
    ticks: int = 0
    hold: int = 0
    tries: int = 0
    move: Move | None = None
    helped: bool = False

    @property
    def goal(self) -> Goal:
        """What is pursued now."""
        return self.goals[-1]


@dataclass(slots=True)
class PlannedStep:
    """A step of the plan for one of its crew, and whether it was taken up."""

    step: PlanStep
    body: int
    taken: bool = False


@dataclass(slots=True)
class Barred:
    """What a body leaves alone: until when, and how often it has failed."""

    until: int = 0
    failures: int = 0


class Mind:
    """One planner with its memory, and the options of the bodies that it commands."""

    def __init__(self, agent: HierarchicalAgent, planner: Planner) -> None:
        self._agent = agent
        self.planner = planner
        self.memory: Memory
        self._last: Observation | None
        self._rows: list[dict[str, Any]] = []
        self._held: int | None = None
        self._held_for = -1

    def reset(self, seed: int) -> None:
        """Forget the episode."""
        self._seed = seed
        self.planner.reset(seed)
        self._fresh = True
        self._rows = []

    def hold(self, body: int | None, subtask: int = -1) -> None:
        """Leave a body to somebody else from now on, and take back the one held before.

        Args:
            body: None for no body.
            subtask: what it pursues, which no other takes up.
        """
        self._held, self._held_for = body, subtask
        if body is not None and not self._fresh:
            self._options[body] = None

    def drain(self) -> list[dict[str, Any]]:
        """Return the rows written since the last call."""
        rows, self._rows = self._rows, []
        return rows

    # -------------------------------------------------------------- a moment

    def decide(self, observation: Observation) -> list[Case]:
        """Take in what is seen, settle who does what, and return what skills are to be asked."""
        if self._fresh:
            self._begin(observation)
        self.memory.update(observation)
        self._seen = self.memory.observation
        self._skill = self._agent.skill_of(self._seen.world.kind)
        self._triggers: set[str] = set()
        self._news: list[str] = []
        self._watch()
        self._swap_twins()
        self._judge()
        self._settle()
        self._last = self._seen
        return self._cases()

    def _begin(self, observation: Observation) -> None:
        """Begin an episode."""
        world = observation.world
        make = self._agent.make_memory or (lambda: make_memory(world.kind))
        self.memory = make()
        self.memory.reset(self._seed)
        count = len(world.bodies)
        self._bodies = range(count) if world.viewer is None else range(world.viewer, world.viewer + 1)
        self._options: list[Option | None] = [None] * count
        self._errands: dict[int, list[Goal]] = {}
        self._barred: dict[tuple[int, int], Barred] = {}
        self._plan: Plan | None = None
        self._left: list[PlannedStep] = []
        self._late = 0
        self._planned: Any = None
        self._moved = observation.task.time
        self._fruitless = 0
        self._numbers = 0
        self._say: dict[int, int] = {}
        self._last = None
        self._survey: Survey | None = None
        self._fresh = False
        ahead = bool(getattr(self.planner, "plans_ahead", False))
        policy = self._agent.replan
        if policy is None:
            policy = frozenset(TRIGGERS) if ahead else frozenset({"always"})
        self._policy = policy
        blind = bool(getattr(self.planner, "travels", False))  # it must see the world to plan
        self._ahead = "always" not in policy and not blind and len(self._bodies) == count

    @property
    def _time(self) -> int:
        return int(self._seen.task.time)

    def _watch(self) -> None:
        """Notice what the plan could not count on."""
        if self._last is None:
            return
        found = surprises(self._seen.task, self._last.task)
        if found:
            self._news += found
            ended = all("without success" in text for text in found)
            self._triggers.add("failure" if ended else "event")
        if self._seen.task.status != self._last.task.status:
            self._moved, self._fruitless = self._time, 0

    # -------------------------------------------------------------- judging

    def _swap_twins(self) -> None:
        """Let a body be at what its attempt has started, where the same rule is for several subtasks.

        Of those the world starts the first that it can; who was on the way to that one gets the
        other in exchange.
        """
        task, rules = self._seen.task, getattr(self._seen.world, "rules", {})
        for b in self._bodies:
            option, attends = self._options[b], task.agents[b].attends
            if option is None or option.goal.kind != "do" or attends not in task.names:
                continue
            asked, begun = option.goal.subtask, task.names.index(attends)
            if asked == begun or not rules.get(asked) or rules.get(asked) != rules.get(begun):
                continue
            for other in self._options:
                if other is not None and other.goal.kind == "do" and other.goal.subtask == begun:
                    other.goals[-1] = replace(other.goal, subtask=asked)
            option.goals[-1] = replace(option.goal, subtask=begun)

    def _judge(self) -> None:
        """End the options that have come to something."""
        for b in self._bodies:
            option = self._options[b]
            if option is None:
                continue
            case = Case(self.memory, b, option.goal, option.since)
            outcome = self._agent.critic.judge(case, option.before, option.move, option.tries)
            if outcome is None and self._overdue(option):
                outcome = Outcome("failure", "it took too long", self._time - option.since)
            if outcome is not None:
                self._end(b, option, outcome)

    def _overdue(self, option: Option) -> bool:
        """Return whether an option has been under way for far longer than it should."""
        task = self._seen.task
        waits = option.helped or task.status[option.goal.subtask] == "running"
        begun = max(option.since, option.hold, self._moved)
        return not waits and self._time - begun > 4 * option.ticks + PATIENCE

    def _end(self, b: int, option: Option, outcome: Outcome) -> None:
        """Take in the outcome of a body's present goal."""
        if outcome.status == "failure" and option.move is not None and option.move.stop == "failed":
            prospect = self._skill.start(self.memory, b, option.goal)
            hope = prospect.possible or prospect.first is not None
            if hope and "never" in self._policy and not self._overdue(option):
                return  # it waits for it; nothing that was not planned is done for it
            if hope and "never" not in self._policy and len(option.goals) < DEPTH:
                option.move = None
                if prospect.possible or self._put_first(b, option, prospect):
                    return
        if outcome.status == "success" and len(option.goals) > 1:
            option.goals.pop()
            self._again(b, option, outcome.reason)
            return
        self._close(b, option, outcome)
        if outcome.status == "failure":
            self._triggers.add("failure")
            self._news.append(outcome.reason)
            lucky = started(self._seen.task, option.before, option.goal.subtask)
            for goal in option.goals:
                if goal.kind == "do":
                    # Of a run that was begun and failed by its own draw the next may succeed.
                    self._bar(b, goal.subtask, SLIPS if lucky else 0)

    def _close(self, b: int, option: Option, outcome: Outcome) -> None:
        """Write the outcome and set the body free."""
        self._options[b] = None
        self._write(replace(option.decision, outcome=outcome))

    def _bar(self, b: int, subtask: int, free: int = 0) -> None:
        """Let a body leave a subtask alone for some ticks, longer each time, but the first ``free`` times."""
        barred = self._barred.setdefault((b, subtask), Barred())
        barred.failures += 1
        times = barred.failures - free
        if times > 0:
            barred.until = self._time + min(BACKOFF << (times - 1), BACKOFF_MOST)

    def _again(self, b: int, option: Option, reason: str) -> None:
        """Go on with the goal that another was put before."""
        option.since, option.before, option.tries, option.move = self._time, Mark.of(self._seen.task), 0, None
        prospect = self._skill.start(self.memory, b, option.goal)
        option.ticks, option.helped = prospect.ticks, False
        if not prospect.possible and (prospect.first is None or not self._put_first(b, option, prospect)):
            self._end(b, option, Outcome("failure", prospect.reason, 0))

    def _put_first(self, b: int, option: Option, prospect: Prospect) -> bool:
        """Put before a body's goal what must come first; return whether that can be done."""
        first = prospect.first
        if first is None or len(option.goals) >= DEPTH:
            return False
        if prospect.helper is not None and prospect.helper != b:
            helper = prospect.helper
            if helper not in self._bodies:
                return False
            waiting = self._errands.setdefault(helper, [])
            busy = self._options[helper]
            if first not in waiting and (busy is None or first not in busy.goals):
                waiting.append(first)
            option.helped = True
            option.move = None
            return True
        if first in option.goals:
            return False
        option.goals.append(first)
        option.since, option.before, option.tries, option.move = self._time, Mark.of(self._seen.task), 0, None
        option.ticks, option.helped = prospect.ticks, False
        return True

    # -------------------------------------------------------------- who does what

    def _free(self) -> list[int]:
        """Return the bodies that could take up something."""
        world, task = self._seen.world, self._seen.task
        return [
            b
            for b in self._bodies
            if self._options[b] is None
            and b != self._held
            and world.bodies[b].ready
            and not world.bodies[b].down
            and task.agents[b].idle
        ]

    def _settle(self) -> None:
        """Give every free body something to do, if there is something."""
        self._call_off()
        for b in self._free():
            self._take_urgent(b)
        for b in self._free():
            self._take_errand(b)
        for b in self._bodies:
            option = self._options[b]
            if option is not None and option.helped:
                self._look_again(b, option)
        free = self._free()
        if free:
            if self._ahead and can_foresee(self._seen):
                self._follow(free)
            else:
                self._ask(free)

    def _call_off(self) -> None:
        """Give up the options that a new plan would replace, where the policy says so."""
        if not self._news or self._policy & {"never", "always"} or not self._ahead:
            return
        if not self._triggers & self._policy:
            return
        self._plan = None
        for b in self._bodies:
            option = self._options[b]
            started = option is not None and self._seen.task.agents[b].attends is not None
            if option is None or started or option.goal.kind != "do" or len(option.goals) > 1:
                continue
            allowed = bool(self._seen.mask[b, option.goal.subtask])
            if not allowed:
                self._close(b, option, Outcome("dropped", self._news[-1], self._time - option.since))

    def _take_urgent(self, b: int) -> None:
        """Let a body do for itself what cannot wait."""
        urgent = getattr(self._skill, "urgent", None)
        goal = None if urgent is None else urgent(self.memory, b)
        if goal is not None and not self._is_barred(b, goal.subtask):
            self._take_up(b, goal, "it cannot wait")

    def _take_errand(self, b: int) -> None:
        """Let a body do what another one waits for."""
        waiting = self._errands.get(b, [])
        while waiting and self._options[b] is None:
            goal = waiting.pop(0)
            needed = any(o is not None and o.helped and o.goal.subtask == goal.subtask for o in self._options)
            if needed:
                name = self._seen.world.bodies[goal.whom].name if goal.whom >= 0 else "another"
                self._take_up(b, goal, f"{name} waits for it")

    def _look_again(self, b: int, option: Option) -> None:
        """Go on where help has come, ask for it again where it has not."""
        prospect = self._skill.start(self.memory, b, option.goal)
        if prospect.possible:
            self._again(b, option, "help has come")
        elif prospect.first is None or not self._put_first(b, option, prospect):
            self._end(b, option, Outcome("failure", prospect.reason, self._time - option.since))
        elif option.helped:
            self._help_meanwhile(b, option)

    def _help_meanwhile(self, b: int, option: Option) -> None:
        """Let a body that waits for help do what others wait for, so that two never wait for each other."""
        world = self._seen.world
        if not (world.bodies[b].ready and self._seen.task.agents[b].idle) or len(option.goals) >= DEPTH:
            return
        waiting = self._errands.get(b, [])
        while waiting:
            goal = waiting.pop(0)
            prospect = self._skill.start(self.memory, b, goal)
            if prospect.possible and goal not in option.goals:
                option.goals.append(goal)
                option.since, option.before, option.tries = self._time, Mark.of(self._seen.task), 0
                option.move, option.ticks, option.helped = None, prospect.ticks, False
                return

    def _take_up(
        self, b: int, goal: Goal, reason: str, hold: int = 0, plan: Plan | None = None, ahead: bool = False
    ) -> bool:
        """Begin an option; return whether it could be begun."""
        prospect = self._skill.start(self.memory, b, goal)
        if not prospect.possible and (prospect.first is None or ahead):
            if not ahead:
                self._bar(b, goal.subtask)
                self._news.append(prospect.reason)
            return False
        task = self._seen.task
        decision = Decision(
            number=self._numbers,
            time=self._time,
            body=task.agents[b].name,
            known=self.memory.known(),
            plan=names_of(plan, task) if plan is not None else [],
            choice=describe(goal, task),
            reason=reason if prospect.possible else f"{reason}; {prospect.reason}",
        )
        option = Option([goal], self._time, Mark.of(self._seen.task), decision, prospect.ticks, hold)
        self._options[b] = option
        if not prospect.possible and not self._put_first(b, option, prospect):
            self._options[b] = None
            self._bar(b, goal.subtask)
            return False
        self._numbers += 1
        self._write(decision)
        self._announce(b, goal)
        return True

    def _announce(self, b: int, goal: Goal) -> None:
        """Prepare to say what was taken up, where each decides for itself and the world has words."""
        words = self._words()
        if words and goal.kind == "do" and len(self._bodies) < len(self._options):
            self._say[b] = goal.subtask % words

    def _words(self) -> int:
        """Return how many words the world has."""
        return sum(name.startswith("say ") for name in self._seen.world.actions)

    # -------------------------------------------------------------- one step at a time

    def _ask(self, free: list[int]) -> None:
        """Ask the planner what the free bodies are to do now."""
        for _ in range(3):
            mask = self._mask(free)
            if not mask[free, :-1].any():
                return
            shown = self._picture(mask)
            if len(self._bodies) < len(self._options):
                shown = replace(shown, mask=mask[self._bodies.start : self._bodies.stop])
            plan = decide(self.planner, shown)
            if not plan.steps:
                return
            offset = self._bodies.start if len(self._bodies) < len(self._options) else 0
            taken = False
            for step in plan.steps:
                crew = tuple(a + offset for a in step.crew)
                known = crew if len(self._bodies) == len(self._options) else None
                for b in crew:
                    goal = Goal(step.subtask, known if self._size(step.subtask) > 1 else (b,), at=step.at)
                    taken |= self._take_up(b, goal, plan.reason, plan=plan)
            if taken:
                return

    def _size(self, subtask: int) -> int:
        graph = self._seen.task.graph
        return 1 if graph is None else graph.subtasks[subtask].agents

    def _mask(self, free: Iterable[int]) -> Mask:
        """Return what each free body could take up: allowed by the graph, unclaimed, within its power."""
        seen = self._seen.mask
        mask = np.zeros_like(seen)
        mask[:, -1] = 1
        claimed = self.claimed()
        for b in free:
            heard = self._heard(b)
            for i in map(int, np.flatnonzero(seen[b, :-1])):
                if i in claimed or i in heard or self._is_barred(b, i):
                    continue
                crew = (b,) if self._size(i) == 1 else None
                prospect = self._skill.start(self.memory, b, Goal(i, crew))
                mask[b, i] = prospect.possible or prospect.first is not None
            if heard and not mask[b, :-1].any():
                # Better to ask for what another has claimed than to do nothing.
                mask[b, :-1] = [
                    int(i in heard and seen[b, i] and not self._is_barred(b, i))
                    for i in range(mask.shape[1] - 1)
                ]
        return mask

    def claimed(self, but: int = -1) -> set[int]:
        """Return the subtasks that some body (other than ``but``) is under way to, and no other should be."""
        options = [option for b, option in enumerate(self._options) if option is not None and b != but]
        claimed = {goal.subtask for option in options for goal in option.goals if goal.kind == "do"}
        graph = self._seen.task.graph
        if graph is not None and any(getattr(body, "stock", {}) for body in self._seen.world.bodies):
            # Where each owns its things, several may want to make the same for themselves.
            claimed = {i for i in claimed if not graph.subtasks[i].repeatable}
        return claimed | {self._held_for} if self._held is not None else claimed

    def _heard(self, b: int) -> set[int]:
        """Return the subtasks that others say they have taken up, as far as the words tell."""
        words = self._words()
        if not words or len(self._bodies) == len(self._options):
            return set()
        said = {other.message for k, other in enumerate(self._seen.world.bodies) if k != b}
        return {i for i in range(len(self._seen.task.names)) if i % words in said}

    def _is_barred(self, b: int, subtask: int) -> bool:
        barred = self._barred.get((b, subtask))
        return barred is not None and barred.until > self._time

    def _picture(self, mask: Mask) -> Observation:
        """Return what the planner is shown."""
        graph, ticks = self._travelling()
        claims = {}
        for b in self._bodies:
            option = self._options[b]
            if option is None or self._seen.task.agents[b].attends is not None:
                continue
            goal = option.goals[0]
            left = max(1, option.ticks - (self._time - option.since))
            crew = goal.crew or (b,)
            claims[b] = Claim(goal.subtask if goal.kind == "do" else -1, crew, option.since, left)
        return picture(self._seen, graph, mask, claims, ticks)

    def _travelling(self) -> tuple[TaskGraph | None, Sequence[int]]:
        """Return the task with the ways in it, and the ways."""
        graph = self._seen.task.graph
        survey = self._look_around()
        if graph is None:
            self._survey = survey
            return None, survey.ticks
        if self._known_graph is not graph or self._survey is not survey:
            self._known_graph, self._survey = graph, survey
            self._graph = travelling(graph, survey)
        return self._graph, survey.ticks

    _known_graph: TaskGraph | None = None
    _graph: TaskGraph

    def _look_around(self) -> Survey:
        """Return what the place adds to the task; looked up at first, for a plan and after failures."""
        if self._survey is not None and not self._triggers:
            return self._survey
        look = getattr(self._skill, "survey", None)
        n, agents = len(self._seen.task.names), len(self._options)
        if look is None:
            return Survey([0] * n, [[True] * n] * agents)
        survey: Survey = look(self.memory)
        if not self._agent.travel or getattr(self.planner, "travels", False):
            survey = Survey([0] * n, survey.able)
        return self._survey if survey == self._survey else survey

    # -------------------------------------------------------------- a plan

    def _follow(self, free: list[int]) -> None:
        """Let the free bodies take the next steps of the plan, or make a new one where that is due."""
        made = False
        if self._due():
            made = self._make_plan(free)
        self._next_steps(free)
        idle = self._free()
        nothing = not any(self._options) and not any(word == "running" for word in self._seen.task.status)
        if idle and nothing and not made and self._wants_new():
            self._fruitless += 1
            self._make_plan(idle)
            self._next_steps(idle)

    def _wants_new(self) -> bool:
        """Return whether a plan that leads nowhere may be replaced."""
        if "never" in self._policy:
            return False
        left = [s for s in self._left if not s.taken]
        if not left:
            return True
        due = max(self._moved, min(s.step.tick for s in left) + self._late)
        return self._time - due > min(BACKOFF << self._fruitless, STUCK)

    def _due(self) -> bool:
        """Return whether the policy asks for a new plan."""
        if self._plan is None:
            return "never" not in self._policy or self._last is None
        return bool(self._triggers & self._policy)

    def _make_plan(self, free: list[int]) -> bool:
        """Play the planner out from here and keep its plan."""
        self._survey = None
        mask = self._mask(free)
        moment = (self._seen.task.status, tuple(self._seen.task.stock.items()), mask.tobytes())
        if moment == self._planned and self._plan is not None and not self._plan.steps:
            return False  # nothing has changed since nothing could be planned
        self._planned = moment
        shown = self._picture(mask)
        self.planner.reset((self._seed + self._numbers) % 2**63)
        plan = self._rehearsed(foresee(self.planner, shown), mask)
        why = (
            "; ".join(self._news[:3])
            if self._news
            else ("planned" if self._last is None else "planned further")
        )
        self._plan = replace(plan, reason=f"{why}: {plan.reason}" if plan.reason else why)
        steps = self._plan.steps if plan.rehearsed else self._cast(plan, free)
        self._left = [PlannedStep(step, b) for step in steps for b in step.crew]
        self._late = 0
        self._moved = self._time
        return True

    def _rehearsed(self, plan: Plan, mask: Mask) -> Plan:
        """Return a plan with its ways played out and its order improved, where the skill can do that."""
        make = getattr(self._skill, "stage", None)
        stage = make(self.memory) if make is not None and self._agent.rehearse else None
        graph = self._seen.task.graph
        if stage is None or graph is None or not plan.steps:
            return plan
        busy = {}
        for b, option in enumerate(self._options):
            if option is not None and self._seen.task.agents[b].attends is None:
                stage.set_out(b, option.goals[0].subtask)
                busy[b] = (option.goals[0].subtask, self._time + option.ticks)
        still = picture(self._seen, graph, mask, {}, [0] * len(graph.subtasks))
        return improve(resume(expected(graph), still.task), stage, plan, busy, self._agent.rehearse)

    def _cast(self, plan: Plan, free: list[int]) -> list[PlanStep]:
        """Return the steps with their parts given to the bodies that are nearest, where agents are alike."""
        task = self._seen.task
        steps = list(plan.steps)
        done: set[int] = set()
        swap = {b: b for b in range(len(self._options))}
        graph = self._graph
        for b in free:
            if b in done:
                continue
            group = [c for c in free if graph.agents[c].skills == graph.agents[b].skills and c not in done]
            done.update(group)
            first = {c: next((s.subtask for s in steps if c in s.crew), None) for c in group}
            parts, bodies = [c for c in group if first[c] is not None], list(group)
            costs = []
            for part in parts:
                subtask = first[part]
                assert subtask is not None
                for c in bodies:
                    prospect = self._skill.start(self.memory, c, Goal(subtask, (c,)))
                    cost = prospect.ticks if prospect.possible else 10_000 + prospect.ticks
                    costs.append((cost, part, c))
            taken: dict[int, int] = {}
            for _, part, c in sorted(costs):
                if part not in taken and c not in taken.values():
                    taken[part] = c
            rest = [c for c in bodies if c not in taken.values()]
            for part in group:
                swap[part] = taken[part] if part in taken else rest.pop(0)
        assert task.graph is not None
        return [replace(s, crew=tuple(swap[c] for c in s.crew)) for s in steps]

    def _next_steps(self, free: Iterable[int]) -> None:
        """Let each free body take up a step of the plan."""
        if self._plan is None:
            return
        task = self._seen.task
        assert task.graph is not None
        for s in self._left:
            i = s.step.subtask
            # What can be repeated is planned again although it has been done.
            again = task.status[i] == "done" and task.graph.subtasks[i].repeatable
            over = task.status[i] in ("done", "closed", "failed") and not again
            if not s.taken and over and not self._seen.mask[:, i].any():
                s.taken = True
        for b in free:
            if self._options[b] is not None:
                continue
            for s in self._choices(b):
                if self._take_step(b, s):
                    break

    def _choices(self, b: int) -> list[PlannedStep]:
        """Return the steps that a body may take up now, the best first."""
        own = [
            s for s in self._left if s.body == b and not s.taken and not self._is_barred(b, s.step.subtask)
        ]
        if not own:
            return []
        allowed = [s for s in own if self._seen.mask[b, s.step.subtask]]
        head = own[0]
        strict = self._plan is not None and self._plan.rehearsed
        if head in allowed:
            return [head] if strict else [*[s for s in allowed if self._fading(s)], head]
        if "chance" in self._policy:
            return [*[s for s in allowed if self._fading(s) or self._fits_before(b, s, head)], head]
        return [head]

    def _fading(self, s: PlannedStep) -> bool:
        """Return whether the chance to start a step passes soon: a ``max`` lag is running out."""
        task = self._seen.task
        if task.graph is None or not task.runs:
            return False
        for lag in task.graph.subtasks[s.step.subtask].lags:
            since = [task.runs[j].succeeded for j in lag.predecessors if task.status[j] == "done"]
            if lag.maximum is not None and any(t is not None for t in since):
                return True
        return False

    def _fits_before(self, b: int, s: PlannedStep, head: PlannedStep) -> bool:
        """Return whether a later step would be over before the next one is due, and leave that possible."""
        assert self._seen.task.graph is not None
        if not self._leaves(s.step.subtask, head.step.subtask):
            return False
        goal = Goal(s.step.subtask, s.step.crew)
        prospect = self._skill.start(self.memory, b, goal)
        subtask = self._seen.task.graph.subtasks[s.step.subtask]
        busy = (
            subtask.duration.mean
            if subtask.attended is None
            else min(subtask.attended, subtask.duration.mean)
        )
        due = max(head.step.tick + self._late, self._time + 1)
        return prospect.possible and len(s.step.crew) == 1 and self._time + prospect.ticks + busy <= due

    def _leaves(self, i: int, j: int) -> bool:
        """Return whether one subtask takes nothing that another one needs then (a hand, or another item)."""
        task = self._seen.task
        assert task.graph is not None
        first, then = task.graph.subtasks[i], task.graph.subtasks[j]
        made, needed = dict(first.produces), dict((*then.requires, *then.consumes))
        for k, amount in first.consumes:
            left = task.stock.get(task.graph.items[k].name, 0) - amount + made.get(k, 0)
            if left < needed.get(k, 0):
                return False
        return True

    def _take_step(self, b: int, s: PlannedStep) -> bool:
        """Take up a step; one that cannot start yet is walked to, if the way is open."""
        assert self._plan is not None
        i, allowed = s.step.subtask, bool(self._seen.mask[b, s.step.subtask])
        if (i in self.claimed() and len(s.step.crew) == 1) or not self._is_next(s):
            return False
        hold = 0
        if self._delicate(i) and not self._plan.rehearsed:
            hold = s.step.tick + int(self._ticks_of(i)) + self._late
        goal = Goal(i, s.step.crew)
        reason = self._plan.reason if allowed else f"{self._plan.reason}; ahead of its time"
        if not self._take_up(b, goal, reason, hold, self._rest(), ahead=not allowed):
            if allowed and "never" in self._policy:
                s.taken = True  # what cannot be done is skipped
            elif allowed and "failure" in self._policy:
                self._triggers.add("failure")
            return False
        s.taken = True
        if allowed:
            self._late = max(0, self._time - s.step.tick)
        return True

    def _is_next(self, s: PlannedStep) -> bool:
        """Return whether no other body is about to start there what the plan has before this one."""
        graph = self._seen.task.graph
        assert graph is not None
        own = graph.subtasks[s.step.subtask].duration.mean
        for other in self._left:
            earlier = other.body != s.body and 0 <= other.step.begins < s.step.begins
            if earlier and self._ticks_to(other) < own and self._compete(s.step.subtask, other.step.subtask):
                return False
        return True

    def _ticks_to(self, s: PlannedStep) -> float:
        """Return the ticks until a step of the plan is started; endless if that is over, or not in time."""
        option = self._options[s.body]
        if not s.taken:
            return s.step.begins - self._time if self._time <= s.step.tick else np.inf
        under_way = option is not None and option.goals[0].subtask == s.step.subtask
        if option is None or not under_way or self._seen.task.agents[s.body].attends is not None:
            return np.inf
        return option.ticks - (self._time - option.since)

    def _compete(self, i: int, j: int) -> bool:
        """Return whether two subtasks need the same kind of station, with something or nothing on it."""
        rules = getattr(self._seen.world, "rules", {})
        places = [
            {code for rule in rules.get(k, ()) if rule.thing is not None for code in rule.at or ()}
            for k in (i, j)
        ]
        return i != j and bool(places[0] & places[1])

    def _ticks_of(self, subtask: int) -> int:
        return 0 if self._survey is None else self._survey.ticks[subtask]

    def _rest(self) -> Plan:
        """Return what is left of the plan."""
        assert self._plan is not None
        steps = [s.step for s in self._left if not s.taken]
        return replace(self._plan, steps=tuple(dict.fromkeys(steps)))

    def _delicate(self, i: int) -> bool:
        """Return whether a subtask must not be done too early: a ``max`` lag runs from its completion."""
        graph = self._seen.task.graph
        if graph is None:
            return False
        return any(
            lag.maximum is not None and lag.origin == "completion" and i in lag.predecessors
            for s in graph.subtasks
            for lag in s.lags
        )

    # -------------------------------------------------------------- moves

    def _cases(self) -> list[Case]:
        """Return what skills are to be asked: all bodies that can do something."""
        world = self._seen.world
        cases = []
        for b in self._bodies:
            body = world.bodies[b]
            if b == self._held or (world.actions and (body.down or not body.ready)):
                continue
            option = self._options[b]
            goal = None if option is None or option.helped else option.goal
            cases.append(Case(self.memory, b, goal, self._time if option is None else option.since))
        return cases

    def take(self, case: Case, move: Move) -> Any:
        """Take in a skill's move and return the body's action."""
        b, option = case.body, self._options[case.body]
        world = self._seen.world
        if option is None and self._seen.task.knowledge == "none":
            return explore(world, b, self._seed)
        if option is not None and not option.helped:
            attempt = move.stop == "attempt"
            if attempt and self._time < option.hold:
                move = Move(len(world.actions) - 1, "", "waits for its time") if world.actions else move
                attempt = False
            option.move = move
            option.tries = option.tries + 1 if attempt else 0
        word = self._say.get(b)
        if word is not None and world.actions and move.stop != "attempt":
            del self._say[b]
            number = world.actions.index(f"say {word}") if f"say {word}" in world.actions else -1
            if number >= 0 and world.mask[b, number]:
                return number
        return move.action

    # -------------------------------------------------------------- keeping it

    def save(self) -> dict[str, Any]:
        """Return what is under way and what is remembered, as JSON can write it; plans are not kept."""
        return {
            "memory": self.memory.save(),
            "options": [None if o is None else _saved(o) for o in self._options],
            "errands": [[b, [asdict(goal) for goal in goals]] for b, goals in self._errands.items()],
            "barred": [[b, i, barred.until, barred.failures] for (b, i), barred in self._barred.items()],
            "say": [[b, word] for b, word in self._say.items()],
            "numbers": self._numbers,
            "moved": self._moved,
            "fruitless": self._fruitless,
        }

    def load(self, saved: Mapping[str, Any], observation: Observation) -> None:
        """Go on from what ``save`` has returned.

        Args:
            saved: it.
            observation: of the moment at which it was saved.
        """
        self._begin(observation)
        self.memory.load(saved["memory"])
        self._options = [None if o is None else _loaded(o) for o in saved["options"]]
        self._errands = {b: [_goal(goal) for goal in goals] for b, goals in saved["errands"]}
        self._barred = {(b, i): Barred(until, failures) for b, i, until, failures in saved["barred"]}
        self._say = dict(saved["say"])
        self._numbers, self._moved, self._fruitless = (saved[k] for k in ("numbers", "moved", "fruitless"))
        self._fresh = False

    def _write(self, decision: Decision) -> None:
        """Write a decision's row."""
        outcome = decision.outcome
        self._rows.append(
            {
                "decision": decision.number,
                "time": decision.time,
                "agent": decision.body,
                "known": dict(decision.known),
                "plan": [[name, tick] for name, tick in decision.plan],
                "chosen": decision.choice,
                "reason": decision.reason,
                "outcome": None
                if outcome is None
                else {"status": outcome.status, "reason": outcome.reason, "elapsed": outcome.elapsed},
            }
        )


def _goal(saved: Mapping[str, Any]) -> Goal:
    """Return a goal from its plain values."""
    several = {name: None if saved[name] is None else tuple(saved[name]) for name in ("crew", "at")}
    return Goal(**{**saved, **several})


def _saved(option: Option) -> dict[str, Any]:
    """Return an option as plain values."""
    plain = asdict(option)
    if option.move is not None and not isinstance(option.move.action, int):
        plain["move"]["action"] = [float(x) for x in option.move.action]
    return plain


def _loaded(saved: Mapping[str, Any]) -> Option:
    """Return an option from its plain values."""
    mark = Mark(*(tuple(saved["before"][name]) for name in ("status", "starts", "succeeded")))
    move, decision = saved["move"], saved["decision"]
    return Option(
        **{
            **saved,
            "goals": [_goal(goal) for goal in saved["goals"]],
            "before": mark,
            "move": None if move is None else Move(**move),
            "decision": Decision(**{**decision, "plan": [tuple(step) for step in decision["plan"]]}),
        }
    )


def describe(goal: Goal, task: TaskView) -> str:
    """Return a goal in words."""
    name = label(task.names, goal.subtask)
    if goal.kind == "do":
        return name
    return f"{goal.kind} {goal.thing} to {task.agents[goal.whom].name} for {name}"
