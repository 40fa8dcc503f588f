"""How a task and a lane lie in memory: a name for every number.

Owns the positions and the records ``Dims`` and ``Memory``. It holds no rule:
``compile`` fills tasks, ``kernel`` moves lanes. All numbers are module constants,
which numba folds into the code.

A task is one row of integers ``t`` and one row of 64-bit words ``tb``; the state of a
lane is ``s`` and ``sb``; a world's own part stands behind the task's in ``t`` and ``s``;
the room that a thread works in is ``x`` and ``xb``. The interpreter works on lists,
compiled code on arrays of int32 and uint64. Bit sets are rows of W words; *row r* of
``tb`` starts at word ``r * W``. Lists inside ``t`` are referred to by position.

Letters in shapes: N subtasks, G gates, W words of 64 subtasks, A agents, L levels
(free capacity of the resources, then stock of the items), E events, C constraints.
"""

from __future__ import annotations

from typing import NamedTuple

from stratagym.envs.rng import Word as Word

Ints = list[int]
"""A list of integers, or an array of int32."""
Words = list[int]
"""A list of words, or an array of uint64."""
Floats = list[float]
"""A list of floats, or an array of float64."""
Flags = list[int]
"""A list of 0 and 1, or an array of int8."""
Bytes = list[int]
"""A list of integers 0..255, or an array of uint8."""
IntRows = list[list[int]]
WordRows = list[list[int]]
FloatRows = list[list[float]]
FlagRows = list[list[int]]
ByteRows = list[list[int]]
"""Lists of such lists, or arrays with one axis more."""

FAR = 2**31 - 1
"""A tick that never comes; an amount without limit."""

NO_GOAL = -2
"""``T_GOAL`` of a task without a goal (-1 is the node that always holds)."""

# t[0:HEADS]: the task as a whole, and where its parts lie
(
    T_SUBTASKS,
    T_WIDE,  # N: subtasks in the padded shape; node N + g is gate g; action N waits
    T_WORDS,
    T_GATES,
    T_AGENTS,
    T_RESOURCES,  # in the padded shape: levels below it are resources
    T_LEVELS,
    T_HORIZON,
    T_GOAL,
    T_CHOICES,
    T_EVENTS,
    T_CONSTRAINTS,
    T_DUES,
    T_FRAGILE,  # whether anything can ever be lost (else dead ends need no look)
    T_WORK,  # sum of the work of all pay groups
    T_MOVING,  # whether an event may open again what is closed
    T_RELEASED,  # the last release
    T_ORDERED,  # how many nodes have to do with the goal
    P_ORDER,  # in t: those nodes, what they need before them as far as there is no cycle
    P_NODES,
    P_GATES,
    P_LEVELS,  # levels at reset, then the most that any subtask asks of each
    P_EVENTS,
    P_CHOICES,
    P_DUES,
    P_DFA,
    R_ABLE,  # row of tb: what agent 0 has the skill for; one row an agent
    R_MAKERS,  # row of tb: what makes item 0; one row an item
    R_USERS,  # row of tb: what asks for item 0; one row an item
    Q_GATES,  # in s
    Q_LEVELS,
    Q_AGENTS,
    Q_AUTOMATA,
    Q_EVENTS,
    QB_SEED,  # in sb
    QB_CREW,
    CREW_WORDS,
    X_REFUSALS,  # in x
    X_CAN,
    X_SUM,
    X_END,
    XB_DIRTY,  # in xb
    DIRTY_WORDS,
    S_LENGTH,
    SB_LENGTH,
    T_WORLD,  # in t: the world's table, behind the task
    Q_WORLD,  # in s: the world's part, behind the lane's
    HEADS,
) = range(48)

# t[HEADS + i * COLUMNS + column]: one subtask
(
    ATTENDED,  # ticks, FAR for the whole run
    NEEDS,  # node
    RELEASE,
    AGENTS,
    CHANCE_HIGH,  # probability threshold (0..2**32), upper 17 bits
    CHANCE_LOW,  # lower 16 bits
    ATTEMPTS,
    DUE,  # index of its due date, -1 for none
    PAY,  # first member of its pay group
    GROUP,  # row of tb with its pay group, -1 if it is alone
    WORK,  # expected duration, rounded; 0 for what the goal does not ask for
    LAGS,  # position and count of lag records
    LAG_COUNT,
    ASKS,  # pairs (level, amount) that must be there
    ASK_COUNT,
    TAKES,  # taken at the start
    TAKE_COUNT,
    BACKS,  # given back at completion
    BACK_COUNT,
    MAKES,  # appears on success
    MAKE_COUNT,
    SPOILS,  # positions of lag records by which it can spoil
    SPOIL_COUNT,
    DURATION0,  # position of its duration at reset
    DEADLINE0,
    COLUMNS,
) = range(26)

# a lag record
(LAG_OWNER, LAG_PREDS, LAG_PRED_COUNT, LAG_ORIGIN, LAG_MIN, LAG_MAX, LAG_SELF, LAG_SIZE) = range(8)
FROM_COMPLETION, FROM_START = 0, 1

# a duration record. fixed: A ticks; uniform: A to B; choice: B values at position A; world: A = FAR
(DUR_KIND, DUR_A, DUR_B, DUR_SHORTEST, DUR_SIZE) = range(5)
DUR_FIXED, DUR_UNIFORM, DUR_CHOICE, DUR_WORLD = range(4)

# a node record: edges (gate, +1 or -1) that read it, subtasks that need it
(NODE_EDGES, NODE_EDGE_COUNT, NODE_USERS, NODE_USER_COUNT, NODE_SIZE) = range(5)

# a gate record: threshold, true literals at reset; the most and the fewest that can hold as
# long as no other gate is known to be able to hold or to fail and no subtask is done
(GATE_COUNT, GATE_TRUE, GATE_MOST, GATE_FEWEST, GATE_SIZE) = range(5)

# an event record; pairs (target, amount), for durations the position of the new one
(EV_KIND, EV_LO, EV_HI, EV_PAIRS, EV_COUNT, EV_KNOWN, EV_SIZE) = range(7)
EVENT_KINDS = ("undo", "capacity", "stock", "agent", "duration", "deadline", "appear")
(X_UNDO, X_CAPACITY, X_STOCK, X_AGENT, X_DURATION, X_DEADLINE, X_APPEAR) = range(7)

# a choice record: row of tb with all members, first row of its branches, their done nodes
(CH_ALL, CH_BRANCH, CH_COUNT, CH_NODES, CH_SIZE) = range(5)

# a due date
(DUE_AT, DUE_MEMBERS, DUE_COUNT, DUE_SIZE) = range(4)

# a constraint: positions of its tables and atoms, row of tb with the subtasks it reads
(
    DFA_ATOMS,
    DFA_ATOM_COUNT,
    DFA_TABLE,
    DFA_ACCEPT,
    DFA_DEAD,
    DFA_RISK,
    DFA_INITIAL,
    DFA_INVOLVED,
    DFA_STATES,
    DFA_STARTED,  # the letter in which just the atoms about starts are true
    DFA_SIZE,
) = range(11)
# an atom: kind, and a node (done) or a row of tb (running, started)
ATOM_DONE, ATOM_RUNNING, ATOM_STARTED = range(3)

# rows of tb
(
    B_ALL,
    B_REPEATABLE,
    B_LAGGED,  # has lags
    B_STOCKED,  # asks for levels
    B_CHOSEN,  # under some choice
    B_DEADLINE,  # has a deadline, or may get one by an event
    B_SPOILABLE,
    B_FINAL,  # once it is done for good, something else may be out of reach: under a NOT or in a choice
    B_LIMITED,  # has a limited number of attempts
    B_HIDDEN,  # appears by an event
    B_LED,  # a lag counts from its success
    B_TRACED,  # a lag counts from its start
    B_VARIED,  # its duration may be replaced by an event
    B_UNDOABLE,  # may go back from done to undone
    B_JOINT,  # needs several agents
    B_STAFFED,  # there are enough agents with the skill
    B_READ,  # a formula reads something that depends on it
    B_RELEASED,  # has a release
    B_ROWS,
) = range(19)

# s[0:S_HEADS]
(
    CLOCK,
    NEXT,  # no rule but a letter can change anything at a tick before this one
    WAKE,  # no start becomes possible, or stops being so, by time alone before this one
    OVER,  # 0 running, 1 terminated, 2 truncated
    GOAL,  # whether the goal was reached
    DOOMED,  # whether some automaton is dead
    DEAD_END,
    HURT,  # whether something was lost since DEAD_END was judged
    STALE,  # whether the eligible set must be made afresh
    DONE_WORK,
    LETTERS_STILL,  # whether another letter like the last one changes no automaton
    RUNS,  # how many subtasks run
    TASK,  # row of the bank
    EPISODE,  # episodes since the seeded reset
    STEPS,
    BEFORE,  # the clock before the step
    COMING,  # tick of the next event
    JUDGE,  # nothing can spoil, close or open at a tick before this one
    LATE,  # whether a due date may have been missed by a success
    BAN,  # what formulas forbid must be worked out again from this tick on
    S_HEADS,
) = range(21)

# s[S_HEADS + i * S_COLUMNS + column]: one subtask; -1 for "not yet"
(START, PREVIOUS, END, SUCCEEDED, FIRST, STARTS, DEADLINE, DURATION, S_COLUMNS) = range(9)

# s[Q_AGENTS + a * AGENT_SIZE + column]
FREE_AT, DOWN_UNTIL, ATTENDS, AGENT_SIZE = range(4)

# rows of sb. STARTED: since the last letter; SPENT: no start left; MET: needs hold; OPEN: no choice forbids;
# BANNED: a formula forbids, as of the tick BAN; FAILING: its world has reported that the run fails
(
    RUNNING,
    DONE,
    STARTED,
    CLOSED,
    UNKNOWN,
    SPENT,
    PAID,
    MET,
    OPEN,
    ELIGIBLE,
    BANNED,
    FAILING,
    S_ROWS,
) = range(13)
# sb[QB_SEED]: seed of the episode; sb[QB_SEED + 1]: of the reset; sb[QB_CREW + i * CREW_WORDS]: who runs i

# rows of xb (marks), then at XB_DIRTY two sets of gates
MARK_A, MARK_B, X_ROWS = range(3)

# x[0] counts the event rows that follow: x[1 + k * EVENT_SIZE]
(E_TICK, E_KIND, E_WHAT, E_WHO, EVENT_SIZE) = range(5)
EVENT_WORDS = (
    "start",
    "success",
    "failure",
    "spoil",
    "close",
    "undo",
    "capacity",
    "stock",
    "agent",
    "duration",
    "deadline",
    "appear",
    "join",
    "move",
    "lock",
    "unlock",
    "block",
    "clear",
    "slip",
    "harm",
)
(E_START, E_SUCCESS, E_FAILURE, E_SPOIL, E_CLOSE, E_UNDO) = range(6)
(E_JOIN, E_MOVE, E_LOCK, E_UNLOCK, E_BLOCK, E_CLEAR, E_SLIP, E_HARM) = range(12, 20)
# E_UNDO + X_... is the row of an event of the task. E_JOIN: a further agent of the start before it.
# E_WHO: the agent of a start, whether a success was paid, the amount of an event.
# From E_MOVE on: events of the place. E_WHAT: the world's number of the thing, fixture or body;
# E_WHO: the number of the cell or the location, -1 for none.

# Refusals: 0 accepted, then view.REFUSALS in order
(
    NO_REFUSAL,
    UNKNOWN_REFUSAL,
    BUSY_REFUSAL,
    FINISHED_REFUSAL,
    DEPENDENCY_REFUSAL,
    EARLY_REFUSAL,
    LATE_REFUSAL,
    RESOURCE_REFUSAL,
    ITEM_REFUSAL,
    SKILL_REFUSAL,
    AGENTS_REFUSAL,
    CONSTRAINT_REFUSAL,
    WORLD_REFUSAL,
    WITHHELD_REFUSAL,
) = range(14)

# Status codes: view.STATUS in order
LOCKED_CODE, ELIGIBLE_CODE, FAILED_CODE, CLOSED_CODE, DONE_CODE, RUNNING_CODE = range(6)


class Memory(NamedTuple):
    """Everything that the rules read and write for one lane."""

    t: Ints  # the task
    tb: Words  # its bit sets
    s: Ints  # the lane
    sb: Words  # its bit sets, seeds and crews
    x: Ints  # scratch: events, refusals, sums
    xb: Words  # scratch: marks


class Dims(NamedTuple):
    """What the lanes of one bank have in common: the padded sizes, and the room that tasks take.

    ``ints`` and ``rows`` are the lengths of a task in ``t`` and ``tb``; the world's table of
    ``world_ints`` follows it in ``t``, ``world_state`` integers follow the lane in ``s``, and
    ``world_rows`` event rows are what a world can add in a step.
    """

    subtasks: int
    gates: int
    agents: int
    resources: int
    items: int
    events: int
    constraints: int
    ints: int
    rows: int
    world_ints: int = 0
    world_state: int = 0
    world_rows: int = 0

    @property
    def words(self) -> int:
        """How many 64-bit words hold one bit a subtask (W)."""
        return max(1, -(-self.subtasks // 64))

    @property
    def length(self) -> int:
        """How long a row of ``t`` is: the task and the world's table."""
        return self.ints + self.world_ints

    @property
    def levels(self) -> int:
        """Resources and items together (L)."""
        return self.resources + self.items

    @property
    def crew_words(self) -> int:
        """Words that name the agents of a run; none with one agent."""
        return 0 if self.agents <= 1 else -(-self.agents // 64)


def fixed_lengths(subtasks: int) -> tuple[int, int]:
    """Return how many integers of ``t`` and rows of ``tb`` stand before the lists that a task points to."""
    return HEADS + subtasks * COLUMNS, B_ROWS


def positions(d: Dims) -> dict[int, int]:
    """Return the part of a task's head that follows from the padded sizes alone."""
    n, w = d.subtasks, d.words
    gates = S_HEADS + n * S_COLUMNS
    levels = gates + d.gates
    agents = levels + d.levels
    automata = agents + d.agents * AGENT_SIZE
    events = automata + d.constraints
    seed = S_ROWS * w
    crew = seed + 2
    dirty = d.gates // 64 + 1
    # Without new starts a subtask ends, spoils, is undone and closes at most once in a
    # step, and once more for each event that names it.
    rows = 2 * d.agents + 4 * n + 3 * d.events * n + d.world_rows
    refusals = 1 + rows * EVENT_SIZE
    can = refusals + d.agents
    sums = can + 2 * d.gates
    return {
        T_WIDE: n,
        T_WORDS: w,
        T_RESOURCES: d.resources,
        T_LEVELS: d.levels,
        Q_GATES: gates,
        Q_LEVELS: levels,
        Q_AGENTS: agents,
        Q_AUTOMATA: automata,
        Q_EVENTS: events,
        S_LENGTH: events + d.events + d.world_state,
        QB_SEED: seed,
        QB_CREW: crew,
        CREW_WORDS: d.crew_words,
        SB_LENGTH: crew + n * d.crew_words,
        T_WORLD: d.ints,
        Q_WORLD: events + d.events,
        X_REFUSALS: refusals,
        X_CAN: can,
        X_SUM: sums,
        X_END: sums + 2 * d.gates,
        XB_DIRTY: X_ROWS * w,
        DIRTY_WORDS: dirty,
    }
