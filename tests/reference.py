"""Play a task by the rules in the plainest way: the naive second implementation.

Owns the whole of an episode (time, state, mask, refusals, events, reward,
tardiness) for one lane in the abstract world. Written from the page alone; it
shares with the package only the documented generator of draws. It is slow and
checks nothing: names, dictionaries and sets throughout, everything computed
afresh from the state whenever it is asked for.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

from reference_task import (
    accepts,
    atoms_of,
    initial_state,
    living_states,
    next_state,
    read_task,
    subtasks_under,
)
from stratagym.envs.rng import DURATION, EVENT, SUCCESS, draw, draw_below, threshold

Event = tuple[int, str, str]


class Reference:
    """One episode of a task, at reset when made.

    Attributes:
        names: the subtasks in the order of their indices.
        time: the clock in ticks.
        refusals: for each agent, why its start was refused in the last step, or None.
        events: ``(tick, kind, subtask or thing)`` of the last step, in the order they came about.
        elapsed: ticks that passed in the last step.
        reward: what the file's rewards paid in the last step.
        terminated: whether the episode ended by the rules.
        truncated: whether it ended at the horizon.
    """

    def __init__(self, mapping: dict[str, Any], seed: int, clock: str = "decision") -> None:
        """Read the task and reset."""
        task = read_task(mapping)
        self.seed = seed
        self.clock = clock
        self.task = task
        self.names: list[str] = list(task["subtasks"])
        self.living = [living_states(formula) for formula in task["constraints"]]
        self.members = {name: subtasks_under(name, task["tasks"]) for name in [*self.names, *task["tasks"]]}
        self.ticks_of_events = [self._event_tick(i) for i in range(len(task["events"]))]

        self.time = 0
        self.running: dict[str, dict[str, Any]] = {}
        self.finished: set[str] = set()
        self.closed: set[str] = set()
        self.starts = dict.fromkeys(self.names, 0)
        self.last_start: dict[str, int] = {}
        self.last_start_of_earlier_steps: dict[str, int] = {}
        self.last_success: dict[str, int] = {}
        self.first_success: dict[str, int] = {}
        self.paid_groups: set[str] = set()
        self.started_since_tick: set[str] = set()
        self.busy_until = [0 for _ in task["agents"]]
        self.down_until = [0 for _ in task["agents"]]
        self.capacity = dict(task["resources"])
        self.items = dict(task["items"])
        self.duration = {name: fields["duration"] for name, fields in task["subtasks"].items()}
        self.deadline = {name: fields["deadline"] for name, fields in task["subtasks"].items()}
        self.automata = [initial_state(formula) for formula in task["constraints"]]

        self.refusals: list[str | None] = [None for _ in task["agents"]]
        self.events: list[Event] = []
        self.elapsed = 0
        self.reward = 0.0
        self.terminated = False
        self.truncated = False
        self._close()
        self._read_letter()

    def __deepcopy__(self, memo: dict[int, Any]) -> Reference:
        """Return a copy whose state is its own; what never changes is shared."""
        twin = object.__new__(Reference)
        memo[id(self)] = twin
        shared = ("task", "names", "living", "members", "ticks_of_events", "duration", "deadline", "automata")
        for name, value in vars(self).items():
            setattr(twin, name, value if name in shared else copy.deepcopy(value, memo))
        twin.duration, twin.deadline, twin.automata = (
            dict(self.duration),
            dict(self.deadline),
            list(self.automata),
        )
        return twin

    # --- What can be seen

    def status(self) -> dict[str, str]:
        """Return the status of every subtask."""
        return {name: self._status(name) for name in self.names}

    def _status(self, name: str) -> str:
        if self.is_unknown(name):
            return "locked"
        if name in self.running:
            return "running"
        if name in self.finished:
            return "done"
        if name in self.closed:
            return "closed"
        if not self.has_start_left(name):
            return "failed"
        return "eligible" if self.can_start(name) else "locked"

    def stock(self) -> dict[str, int]:
        """Return the stock of every item mentioned."""
        return dict(self.items)

    def free(self) -> dict[str, int]:
        """Return the free capacity of every resource; it may be below 0."""
        free = dict(self.capacity)
        for name in self.running:
            for resource, amount in self.task["subtasks"][name]["uses"].items():
                free[resource] -= amount
        return free

    def mask(self) -> list[list[int]]:
        """Return, for each agent, 1 for each action that would be accepted now; the last is to wait."""
        rows = []
        for agent in range(len(self.task["agents"])):
            row = []
            for name in self.names:
                with_others = [agent] + [other for other in self.able_agents(name) if other != agent]
                row.append(1 if self.refusal(name, agent, with_others) is None else 0)
            rows.append([*row, 1])
        return rows

    @property
    def success(self) -> bool:
        """Whether the goal was reached; False in a task without one."""
        return self.terminated and self.task["goal"] is not None

    @property
    def automata_dead(self) -> bool:
        """Whether some constraint can never be fulfilled any more."""
        return any(state not in living for state, living in zip(self.automata, self.living, strict=True))

    @property
    def tardiness(self) -> float:
        """The weighted tardiness so far; at the end the horizon stands for what never succeeded."""
        total = 0.0
        for group in {fields["group"] for fields in self.task["subtasks"].values()}:
            modes = [name for name in self.names if self.task["subtasks"][name]["group"] == group]
            fields = self.task["subtasks"][modes[0]]
            if fields["due"] is None:
                continue
            firsts = [self.first_success[name] for name in modes if name in self.first_success]
            if firsts:
                total += fields["weight"] * max(0, min(firsts) - fields["due"])
            elif (self.terminated or self.truncated) and not self._another_branch_done(set(modes)):
                total += fields["weight"] * max(0, self.task["horizon"] - fields["due"])
        return total

    def _another_branch_done(self, modes: set[str]) -> bool:
        for name, task in self.task["tasks"].items():
            if task["kind"] == "choice" and modes & self.members[name]:
                for branch in task["children"]:
                    if self.is_done(branch) and not modes & self.members[branch]:
                        return True
        return False

    # --- Conditions

    def is_done(self, name: str) -> bool:
        """Return whether a subtask or task is done now."""
        if name not in self.task["tasks"]:
            return name in self.finished
        task = self.task["tasks"][name]
        done = [self.is_done(child) for child in task["children"]]
        if task["kind"] in ("any", "choice"):
            return any(done)
        if task["kind"] == "k of":
            return sum(done) >= int(task["k"])
        return all(done)

    def holds(self, tree: tuple[Any, ...]) -> bool:
        """Return whether an expression holds now."""
        if tree[0] == "true":
            return True
        if tree[0] == "name":
            return self.is_done(tree[1])
        if tree[0] == "not":
            return not self.holds(tree[1])
        if tree[0] == "and":
            return all(self.holds(part) for part in tree[1])
        if tree[0] == "or":
            return any(self.holds(part) for part in tree[1])
        return sum(self.holds(part) for part in tree[2]) >= int(tree[1])

    def goal_holds(self) -> bool:
        """Return whether there is a goal, it holds and every automaton accepts."""
        goal = self.task["goal"]
        return goal is not None and self.holds(goal) and all(accepts(state) for state in self.automata)

    def is_unknown(self, name: str) -> bool:
        """Return whether an event has yet to let the subtask appear."""
        return any(
            self.time < tick and name in self.members[event["appear"]]
            for event, tick in zip(self.task["events"], self.ticks_of_events, strict=True)
            if "appear" in event
        )

    def has_start_left(self, name: str) -> bool:
        """Return whether its attempts allow one more start."""
        attempts = self.task["subtasks"][name]["attempts"]
        return attempts is None or self.starts[name] < attempts

    def is_idle(self, agent: int) -> bool:
        """Return whether the agent attends to nothing and is not down."""
        return self.busy_until[agent] <= self.time and self.down_until[agent] <= self.time

    def has_skill(self, agent: int, name: str) -> bool:
        """Return whether the agent has the skill that the subtask asks for."""
        skill = self.task["subtasks"][name]["skill"]
        return skill is None or skill in self.task["agents"][agent]["skills"]

    def able_agents(self, name: str) -> list[int]:
        """Return the idle agents with the skill."""
        agents = range(len(self.task["agents"]))
        return [agent for agent in agents if self.is_idle(agent) and self.has_skill(agent, name)]

    def can_start(self, name: str) -> bool:
        """Return whether it can start now if all idle agents with the skill wish so."""
        able = self.able_agents(name)
        return bool(able) and self.refusal(name, able[0], able) is None

    def something_can_start(self) -> bool:
        """Return whether some idle agent can start something."""
        return any(
            self.refusal(name, able[0], able) is None
            for name in self.names
            if (able := self.able_agents(name))
        )

    def possible_durations(self, name: str) -> list[int]:
        """Return every duration that a start now may take."""
        duration = self.duration[name]
        if isinstance(duration, int):
            return [duration]
        if "uniform" in duration:
            lo, hi = duration["uniform"]
            return list(range(lo, hi + 1))
        return list(duration["choice"])

    def refusal(self, name: str, agent: int, together: list[int]) -> str | None:
        """Return the first reason why the agents ``together`` cannot start it now, None if they can.

        Args:
            name: the subtask.
            agent: the agent that is judged.
            together: the agents that name it at the same time, this one included.
        """
        fields = self.task["subtasks"][name]
        if self.is_unknown(name):
            return "unknown"
        if not self.is_idle(agent) or name in self.running:
            return "busy"
        if (name in self.finished and not fields["repeatable"]) or not self.has_start_left(name):
            return "finished"
        lags = [self._judge_lag(name, lag) for lag in fields["lags"]]
        if not all(self.holds(tree) for tree in fields["needs"]) or "dependency" in lags:
            return "dependency"
        if self.time < fields["release"] or "too_early" in lags:
            return "too_early"
        if name in self.closed or not self._fits(name) or "too_late" in lags:
            return "too_late"
        free = self.free()
        if any(amount > free[resource] for resource, amount in fields["uses"].items() if amount > 0):
            return "resource"
        asked = [*fields["consumes"].items(), *fields["requires"].items()]
        if any(amount > self.items[item] for item, amount in asked):
            return "item"
        if not self.has_skill(agent, name):
            return "skill"
        if len(together) < fields["agents"]:
            return "agents"
        if not self._choices_allow(name) or not self._automata_allow(name):
            return "constraint"
        return None

    def _fits(self, name: str) -> bool:
        deadline = self.deadline[name]
        return deadline is None or self.time + min(self.possible_durations(name)) <= deadline

    def _judge_lag(self, name: str, lag: dict[str, Any]) -> str | None:
        if lag["from"] == "completion":
            times = [self.last_success[on] for on in lag["on"] if on in self.finished]
        else:
            times = [
                self.last_start_of_earlier_steps[on]
                for on in lag["on"]
                if on in self.last_start_of_earlier_steps
            ]
        if not times:
            is_cooldown = name in lag["on"] and lag["from"] == "start"
            return None if is_cooldown else "dependency"
        if self.time < max(times) + lag["min"]:
            return "too_early"
        if lag["max"] is not None and self.time > max(times) + lag["max"]:
            return "too_late"
        return None

    def _choices_allow(self, name: str) -> bool:
        taken = {other for other in self.names if other in self.running or other in self.finished}
        for choice, task in self.task["tasks"].items():
            if task["kind"] == "choice" and name in self.members[choice]:
                branches = [self.members[child] for child in task["children"]]
                open_branches = [branch for branch in branches if taken & self.members[choice] <= branch]
                if not any(name in branch for branch in open_branches):
                    return False
        return True

    # --- Constraints

    def letter(self, running: set[str], finished: set[str], started: set[str]) -> frozenset[tuple[str, str]]:
        """Return every atom of every constraint that holds when these run, are done and were started."""
        true = set()
        for formula in self.task["constraints"]:
            for kind, name in atoms_of(formula):
                if kind == "running":
                    value = bool(running & self.members[name])
                elif kind == "started":
                    value = bool(started & self.members[name])
                else:
                    value = self._done_if(name, finished)
                if value:
                    true.add((kind, name))
        return frozenset(true)

    def _done_if(self, name: str, finished: set[str]) -> bool:
        before, self.finished = self.finished, finished
        value = self.is_done(name)
        self.finished = before
        return value

    def _read_letter(self) -> None:
        letter = self.letter(set(self.running), self.finished, self.started_since_tick)
        self.automata = [next_state(state, letter) for state in self.automata]
        self.started_since_tick = set()

    def _automata_allow(self, name: str) -> bool:
        """Return whether each automaton may still accept after some letter that the next tick may bring."""
        letters = list(self._letters_after_start(name)) if self.automata else []
        return all(
            any(next_state(state, letter) in living for letter in letters)
            for state, living in zip(self.automata, self.living, strict=True)
        )

    def _letters_after_start(self, name: str) -> Iterator[frozenset[tuple[str, str]]]:
        """Yield the letters that the next tick may bring if only this start is added."""
        started = self.started_since_tick | {name}
        ends_now_or_not = {duration == 1 for duration in self.possible_durations(name)}
        for ends_now in ends_now_or_not:
            ending = {other for other, run in self.running.items() if run["end"] == self.time + 1}
            if ends_now:
                ending.add(name)
            running = (set(self.running) | {name}) - ending
            outcomes = [[(other, value) for value in self._outcomes(other)] for other in sorted(ending)]
            for outcome in itertools.product(*outcomes):
                succeeded = {other for other, value in outcome if value}
                yield self.letter(running, self.finished | succeeded, started)

    def _outcomes(self, name: str) -> list[bool]:
        """Return the outcomes to count for a run that completes at the next tick."""
        deadline, success = self.deadline[name], self.task["subtasks"][name]["success"]
        if (deadline is not None and self.time + 1 > deadline) or success == 0:
            return [False]
        return [True] if success == 1 else [False, True]

    # --- A step

    def step(self, actions: list[int]) -> None:
        """Take one step: each agent names a subtask by its index, or waits (``len(names)``)."""
        before, began, self.reward, self.events = self._changeable(), self.time, 0.0, []
        accepted = self._start_all(actions)
        self.last_start_of_earlier_steps = dict(self.last_start)
        stands_still = any(self.task["subtasks"][name]["attended"] == 0 for name in accepted)
        self._advance(0 if stands_still else 1)
        while not self._step_is_over(before, bool(accepted)):
            self._advance(1)
        self.elapsed = self.time - began

    def _step_is_over(self, before: Any, accepted: bool) -> bool:
        if self.terminated or self.truncated or self.clock == "tick":
            return True
        if self.clock == "decision":
            if self.something_can_start():
                return True
            if self.task["horizon"] is None and not self.running:
                return not any(later.something_can_start() or later.goal_holds() for later in self._waiting())
            return False
        some_idle = any(self.is_idle(agent) for agent in range(len(self.task["agents"])))
        if some_idle and (accepted or self._changeable() != before):
            return True
        if self.task["horizon"] is None and not self.running:
            now = self._changeable()
            return not any(later._changeable() != now for later in self._waiting())
        return False

    def _changeable(self) -> Any:
        """Return what the event clock watches."""
        return self.status(), self.stock(), self.free(), self.mask()

    def _start_all(self, actions: list[int]) -> list[str]:
        """Serve the agents in order and return the subtasks whose start was accepted."""
        self.refusals = [None for _ in actions]
        accepted: list[str] = []
        judged = set()
        for agent, action in enumerate(actions):
            if action == len(self.names) or agent in judged:
                continue
            name = self.names[action]
            count = self.task["subtasks"][name]["agents"]
            if count == 1 or not self.is_idle(agent) or not self.has_skill(agent, name):
                together = [agent]
            else:
                together = [a for a in self.able_agents(name) if actions[a] == action]
            judged.update(together)
            reason = self.refusal(name, agent, together)
            for other in together:
                self.refusals[other] = reason
            if reason is None:
                for surplus in together[count:]:
                    self.refusals[surplus] = "busy"
                self._start(name, together[:count])
                accepted.append(name)
        return accepted

    def _start(self, name: str, agents: list[int]) -> None:
        fields = self.task["subtasks"][name]
        self.starts[name] += 1
        attempt = self.starts[name]
        duration = self._drawn(self.duration[name], DURATION, self.names.index(name), attempt)
        attended = duration if fields["attended"] is None else min(fields["attended"], duration)
        for item, amount in fields["consumes"].items():
            self.items[item] -= amount
        for agent in agents:
            self.busy_until[agent] = self.time + attended
        self.running[name] = {"end": self.time + duration, "attempt": attempt}
        self.last_start[name] = self.time
        self.started_since_tick.add(name)
        self.events.append((self.time, "start", name))

    def _drawn(self, value: Any, kind: int, index: int, attempt: int) -> int:
        """Return an integer as it is, or the one drawn from ``uniform`` or ``choice``."""
        if isinstance(value, int):
            return value
        if "uniform" in value:
            lo, hi = value["uniform"]
            return int(lo + draw_below(hi - lo + 1, self.seed, kind, index, attempt))
        options = value["choice"]
        return int(options[draw_below(len(options), self.seed, kind, index, attempt)])

    def _event_tick(self, index: int) -> int:
        return self._drawn(self.task["events"][index]["at"], EVENT, index, 1)

    def _advance(self, ticks: int) -> None:
        """Move the clock by one tick or none, and bring about all that follows the starts."""
        self._move(ticks)
        self._end()

    def _move(self, ticks: int) -> None:
        if ticks == 1:
            self.time += 1
            for event, tick in zip(self.task["events"], self.ticks_of_events, strict=True):
                if tick == self.time:
                    self._happen(event)
        self._complete()
        self._spoil()
        self._close()
        if ticks == 1:
            self._read_letter()

    def _happen(self, event: dict[str, Any]) -> None:
        """Apply one disturbance."""
        if "undo" in event:
            for name in self.names:
                if name in self.members[event["undo"]] and name in self.finished:
                    self.finished.remove(name)
                    self.events.append((self.time, "undo", name))
        for resource, capacity in event.get("capacity", {}).items():
            self.capacity[resource] = capacity
            self.events.append((self.time, "capacity", resource))
        for item, amount in event.get("stock", {}).items():
            self.items[item] = max(0, self.items[item] + amount)
            self.events.append((self.time, "stock", item))
        if "agent" in event:
            agent = [entry["name"] for entry in self.task["agents"]].index(event["agent"])
            self.down_until[agent] = max(self.down_until[agent], self.time + event["down"])
            self.events.append((self.time, "agent", event["agent"]))
        for kind, current in (("duration", self.duration), ("deadline", self.deadline)):
            for target, value in event.get(kind, {}).items():
                for name in self.names:
                    if name in self.members[target]:
                        current[name] = value
                        self.events.append((self.time, kind, name))
        if "appear" in event:
            for name in self.names:
                if name in self.members[event["appear"]]:
                    self.events.append((self.time, "appear", name))

    def _complete(self) -> None:
        for name in self.names:
            if name in self.running and self.running[name]["end"] == self.time:
                run = self.running.pop(name)
                fields = self.task["subtasks"][name]
                deadline = self.deadline[name]
                late = deadline is not None and self.time > deadline
                bits = draw(self.seed, SUCCESS, self.names.index(name), run["attempt"])
                if not late and bits < threshold(fields["success"]):
                    self._succeed(name)
                    continue
                self.events.append((self.time, "failure", name))
                if late and name not in self.finished:
                    self.closed.add(name)
                    self.events.append((self.time, "close", name))

    def _succeed(self, name: str) -> None:
        fields = self.task["subtasks"][name]
        self.finished.add(name)
        self.last_success[name] = self.time
        self.first_success.setdefault(name, self.time)
        if fields["repeatable"] or fields["group"] not in self.paid_groups:
            self.reward += fields["reward"]
        self.paid_groups.add(fields["group"])
        for item, amount in fields["produces"].items():
            self.items[item] += amount
        self.events.append((self.time, "success", name))

    def _spoil(self) -> None:
        spoiled = set()
        for name in self.names:
            if (
                name in self.running
                or name in self.finished
                or name in self.closed
                or not self.has_start_left(name)
                or not self._choices_allow(name)
            ):
                continue
            for lag in self.task["subtasks"][name]["lags"]:
                if lag["from"] == "completion" and lag["max"] is not None:
                    for on in lag["on"]:
                        if on in self.finished and self.time > self.last_success[on] + lag["max"]:
                            spoiled.add(on)
        for name in self.names:
            if name in spoiled:
                self.finished.remove(name)
                self.events.append((self.time, "spoil", name))

    def _close(self) -> None:
        before = self.closed
        idle = [name for name in self.names if name not in self.running and name not in self.finished]
        self.closed = {name for name in idle if not self._fits(name)}
        self.events += [(self.time, "close", name) for name in idle if name in self.closed - before]

    def _end(self) -> None:
        if self.goal_holds():
            self.terminated = True
        elif self.task["goal"] is None and not self.running and not self.something_can_start():
            self.terminated = not any(later.something_can_start() for later in self._waiting())
        if not self.terminated and self.task["horizon"] is not None:
            self.truncated = self.time >= self.task["horizon"]

    # --- Waiting

    def _waiting(self) -> Iterator[Reference]:
        """Yield this episode after one more tick of waiting, then two, ..., as long as anything may change.

        Nothing runs, so nothing is drawn. After the last tick that the file or
        the state names only automata can move, until they come round again.
        """
        later = copy.deepcopy(self)
        last = self._last_named_tick()
        seen: list[Any] = []
        while later.time <= last or later.automata not in seen:
            if later.time > last:
                seen.append(later.automata)
            later._move(1)
            yield later

    def _last_named_tick(self) -> int:
        """Return a tick after which the passing of time alone changes no condition."""
        ticks = [self.time, *self.down_until, *self.ticks_of_events]
        for event, tick in zip(self.task["events"], self.ticks_of_events, strict=True):
            ticks.append(tick + event.get("down", 0))
            ticks += event.get("deadline", {}).values()
        for name, fields in self.task["subtasks"].items():
            ticks += [fields["release"], self.deadline[name] or 0]
            for lag in fields["lags"]:
                for on in lag["on"]:
                    for tick in (self.last_start.get(on, 0), self.last_success.get(on, 0)):
                        ticks.append(tick + max(lag["min"], lag["max"] or 0))
        return max(ticks) + 1
