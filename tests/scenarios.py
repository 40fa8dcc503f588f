"""Tiny episodes whose course is worked out by hand from the rules, as data.

Owns the table only; ``test_reference`` plays it against the naive second
implementation, and any other simulator of the rules can be held to it too.

A step names one action per agent (a subtask, or ``-`` to wait) and what must
hold after it: ``time``, ``elapsed``, ``status``, ``stock``, ``free`` (the
entries given), ``refusals`` (all agents), ``can`` (per agent, the names that
the mask allows), ``events`` (as a set, ticks included), ``reward``, ``tardiness``,
``over`` (None, "terminated" or "truncated"), ``success``, ``dead`` (automata).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

Step = tuple[list[str], dict[str, Any]]


@dataclass(frozen=True)
class Scenario:
    """One hand-worked episode.

    Attributes:
        fact: the one thing that it shows.
        mapping: the task as data.
        steps: actions and what must hold after each step.
        reset: what must hold on reset.
        clock: the clock it is played under.
        seed: the seed; it matters only where something is drawn.
    """

    fact: str
    mapping: dict[str, Any]
    steps: tuple[Step, ...]
    reset: dict[str, Any]
    clock: str = "tick"
    seed: int = 0


SCENARIOS: dict[str, Scenario] = {}


def _add(
    name: str,
    fact: str,
    task: str,
    steps: list[Step],
    reset: dict[str, Any] | None = None,
    clock: str = "tick",
) -> None:
    SCENARIOS[name] = Scenario(fact, yaml.safe_load(task), tuple(steps), reset or {}, clock)


WAIT: list[str] = ["-"]

# --- Time, completion, the goal

_add(
    "duration",
    "A run of 2 ticks that starts at 0 is done at 2, and the episode ends there when that is the goal.",
    "{subtasks: {a: {duration: 2, reward: 3}}, goal: a}",
    [
        (["a"], {"time": 1, "status": {"a": "running"}, "over": None, "reward": 0, "can": [[]]}),
        (
            WAIT,
            {
                "time": 2,
                "status": {"a": "done"},
                "over": "terminated",
                "success": True,
                "reward": 3,
                "events": [(2, "success", "a")],
            },
        ),
    ],
    reset={"time": 0, "status": {"a": "eligible"}, "over": None, "can": [["a"]]},
)
_add(
    "end before start",
    "What completes at a tick is done, and gives back what it held, for every start at that tick.",
    "{resources: {r: 1}, subtasks: {a: {duration: 2, attended: 1, uses: {r: 1}}, b: {needs: a, "
    "uses: {r: 1}}}}",
    [
        (["a"], {"free": {"r": 0}, "can": [[]]}),
        (["b"], {"refusals": ["dependency"], "time": 2, "free": {"r": 1}, "can": [["b"]]}),
        (["b"], {"refusals": [None], "time": 3, "status": {"b": "done"}}),
    ],
)
_add(
    "goal at reset",
    "The end is not judged on reset; a goal that holds from the start ends the first step.",
    "{subtasks: {a: {duration: 2}}, goal: ~a}",
    [(WAIT, {"time": 1, "over": "terminated", "success": True})],
    reset={"over": None},
)
_add(
    "goal in a step without time",
    "The end is judged in a step in which the clock stood still, too.",
    "{subtasks: {a: {duration: 2, attended: 0}}, goal: ~a}",
    [(["a"], {"time": 0, "elapsed": 0, "over": "terminated", "status": {"a": "running"}})],
)
_add(
    "horizon",
    "An episode is truncated when the clock reaches the horizon.",
    "{horizon: 2, subtasks: {a: {duration: 3}}, goal: a}",
    [(["a"], {"over": None}), (WAIT, {"time": 2, "over": "truncated", "success": False})],
)
_add(
    "goal at the horizon",
    "A goal that holds at the horizon terminates the episode and does not truncate it.",
    "{horizon: 2, subtasks: {a: {duration: 2}}, goal: a}",
    [(["a"], {}), (WAIT, {"time": 2, "over": "terminated", "success": True})],
)

# --- Needs and compositions

_add(
    "operators",
    "In needs, ~ binds before & and & before |.",
    "{subtasks: {a: {}, b: {duration: 9}, c: {needs: a | b & ~b}, d: {needs: (a | b) & ~a}}}",
    [(["a"], {"status": {"c": "eligible", "d": "locked"}})],
    reset={"can": [["a", "b"]]},
)
_add(
    "k of",
    "2 of (..) holds with two of its parts, each an expression of its own.",
    "{subtasks: {a: {}, b: {}, c: {needs: '2 of (a, b, ~a & b)'}}}",
    [(["b"], {"status": {"c": "eligible"}}), (["a"], {"status": {"c": "eligible"}})],
    reset={"status": {"c": "locked"}},
)
_add(
    "needs no longer hold",
    "A subtask that needs ~a is locked once a is done.",
    "{subtasks: {a: {}, b: {needs: ~a}}, goal: b}",
    [(["a"], {"status": {"b": "locked"}}), (["b"], {"refusals": ["dependency"], "time": 2})],
    reset={"status": {"b": "eligible"}},
)
_add(
    "sequence",
    "Every subtask of a child of a sequence needs the child before it.",
    "{subtasks: {a: {}, b: {}, c: {}, d: {}}, tasks: {s: {sequence: [{any: [a, b]}, {all: [c, d]}]}}, "
    "goal: s}",
    [(["a"], {"can": [["b", "c", "d"]]}), (["c"], {}), (["d"], {"over": "terminated"})],
    reset={"can": [["a", "b"]]},
)
_add(
    "composition binds",
    "Needs, release and deadline of a composition bind every subtask under it, outside the goal too.",
    """
    subtasks: {a: {}, b: {deadline: 9}, c: {release: 1}}
    tasks: {t: {all: [b, {any: [c]}], needs: a, release: 3, deadline: 4}}
    goal: a & b
    """,
    [
        (["a"], {"can": [[]]}),
        (["b"], {"refusals": ["too_early"]}),
        (["c"], {"refusals": ["too_early"], "can": [["b", "c"]]}),
        (WAIT, {"time": 4, "status": {"b": "closed", "c": "closed"}}),
    ],
    reset={"can": [["a"]]},
)
_add(
    "task done computed",
    "A task's being done is computed from the present: it is undone with its subtask.",
    "{subtasks: {a: {}, b: {}, c: {needs: t}}, tasks: {t: {all: [a, b]}}, events: [{at: 3, undo: a}]}",
    [
        (["a"], {}),
        (["b"], {"status": {"c": "eligible"}}),
        (WAIT, {"status": {"a": "eligible", "c": "locked"}}),
    ],
)
_add(
    "choice",
    "While one branch runs the other cannot start, and after a failure it can again.",
    "{agents: 2, subtasks: {a: {duration: 2, success: 0}, b: {}}, tasks: {t: {choice: [a, b]}}, goal: t}",
    [
        (["a", "b"], {"refusals": [None, "constraint"], "status": {"b": "locked"}}),
        (["-", "-"], {"time": 2, "events": [(2, "failure", "a")], "can": [["a", "b"]] * 2}),
        (["-", "b"], {"over": "terminated", "status": {"a": "locked", "b": "done"}}),
    ],
)
_add(
    "choice with a shared subtask",
    "A shared subtask keeps both branches open; taking what only one branch has closes the other.",
    "{subtasks: {a: {}, b: {}, c: {}}, tasks: {t: {choice: [{all: [a, b]}, {all: [b, c]}]}}}",
    [(["b"], {"can": [["a", "c"]]}), (["c"], {"status": {"a": "locked"}, "over": "terminated"})],
)
_add(
    "repeat",
    "A repeat makes copies in sequence, in the place of x; references inside x follow the copy.",
    "{subtasks: {a: {}, b: {needs: a}, c: {}}, tasks: {x: {all: [a, b]}, r: {repeat: x, times: 2}}, "
    "goal: x.2}",
    [
        (["a.1"], {"can": [["b.1", "c"]]}),
        (["b.1"], {"can": [["a.2", "c"]]}),
        (["a.2"], {}),
        (["b.2"], {"over": "terminated"}),
    ],
    reset={"can": [["a.1", "c"]], "names": ["a.1", "a.2", "b.1", "b.2", "c"]},
)
_add(
    "nested repeat",
    "Of nested repeats the inner one names its copies first.",
    "{subtasks: {a: {}}, tasks: {b: {repeat: a, times: 2}, c: {repeat: b, times: 2}}, goal: b.1}",
    [(["a.1.1"], {"can": [["a.2.1"]]}), (["a.2.1"], {"over": "terminated"})],
    reset={"names": ["a.1.1", "a.1.2", "a.2.1", "a.2.2"], "can": [["a.1.1"]]},
)
_add(
    "family",
    "A family is expanded in place, first variable outermost; its name means all of its members.",
    """
    subtasks:
      z: {}
      "wash {n} {k}": {foreach: {n: [2, 1], k: [x, y]}, duration: "{n}", agents: 1, reward: 1}
      c: {needs: "wash {n} {k}"}
    tasks: {t: {all: ["wash 1 x", z]}}
    goal: t
    """,
    [
        (["wash 2 x"], {"status": {"wash 2 x": "running"}}),
        (WAIT, {"time": 2, "status": {"wash 2 x": "done"}}),
    ],
    reset={"names": ["z", "wash 2 x", "wash 2 y", "wash 1 x", "wash 1 y", "c"], "status": {"c": "locked"}},
)
_add(
    "repeated family",
    "A family is repeated under its own name; each member needs all of the copy before.",
    """
    subtasks: {"w {d}": {foreach: {d: [p, q]}}}
    tasks: {r: {repeat: "w {d}", times: 2}}
    goal: r
    """,
    [(["w p.1"], {"can": [["w q.1"]]}), (["w q.1"], {"can": [["w p.2", "w q.2"]]})],
    reset={"names": ["w p.1", "w p.2", "w q.1", "w q.2"], "can": [["w p.1", "w q.1"]]},
)
_add(
    "modes",
    "A subtask with modes is a choice; a mode's own field replaces the shared one.",
    "{subtasks: {x: {duration: 3, modes: {slow: {}, fast: {duration: 1}}}, y: {needs: x}}, goal: y}",
    [
        (["x [fast]"], {"time": 1, "can": [["y"]], "status": {"x [slow]": "locked"}}),
        (["y"], {"over": "terminated"}),
    ],
    reset={"names": ["x [slow]", "x [fast]", "y"]},
)
_add(
    "modes are paid once together",
    "After an undo the other mode may be taken, but the modes are paid once together.",
    "{subtasks: {x: {reward: 5, modes: {p: {}, q: {reward: 7}}}}, horizon: 9, events: [{at: 2, undo: x}]}",
    [
        (["x [p]"], {"reward": 5, "can": [[]]}),
        (WAIT, {"time": 2, "can": [["x [p]", "x [q]"]], "events": [(2, "undo", "x [p]")]}),
        (["x [q]"], {"status": {"x [q]": "done"}, "reward": 0}),
    ],
)

# --- Lags and windows

_add(
    "min lag",
    "A min lag counts from the completion of the predecessor and implies that it is done.",
    "{subtasks: {a: {duration: 2}, b: {lags: {a: {min: 2}}}}}",
    [
        (["b"], {"refusals": ["dependency"], "time": 1}),
        (["a"], {"time": 2}),
        (WAIT, {"time": 3, "status": {"a": "done"}}),
        (["b"], {"refusals": ["too_early"], "time": 4}),
        (["b"], {"refusals": ["too_early"], "time": 5}),
        (["b"], {"refusals": [None], "time": 6, "status": {"b": "done"}}),
    ],
)
_add(
    "max lag spoils",
    "A done predecessor is undone when the clock is past its success plus the max lag, not before.",
    "{subtasks: {a: {}, b: {lags: {a: {max: 2}}, duration: 3}}, goal: b}",
    [
        (["a"], {"time": 1}),
        (WAIT, {"time": 2}),
        (WAIT, {"time": 3, "status": {"a": "done", "b": "eligible"}}),
        (WAIT, {"time": 4, "status": {"a": "eligible", "b": "locked"}, "events": [(4, "spoil", "a")]}),
    ],
)
_add(
    "no spoiling while the successor runs",
    "A successor that runs, or is done, keeps its predecessor.",
    "{subtasks: {a: {}, b: {lags: {a: {max: 0}}, duration: 2}}, horizon: 9, goal: a & b & ~a}",
    [
        (["a"], {"time": 1}),
        (["b"], {"time": 2, "status": {"a": "done"}}),
        (WAIT, {"time": 3, "status": {"a": "done", "b": "done"}}),
        (WAIT, {"time": 4, "status": {"a": "done"}}),
    ],
)
_add(
    "a failed run spoils at once",
    "When the successor fails and has a start left, the predecessor spoils in the same tick.",
    "{subtasks: {a: {}, b: {lags: {a: {max: 0}}, duration: 2, success: 0}}, horizon: 9, goal: b}",
    [
        (["a"], {"time": 1}),
        (["b"], {"time": 2, "status": {"a": "done"}}),
        (WAIT, {"time": 3, "status": {"a": "eligible"}, "events": [(3, "failure", "b"), (3, "spoil", "a")]}),
    ],
)
_add(
    "no spoiling for one that failed for good",
    "A successor without a start left (failed) does not spoil its predecessor.",
    "{subtasks: {a: {}, b: {lags: {a: {max: 0}}, attempts: 1, success: 0}}, horizon: 9, goal: b}",
    [
        (["a"], {"time": 1}),
        (["b"], {"time": 2, "status": {"b": "failed", "a": "done"}}),
        (["b"], {"refusals": ["finished"], "status": {"a": "done"}}),
    ],
)
_add(
    "no spoiling for a closed successor",
    "A successor closed as of the last closing does not spoil; one that closes only now still does.",
    """
    subtasks:
      a: {duration: 2}
      b: {lags: {a: {max: 0}}, deadline: 2}
      c: {duration: 2}
      d: {lags: {c: {max: 0}}, deadline: 3}
    agents: 2
    horizon: 9
    goal: b & d
    """,
    [
        (["a", "c"], {"time": 1}),
        (["-", "-"], {"time": 2, "status": {"b": "closed", "d": "eligible"}}),
        (
            ["-", "-"],
            {
                "time": 3,
                "status": {"a": "done", "c": "eligible", "d": "closed"},
                "events": [(3, "spoil", "c"), (3, "close", "d")],
            },
        ),
    ],
)
_add(
    "no spoiling for one ruled out by a choice",
    "A successor that a choice rules out does not spoil its predecessor.",
    "{agents: 2, subtasks: {a: {}, b: {lags: {a: {max: 0}}}, c: {duration: 9}}, tasks: {t: {choice: [b, "
    "c]}}, horizon: 9, goal: b}",
    [(["a", "c"], {"time": 1}), (["-", "-"], {"time": 2, "status": {"a": "done", "b": "locked"}})],
)
_add(
    "late completion closes before spoiling",
    "A run that completes after its deadline fails and is closed at once, so that spoiling sees it closed.",
    """
    subtasks: {a: {}, b: {lags: {a: {max: 0}}, duration: 3, deadline: 9}}
    horizon: 9
    goal: b
    events: [{at: 2, deadline: {b: 3}}]
    """,
    [
        (["a"], {"time": 1}),
        (["b"], {"time": 2, "status": {"b": "running"}}),
        (WAIT, {"time": 3}),
        (
            WAIT,
            {
                "time": 4,
                "status": {"a": "done", "b": "closed"},
                "events": [(4, "failure", "b"), (4, "close", "b")],
            },
        ),
    ],
)
_add(
    "lag from start",
    "A lag from start asks that the predecessor was started, whatever became of it, not that it is done.",
    "{subtasks: {a: {success: 0}, b: {lags: {a: {from: start, min: 2, max: 3}}}}, horizon: 9, goal: b & a}",
    [
        (["b"], {"refusals": ["dependency"], "time": 1}),
        (["a"], {"time": 2, "status": {"a": "eligible"}}),
        (["b"], {"refusals": ["too_early"], "time": 3, "status": {"b": "eligible"}}),
        (WAIT, {"time": 4, "status": {"b": "eligible"}}),
        (WAIT, {"time": 5}),
        (["b"], {"refusals": ["too_late"], "status": {"b": "locked"}}),
    ],
)
_add(
    "lag from start and the same step",
    "A start made in the same step does not count for a lag from start, though the agent comes later.",
    "{agents: 2, subtasks: {a: {duration: 3}, b: {lags: {a: {from: start}}}}, horizon: 9, goal: b}",
    [
        (["a", "b"], {"refusals": [None, "dependency"], "can": [[], ["b"]]}),
        (["-", "b"], {"over": "terminated"}),
    ],
)
_add(
    "lag from start after a step without time",
    "A start in an earlier step at the same tick counts for a lag from start.",
    "{subtasks: {a: {duration: 3, attended: 0}, b: {lags: {a: {from: start, max: 0}}}}, horizon: 9, goal: b}",
    [(["a"], {"time": 0, "can": [["b"]]}), (["b"], {"time": 1, "over": "terminated"})],
)
_add(
    "lag from start does not spoil",
    "Past the max of a lag from start the predecessor stays done.",
    "{subtasks: {a: {}, b: {lags: {a: {from: start, max: 1}}}}, horizon: 9, goal: b}",
    [
        (["a"], {"status": {"b": "eligible"}}),
        (WAIT, {"time": 2, "status": {"a": "done", "b": "locked"}}),
        (["b"], {"refusals": ["too_late"]}),
    ],
)
_add(
    "cooldown",
    "A lag on itself asks nothing before the first start and then keeps the starts apart.",
    "{subtasks: {a: {repeatable: true, reward: 1, lags: {a: {from: start, min: 3}}}}, horizon: 9}",
    [
        (["a"], {"refusals": [None], "time": 1, "status": {"a": "done"}, "reward": 1, "can": [[]]}),
        (["a"], {"refusals": ["too_early"], "time": 2}),
        (WAIT, {"time": 3, "can": [["a"]]}),
        (["a"], {"refusals": [None], "time": 4, "reward": 1}),
    ],
)
_add(
    "lag on a subtask with modes",
    "A lag on a subtask with modes counts from the mode that is done; one is enough.",
    "{subtasks: {x: {modes: {p: {}, q: {duration: 2}}}, b: {lags: {x: {min: 1}}}}, goal: b}",
    [
        (["x [q]"], {}),
        (WAIT, {"time": 2, "can": [[]]}),
        (["b"], {"refusals": ["too_early"], "can": [["b"]]}),
        (["b"], {"over": "terminated"}),
    ],
)
_add(
    "lag on a family",
    "A lag on a family is a lag on each of its members.",
    """
    subtasks: {"w {d}": {foreach: {d: [p, q]}}, b: {lags: {"w {d}": {min: 1}}}}
    goal: b
    """,
    [
        (["w p"], {}),
        (["b"], {"refusals": ["dependency"], "time": 2}),
        (["w q"], {"time": 3}),
        (["b"], {"refusals": ["too_early"], "time": 4}),
        (["b"], {"refusals": [None], "over": "terminated"}),
    ],
)
_add(
    "release and deadline",
    "It may not start before its release, and complete by its deadline means at that tick at the latest.",
    "{subtasks: {a: {duration: 2, release: 1, deadline: 4}, b: {duration: 2, deadline: 3}}, agents: 2, "
    "horizon: 9, goal: a & b}",
    [
        (["a", "-"], {"refusals": ["too_early", None], "time": 1, "can": [["a", "b"]] * 2}),
        (["-", "b"], {"time": 2, "can": [["a"], []]}),
        (["a", "-"], {"time": 3, "status": {"b": "done"}}),
        (["-", "-"], {"time": 4, "over": "terminated"}),
    ],
)
_add(
    "closing on reset",
    "Closing is applied on reset: what cannot fit before its deadline is closed from the start.",
    "{subtasks: {a: {duration: 3, deadline: 2}, b: {duration: {uniform: [2, 9]}, deadline: 2}}, "
    "goal: a & b, horizon: 9}",
    [
        (
            ["a"],
            {"refusals": ["too_late"], "time": 1, "status": {"b": "closed"}, "events": [(1, "close", "b")]},
        )
    ],
    reset={"status": {"a": "closed", "b": "eligible"}},
)
_add(
    "failed becomes closed",
    "A subtask without a start left is failed, and closed once it would be too late.",
    "{subtasks: {a: {success: 0, attempts: 1, deadline: 2}}, goal: a, horizon: 9}",
    [
        (["a"], {"time": 1, "status": {"a": "failed"}}),
        (["a"], {"refusals": ["finished"], "time": 2, "status": {"a": "closed"}}),
    ],
)

# --- Agents and refusals

_add(
    "attended 0",
    "The clock stands still for a start with attended 0; the agent chooses again at the same tick.",
    "{subtasks: {a: {duration: 2, attended: 0}, b: {duration: 2}}, goal: a & b}",
    [
        (["a"], {"time": 0, "elapsed": 0, "status": {"a": "running"}, "can": [["b"]]}),
        (["b"], {"time": 1, "elapsed": 1}),
        (WAIT, {"time": 2, "over": "terminated"}),
    ],
)
_add(
    "others in a step without time",
    "A start accepted in the step that stands still keeps its agent busy in the next, at the same tick.",
    "{agents: 2, subtasks: {a: {duration: 2, attended: 0}, b: {duration: 2}, c: {}}}",
    [
        (["a", "b"], {"time": 0, "refusals": [None, None], "can": [["c"], []]}),
        (["c", "c"], {"time": 1, "refusals": [None, "busy"], "status": {"c": "done"}}),
    ],
)
_add(
    "a refused start with attended 0",
    "A refused start does not hold the clock, whatever it would have attended to.",
    "{subtasks: {a: {attended: 0, release: 5}, b: {}}}",
    [(["a"], {"time": 1, "elapsed": 1, "refusals": ["too_early"]})],
)
_add(
    "attended in part",
    "An agent is busy for the attended ticks only.",
    "{subtasks: {a: {duration: 4, attended: 2}, b: {}}}",
    [
        (["a"], {"time": 1, "can": [[]]}),
        (["b"], {"time": 2, "refusals": ["busy"], "status": {"a": "running"}, "can": [["b"]]}),
    ],
)
_add(
    "attended beyond the duration",
    "An attended time larger than the duration counts as the duration.",
    "{subtasks: {a: {duration: 1, attended: 7}, b: {}}}",
    [(["a"], {"time": 1, "can": [["b"]]})],
)
_add(
    "resource in index order",
    "A start takes its resources at once, so an agent served later sees them gone.",
    "{agents: 2, resources: {r: 2}, subtasks: {a: {uses: {r: 2}}, b: {uses: {r: 1}}}}",
    [(["b", "a"], {"refusals": [None, "resource"], "time": 1, "status": {"b": "done", "a": "eligible"}})],
)
_add(
    "item in index order",
    "A start takes its items at once; a later agent is refused for want of an item.",
    "{agents: 2, items: {i: 1}, subtasks: {a: {consumes: {i: 1}}, b: {consumes: {i: 1}}}}",
    [(["a", "b"], {"refusals": [None, "item"], "stock": {"i": 0}})],
)
_add(
    "items",
    "Consumed and required amounts are each compared with the stock before the start.",
    "{items: {i: 2}, subtasks: {a: {consumes: {i: 2}, requires: {i: 2}, produces: {j: 3}}, "
    "b: {requires: {j: 4}}}}",
    [(["a"], {"refusals": [None], "stock": {"i": 0, "j": 3}, "can": [[]]})],
    reset={"stock": {"i": 2, "j": 0}},
)
_add(
    "a failure loses what it consumed",
    "A run that fails produces nothing, and what it consumed is lost.",
    "{items: {i: 1}, subtasks: {a: {success: 0, consumes: {i: 1}, produces: {j: 1}, duration: 2, "
    "reward: 4}}, horizon: 9}",
    [
        (["a"], {"stock": {"i": 0}}),
        (WAIT, {"stock": {"i": 0, "j": 0}, "reward": 0, "over": "terminated", "success": False}),
    ],
)
_add(
    "skill",
    "An agent without the skill is refused for it, after resources and items.",
    "{agents: [{name: ann, skills: [s]}, {name: bob}], items: {i: 1}, subtasks: {a: {skill: s, "
    "duration: 2}, b: {skill: s, requires: {i: 2}}}}",
    [
        (["-", "a"], {"refusals": [None, "skill"], "can": [["a"], []]}),
        (["-", "b"], {"refusals": [None, "item"]}),
    ],
)
_add(
    "busy subtask",
    "A subtask that runs is refused as busy, before it is asked whether it is finished.",
    "{agents: 2, subtasks: {a: {duration: 3, attempts: 1}}}",
    [(["a", "a"], {"refusals": [None, "busy"]}), (["a", "a"], {"refusals": ["busy", "busy"]})],
)
_add(
    "finished",
    "A done subtask that is not repeatable is refused as finished, before its needs are looked at.",
    "{subtasks: {a: {needs: ~b}, b: {}}, goal: ~a & b}",
    [
        (["a"], {}),
        (["a"], {"refusals": ["finished"], "time": 2}),
        (["b"], {}),
        (["a"], {"refusals": ["finished"]}),
    ],
)
_add(
    "dependency before time",
    "Needs come before release, release before deadline, deadline before resources.",
    "{resources: {r: 1}, subtasks: {n: {}, a: {needs: n, release: 2, deadline: 1}, b: {release: 3, "
    "deadline: 2}, c: {deadline: 0, uses: {r: 1}}}}",
    [
        (["a"], {"refusals": ["dependency"]}),
        (["b"], {"refusals": ["too_early"]}),
        (["c"], {"refusals": ["too_late"]}),
    ],
)
_add(
    "joint",
    "A joint subtask starts when enough agents name it; the surplus is refused as busy.",
    "{agents: 3, subtasks: {a: {agents: 2, duration: 2}}, goal: a}",
    [
        (["a", "-", "-"], {"refusals": ["agents", None, None], "can": [["a"]] * 3}),
        (["a", "a", "a"], {"refusals": [None, None, "busy"], "time": 2, "can": [[], [], []]}),
        (["-", "-", "-"], {"over": "terminated"}),
    ],
)
_add(
    "joint with skills",
    "Only skilled agents count for a joint subtask; one without the skill is judged alone at its own place.",
    "{agents: [{name: x}, {name: y, skills: [s]}, {name: z, skills: [s]}], subtasks: {a: {agents: 2, "
    "skill: s}}}",
    [
        (["a", "a", "-"], {"refusals": ["skill", "agents", None], "can": [[], ["a"], ["a"]]}),
        (["a", "a", "a"], {"refusals": ["skill", None, None], "status": {"a": "done"}}),
    ],
)
_add(
    "unskilled after a joint start",
    "An agent without the skill served after a joint start finds the subtask running: busy.",
    "{agents: [{name: y, skills: [s]}, {name: z, skills: [s]}, {name: x}], subtasks: {a: {agents: 2, "
    "skill: s}}}",
    [(["a", "a", "a"], {"refusals": [None, None, "busy"]})],
)
_add(
    "joint at the place of the first",
    "A joint start is judged at the place of the first who names it, before agents in between.",
    "{agents: 3, resources: {r: 1}, subtasks: {a: {agents: 2, uses: {r: 1}}, b: {uses: {r: 1}}}}",
    [(["a", "b", "a"], {"refusals": [None, "resource", None]})],
)
_add(
    "joint refused with one reason",
    "All who name a joint subtask that cannot start are refused with its one reason.",
    "{agents: 3, resources: {r: 1}, subtasks: {a: {agents: 2, uses: {r: 1}}, b: {uses: {r: 1}}}}",
    [(["b", "a", "a"], {"refusals": [None, "resource", "resource"]})],
)
_add(
    "joint without enough idle agents",
    "A joint subtask is not eligible while too few agents are idle.",
    "{agents: 2, subtasks: {a: {agents: 2}, b: {duration: 2}}}",
    [
        (["b", "-"], {"status": {"a": "locked"}, "can": [[], []]}),
        (["-", "a"], {"refusals": [None, "agents"], "status": {"a": "eligible"}}),
    ],
)

# --- Doing again

_add(
    "repeatable",
    "A repeatable subtask stays done while it runs again, and is paid each time.",
    "{subtasks: {a: {duration: 2, repeatable: true, reward: 2}, b: {needs: a}}, agents: 2, horizon: 9}",
    [
        (["a", "-"], {}),
        (["-", "-"], {"reward": 2, "can": [["a", "b"]] * 2}),
        (["a", "b"], {"refusals": [None, None], "status": {"a": "running", "b": "done"}}),
        (["-", "-"], {"reward": 2}),
    ],
)
_add(
    "attempts",
    "Refused starts are no attempts, and the last accepted start leaves none.",
    "{subtasks: {a: {repeatable: true, attempts: 2, needs: ~b}, b: {}}, horizon: 9, goal: b & a & ~b}",
    [
        (["a"], {"status": {"a": "done"}, "can": [["a", "b"]]}),
        (["a"], {"status": {"a": "done"}, "can": [["b"]]}),
        (["a"], {"refusals": ["finished"]}),
    ],
)
_add(
    "paid once",
    "A subtask that is not repeatable is paid once in an episode, "
    "though undone and done again; what it produced stays.",
    "{subtasks: {a: {reward: 3, produces: {i: 1}}}, horizon: 9, events: [{at: 2, undo: a}]}",
    [
        (["a"], {"reward": 3, "stock": {"i": 1}, "over": None}),
        (WAIT, {"time": 2, "status": {"a": "eligible"}, "stock": {"i": 1}}),
        (["a"], {"reward": 0, "stock": {"i": 2}, "over": "terminated"}),
    ],
)

# --- Events

_add(
    "undo and a run under way",
    "An undo takes being done away, but a run under way goes on.",
    "{subtasks: {a: {repeatable: true, duration: 2}, b: {needs: a}}, horizon: 9, events: [{at: 3, undo: a}]}",
    [
        (["a"], {}),
        (WAIT, {"can": [["a", "b"]]}),
        (["a"], {"time": 3, "status": {"a": "running"}, "events": [(2, "start", "a"), (3, "undo", "a")]}),
        (WAIT, {"status": {"a": "done"}}),
    ],
)
_add(
    "capacity event",
    "A new capacity stops nothing that runs, so free capacity may be below 0.",
    "{agents: 2, resources: {r: 2}, subtasks: {a: {duration: 3, uses: {r: 2}}, b: {uses: {r: 1}}}, "
    "events: [{at: 1, capacity: {r: 1}}]}",
    [
        (["a", "-"], {"free": {"r": -1}, "status": {"a": "running"}}),
        (["-", "b"], {"refusals": [None, "resource"]}),
        (["-", "-"], {"free": {"r": 1}, "can": [["b"], ["b"]]}),
    ],
)
_add(
    "stock event",
    "A stock event adds, and the stock never falls below 0.",
    "{items: {i: 1}, subtasks: {a: {consumes: {i: 2}}}, horizon: 9, goal: a, events: [{at: 1, "
    "stock: {i: -5}}, {at: 2, stock: {i: 2}}]}",
    [(WAIT, {"stock": {"i": 0}}), (WAIT, {"stock": {"i": 2}, "can": [["a"]], "events": [(2, "stock", "i")]})],
)
_add(
    "agent event",
    "An agent that is down is not idle until the ticks are over; what it attends to goes on.",
    "{subtasks: {a: {duration: 2}, b: {}}, goal: b, events: [{at: 1, agent: agent 0, down: 3}, {at: 2, "
    "agent: agent 0, down: 1}]}",
    [
        (["a"], {"time": 1}),
        (WAIT, {"time": 2, "status": {"a": "done", "b": "locked"}, "can": [[]]}),
        (["b"], {"time": 3, "refusals": ["busy"], "can": [[]]}),
        (WAIT, {"time": 4, "can": [["b"]]}),
    ],
)
_add(
    "duration event",
    "A new duration holds for later starts, and the shortest possible duration follows.",
    "{subtasks: {a: {duration: 3, repeatable: true}, b: {deadline: 4}}, horizon: 9, events: [{at: 1, "
    "duration: {a: 1, b: {uniform: [4, 6]}}}]}",
    [
        (["a"], {"status": {"b": "closed"}}),
        (WAIT, {"status": {"a": "running"}}),
        (WAIT, {"status": {"a": "done"}}),
        (["a"], {"time": 4, "status": {"a": "done"}}),
    ],
)
_add(
    "deadline event opens",
    "A later deadline opens again what was closed, for all under a task.",
    "{subtasks: {a: {duration: 2, deadline: 1}, b: {deadline: 0}}, tasks: {t: {all: [a, b]}}, "
    "horizon: 9, goal: t, events: [{at: 2, deadline: {t: 5}}]}",
    [(WAIT, {"can": [[]]}), (WAIT, {"time": 2, "status": {"a": "eligible", "b": "eligible"}})],
    reset={"status": {"a": "closed", "b": "closed"}},
)
_add(
    "appear event",
    "Before it appears a subtask is locked and unknown, "
    "which is the first reason; of two events the later counts.",
    "{agents: 2, subtasks: {a: {deadline: 9}, b: {duration: 3}}, horizon: 12, goal: a, events: [{at: 1, "
    "appear: a}, {at: 3, appear: a}]}",
    [
        (["b", "a"], {"refusals": [None, "unknown"], "status": {"a": "locked"}, "time": 1}),
        (["a", "-"], {"refusals": ["unknown", None], "time": 2}),
        (["-", "-"], {"time": 3, "status": {"a": "eligible"}}),
    ],
    reset={"status": {"a": "locked"}, "can": [["b"], ["b"]]},
)
_add(
    "unknown is always locked",
    "What has yet to appear is locked in the status even when it is too late for its deadline.",
    "{subtasks: {a: {deadline: 1, duration: 2}, b: {}}, horizon: 9, goal: a, events: [{at: 3, appear: a}]}",
    [(WAIT, {"status": {"a": "locked"}}), (WAIT, {}), (WAIT, {"status": {"a": "closed"}})],
    reset={"status": {"a": "locked"}},
)
_add(
    "events before completions",
    "An event applies before what completes at its tick: an undo does not meet a success of the same tick.",
    "{subtasks: {a: {}, b: {}}, goal: a & b, events: [{at: 1, undo: a}]}",
    [(["a"], {"status": {"a": "done"}, "events": [(0, "start", "a"), (1, "success", "a")]})],
)

# --- Constraints

_add(
    "a fatal start",
    "A start after which no letter lets the formula be fulfilled is refused as a constraint, "
    "last of all reasons.",
    "{agents: 2, subtasks: {a: {duration: 3}, b: {duration: 3}}, "
    "constraints: [G ~(running(a) & running(b))], goal: a & b}",
    [
        (["a", "b"], {"refusals": [None, "constraint"], "status": {"b": "locked"}}),
        (["-", "b"], {"time": 2, "refusals": [None, "constraint"], "can": [[], ["b"]]}),
        (["-", "b"], {"time": 3, "refusals": [None, None], "dead": False}),
    ],
)
_add(
    "no look beyond the next tick",
    "The mask keeps from a step that is fatal at once, not from one that is fatal later.",
    "{subtasks: {a: {}, b: {duration: 2}}, constraints: [G ~done(b), G ~done(a)], horizon: 9}",
    [(["b"], {"time": 1, "dead": False}), (WAIT, {"time": 2, "dead": True, "over": "terminated"})],
    reset={"can": [["b"]]},
)
_add(
    "both outcomes count",
    "A start is allowed when one of the outcomes of a chance success, or one of the possible ends, "
    "is not fatal.",
    """
    subtasks: {a: {success: 0.5}, b: {duration: {uniform: [1, 2]}}, c: {success: 0}, d: {deadline: 0}, e: {}}
    constraints: [G ~(done(a) | done(b) | done(c) | done(e))]
    horizon: 5
    """,
    [(["e"], {"refusals": ["constraint"]})],
    reset={"can": [["a", "b", "c"]]},
)
_add(
    "others that complete are seen",
    "What completes at the next tick counts in the letter: a start beside it that makes the letter fatal "
    "is refused.",
    "{agents: 2, subtasks: {a: {duration: 2}, b: {duration: 3}}, "
    "constraints: [G ~(done(a) & running(b))], goal: a & b}",
    [
        (["a", "-"], {"can": [[], []], "status": {"b": "locked"}}),
        (["-", "b"], {"refusals": [None, "constraint"]}),
    ],
    reset={"can": [["a", "b"]] * 2},
)
_add(
    "the letter on reset",
    "A letter is read on reset: a formula that it breaks is dead from the start, and nothing can start.",
    "{subtasks: {a: {}}, constraints: [started(a)], horizon: 9}",
    [(["a"], {"refusals": ["constraint"], "over": "terminated"})],
    reset={"dead": True, "status": {"a": "locked"}},
)
_add(
    "started since the tick before",
    "started(x) holds in one letter, that of the tick after the start; X asks for a next letter.",
    "{subtasks: {a: {duration: 3}, b: {}}, constraints: ['G (started(a) -> X ~started(a))', "
    "'X started(a)'], goal: a}",
    [(["a"], {"dead": False}), (WAIT, {"dead": False}), (WAIT, {"over": "terminated"})],
)
_add(
    "X asks for the next tick",
    "Where a formula asks for a start before the next tick, any other start is refused and a wait is fatal.",
    "{subtasks: {a: {duration: 5, attended: 0}, b: {duration: 5, attended: 0}}, "
    "constraints: [X started(a)], goal: a & b}",
    [
        (["b"], {"time": 1, "refusals": ["constraint"], "dead": True}),
    ],
    reset={"can": [["a"]]},
)
_add(
    "started across steps without time",
    "A start made in a step without time is in the letter of the tick after it, and in the look ahead.",
    "{subtasks: {a: {duration: 5, attended: 0}, b: {duration: 5, attended: 0}}, "
    "constraints: [X started(a)], goal: a & b}",
    [
        (["a"], {"time": 0, "can": [["b"]]}),
        (["b"], {"time": 0, "refusals": [None], "dead": False}),
        (WAIT, {"time": 1, "dead": False}),
        (WAIT, {"time": 2, "dead": False}),
    ],
)
_add(
    "only this start is added",
    "A start that would be fine only together with another is refused: the letter adds this start alone.",
    "{agents: 2, subtasks: {a: {duration: 5}, b: {duration: 5}}, "
    "constraints: ['WX (started(a) -> started(b))'], goal: a & b}",
    [(["a", "b"], {"time": 1, "refusals": ["constraint", None]})],
    reset={"can": [["b"]] * 2},
)
_add(
    "automata must accept",
    "The goal holds only while every automaton accepts.",
    "{subtasks: {a: {}, b: {}}, constraints: [F done(b)], goal: a}",
    [(["a"], {"over": None}), (["b"], {"over": "terminated", "success": True})],
)
_add(
    "a dead end of automata",
    "Once an automaton is dead nothing starts any more, "
    "and a task without a goal ends when what runs has ended.",
    "{subtasks: {a: {duration: 3, attended: 1}, b: {}, c: {}}, constraints: [X started(b)], horizon: 20}",
    [(WAIT, {"dead": True, "over": "terminated"})],
    reset={"can": [["b"]]},
)
_add(
    "a dead end while something runs",
    "With a dead automaton what runs goes on to its end, and only then does a task without a goal end.",
    "{agents: 2, subtasks: {a: {duration: 3, reward: 1}, b: {}}, constraints: [X X started(b)], horizon: 20}",
    [
        (["a", "-"], {"dead": False}),
        (["-", "-"], {"dead": True, "over": None, "can": [[], []]}),
        (["-", "b"], {"refusals": [None, "constraint"], "time": 3, "reward": 1, "over": "terminated"}),
    ],
)
_add(
    "weak next and until",
    "WX asks nothing at the end of the trace; U binds tighter than & and leans to the right.",
    "{subtasks: {a: {}, b: {}}, constraints: ['~done(b) U done(a) & G (done(a) -> WX done(b))'], goal: a}",
    [(["b"], {"refusals": ["constraint"]}), (["a"], {"over": "terminated", "success": True})],
    reset={"can": [["a"]]},
)

# --- The end without a goal

_add(
    "nothing left",
    "Without a goal the episode ends when nothing runs, can start, or could later by waiting.",
    "{subtasks: {a: {}}}",
    [(["a"], {"over": "terminated", "success": False})],
)
_add(
    "a release to wait for",
    "A release, a lag, an agent down or an event that waiting would bring keeps the episode open.",
    "{subtasks: {a: {}, b: {release: 3}, c: {lags: {b: {min: 2}}}}, events: [{at: 8, appear: c}]}",
    [
        (["a"], {"over": None}),
        (WAIT, {}),
        (WAIT, {"time": 3}),
        (["b"], {"over": None, "time": 4}),
        (WAIT, {"over": None}),
        (WAIT, {"over": None}),
    ],
)
_add(
    "spoiling to wait for",
    "Waiting counts with spoiling: what a spoiled predecessor opens keeps the episode open, "
    "beyond the horizon too.",
    "{horizon: 3, subtasks: {a: {attempts: 1}, b: {lags: {a: {max: 5}}, needs: c}, c: {needs: ~a, "
    "release: 2}}}",
    [(["a"], {"over": None}), (WAIT, {"over": None}), (WAIT, {"over": "truncated"})],
)
_add(
    "a deadline passes by waiting",
    "Waiting counts with closing: what will be closed by its release keeps nothing open.",
    "{subtasks: {a: {}, b: {release: 4, deadline: 4}}}",
    [(["a"], {"over": "terminated"})],
)

# --- The clocks

_add(
    "decision clock",
    "Under the decision clock the clock runs on until an idle agent can start something.",
    "{subtasks: {a: {duration: 4, reward: 1}, b: {needs: a, release: 6}}, goal: b}",
    [
        (["a"], {"time": 6, "elapsed": 6, "reward": 1, "can": [["b"]]}),
        (["b"], {"time": 7, "elapsed": 1, "over": "terminated"}),
    ],
    clock="decision",
)
_add(
    "decision clock and a choice to wait",
    "A wait under the decision clock takes one tick where something can start, a refused start too.",
    "{subtasks: {a: {duration: 4}, b: {needs: a}}, goal: b}",
    [(WAIT, {"time": 1, "elapsed": 1}), (["b"], {"time": 2, "refusals": ["dependency"]})],
    clock="decision",
)
_add(
    "decision clock in a step without time",
    "After a start with attended 0 the clock runs on at once if no idle agent can start anything.",
    "{subtasks: {a: {duration: 4, attended: 0}, b: {needs: a}}, goal: b}",
    [(["a"], {"time": 4, "elapsed": 4, "can": [["b"]]})],
    clock="decision",
)
_add(
    "decision clock without a horizon",
    "Without a horizon it stops when nothing runs and waiting would never let anything start.",
    "{subtasks: {a: {attempts: 1, success: 0, duration: 2}}, goal: a}",
    [(["a"], {"time": 2, "over": None}), (WAIT, {"time": 3, "elapsed": 1, "over": None})],
    clock="decision",
)
_add(
    "decision clock and a goal by waiting",
    "Without a horizon it runs on while waiting alone would bring the goal.",
    "{subtasks: {a: {attempts: 1}, c: {}}, goal: c & ~a, events: [{at: 5, undo: a}]}",
    [(["a"], {"time": 1}), (["c"], {"time": 5, "over": "terminated", "elapsed": 4})],
    clock="decision",
)
_add(
    "decision clock at the horizon",
    "With a horizon and nothing left to start the clock runs on to the horizon.",
    "{horizon: 7, subtasks: {a: {attempts: 1, success: 0, duration: 2}}, goal: a}",
    [(["a"], {"time": 7, "over": "truncated"})],
    clock="decision",
)
_add(
    "event clock",
    "Under the event clock a wait lasts until something differs, a start until some agent is idle.",
    "{subtasks: {a: {duration: 5, attended: 2}, b: {release: 7}, c: {}}, goal: b}",
    [
        (["a"], {"time": 2, "elapsed": 2, "can": [["c"]]}),
        (WAIT, {"time": 5, "elapsed": 3, "status": {"a": "done"}}),
        (WAIT, {"time": 7, "elapsed": 2, "can": [["b", "c"]]}),
    ],
    clock="event",
)
_add(
    "event clock and a start that leaves no trace",
    "After an accepted start the step ends when an agent is idle, even if all looks as before.",
    "{subtasks: {a: {repeatable: true, reward: 1}, b: {needs: a & ~a}}, goal: b, horizon: 9}",
    [(["a"], {"time": 1}), (["a"], {"time": 2, "elapsed": 1, "reward": 1})],
    clock="event",
)
_add(
    "event clock after a refusal",
    "A refused start counts as a wait under the event clock too.",
    "{subtasks: {a: {release: 4}, c: {}}, goal: a}",
    [(["a"], {"time": 4, "refusals": ["too_early"]})],
    clock="event",
)
_add(
    "event clock without a horizon",
    "Without a horizon a wait that would never bring a change lasts one tick.",
    "{subtasks: {a: {}, b: {needs: a}}, goal: b}",
    [(WAIT, {"time": 1, "elapsed": 1}), (WAIT, {"time": 2})],
    clock="event",
)
_add(
    "event clock and stock",
    "A change of the stock, or of free capacity, ends a wait under the event clock.",
    "{items: {i: 0}, resources: {r: 1}, subtasks: {a: {}}, goal: a, horizon: 9, events: [{at: 3, "
    "stock: {i: 1}}, {at: 5, capacity: {r: 2}}]}",
    [(WAIT, {"time": 3}), (WAIT, {"time": 5}), (WAIT, {"time": 9, "over": "truncated"})],
    clock="event",
)
_add(
    "event clock and a second agent",
    "After an accepted start the step ends at once where another agent is idle.",
    "{agents: 2, subtasks: {a: {duration: 5}, b: {needs: a}}, goal: b}",
    [(["a", "-"], {"time": 1}), (["-", "-"], {"time": 5, "elapsed": 4})],
    clock="event",
)

# --- Tardiness

_add(
    "tardiness",
    "Weighted tardiness is counted from the first success, 0 before it and whatever is undone later.",
    "{horizon: 9, subtasks: {a: {due: 1, weight: 2, duration: 3}, b: {due: 8}}, events: [{at: 4, undo: a}]}",
    [
        (["a"], {"tardiness": 0}),
        (WAIT, {"tardiness": 0}),
        (WAIT, {"time": 3, "tardiness": 4}),
        (WAIT, {"time": 4, "tardiness": 4, "status": {"a": "eligible"}}),
        (["a"], {"time": 5}),
        (WAIT, {}),
        (WAIT, {"time": 7, "tardiness": 4}),
    ],
)
_add(
    "tardiness at the end",
    "At the end the horizon stands for what never succeeded, also where the goal was reached.",
    "{horizon: 9, subtasks: {a: {}, b: {due: 4, weight: 0.5}}, goal: a}",
    [(["a"], {"over": "terminated", "tardiness": 2.5})],
)
_add(
    "tardiness and a choice",
    "What has not succeeded counts 0 at the end where another branch of a choice is done.",
    "{horizon: 9, subtasks: {a: {}, b: {due: 4}, c: {due: 5}}, tasks: {t: {choice: [a, b]}}, goal: t}",
    [(["a"], {"over": "terminated", "tardiness": 4})],
)
_add(
    "tardiness of modes",
    "Modes of one subtask count once, for the first of them to succeed.",
    "{horizon: 9, subtasks: {x: {due: 1, modes: {p: {duration: 3}, q: {}}}}, goal: x}",
    [(["x [p]"], {}), (WAIT, {"tardiness": 0}), (WAIT, {"time": 3, "tardiness": 2, "over": "terminated"})],
)
