"""A naive second implementation of the grid's rules, written from the words of ``docs/worlds.md``.

It shares with the package only the documented generator of draws. What the task graph says
(which starts it lets an agent make, what became of them) comes from outside: the class knows
the place alone. Cells are dictionary keys, kinds are names, and everything is looked up anew.
"""

from __future__ import annotations

from typing import Any

from stratagym.envs.rng import WORLD, draw, draw_below, threshold

WAIT, BUSY, REFUSED = "wait", "busy", "world"
STEPS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}

Cell = tuple[int, int]


class ReferenceGrid:
    """One grid in an episode.

    Args:
        scene: the mapping.
        subtasks: names, in order.
        agents: how many.
        joint: subtask -> how many agents it needs.
        stock: item -> amount at reset.
        needs: subtask -> item -> amount that must be owned at a start.
        takes: subtask -> item -> amount.
        makes: subtask -> item -> amount.
        seed: of the episode.
    """

    def __init__(
        self,
        scene: dict[str, Any],
        subtasks: list[str],
        agents: int,
        joint: dict[str, int],
        stock: dict[str, int],
        needs: dict[str, dict[str, int]],
        takes: dict[str, dict[str, int]],
        makes: dict[str, dict[str, int]],
        seed: int,
    ) -> None:
        self.scene, self.subtasks, self.agents, self.joint, self.seed = scene, subtasks, agents, joint, seed
        self.needs, self.takes, self.makes = needs, takes, makes
        self.items = list(stock)
        rows = scene["map"]
        self.cells = [(x, y) for y in range(len(rows)) for x in range(len(rows[0]))]
        self.width = len(rows[0])
        self.fixture: dict[Cell, str] = {}
        self.thing: dict[Cell, str] = {}
        at: dict[int, Cell] = {}
        for x, y in self.cells:
            entry = scene.get("legend", {}).get(
                rows[y][x], {".": "floor", " ": "floor", "#": "wall"}.get(rows[y][x])
            )
            entry = {"fixture": entry} if isinstance(entry, str) else entry
            self.fixture[x, y] = entry.get("fixture", "floor")
            self.thing[x, y] = entry.get("thing", "none")
            if "body" in entry:
                at[entry["body"]] = (x, y)
        for name, places in scene.get("objects", {}).items():
            for x, y in places:
                self.thing[x, y] = name
        listed = scene.get("bodies", []) + [{}] * agents
        self.at = [at[a] if a in at else tuple(listed[a]["at"]) for a in range(agents)]
        self.facing = [listed[a].get("facing", "down") for a in range(agents)]
        self.hand = [listed[a].get("hand", "none") for a in range(agents)]
        self.pace = [listed[a].get("pace", 1) for a in range(agents)]
        self.own = [{item: listed[a].get("stock", {}).get(item, 0) for item in stock} for a in range(agents)]
        for item, amount in stock.items():
            self.own[0][item] += amount - sum(own[item] for own in self.own)
        self.free_at = [0] * agents
        self.word: list[int | None] = [None] * agents
        vitals = {name: every for name, every in scene.get("vitals", {}).items() if name != "health"}
        self.every = vitals
        self.vitals = [dict.fromkeys(["health", *vitals], 9) for _ in range(agents)]
        self.down = [False] * agents
        self.runs: dict[str, tuple[dict[str, Any], Cell | None, int]] = {}  # latest: rule, cell, body
        self.running: set[str] = set()
        self.due = [self.moment(e, k) for k, e in enumerate(scene.get("events", []))]
        self.hidden: set[str] = set()  # subtasks that have not appeared yet
        self.told: list[tuple[int, str, str | int, int]] = []
        self.actions = self.all_actions()

    def moment(self, event: dict[str, Any], k: int) -> int | None:
        """Return the tick of an event of the place."""
        if isinstance(event["at"], int):
            return int(event["at"])
        lo, hi = event["at"]["uniform"]
        return int(lo) + draw_below(hi - lo + 1, self.seed, WORLD, k, 0)

    def all_actions(self) -> list[tuple[str, Any]]:
        """Return the actions in their order; the last waits."""
        found: list[tuple[str, Any]] = [("move", d) for d in STEPS]
        if self.scene.get("hands"):
            found.append(("carry", None))
        found += [("verb", verb) for verb in self.verbs()]
        if self.scene.get("share"):
            found += [("share", item) for item in self.items]
        found += [("say", k) for k in range(self.scene.get("messages", 0))]
        return [*found, ("wait", None)]

    def verbs(self) -> list[str]:
        """Return the verbs."""
        return list(self.scene.get("verbs", ["interact"]))

    # ---------------------------------------------------------- what things are like

    def of_fixture(self, name: str, flag: str) -> bool:
        """Return whether a fixture has a property."""
        declared = self.scene.get("fixtures", {})
        if name not in declared and name.startswith(("blocked ", "locked ")):
            return flag == "solid"
        own = dict(declared.get(name, {}))
        for key, value in declared.get(own.get("looks"), {}).items():
            own.setdefault(key, value)
        if name == "floor":
            own.setdefault("holds", True)
        if name == "wall":
            own.setdefault("solid", True)
        if flag == "holds" and own.get("swallows"):
            return False
        return bool(own.get(flag, False))

    def of_thing(self, name: str, key: str) -> Any:
        """Return a property of a thing."""
        if name == "none":
            return False
        declared = self.scene["things"]
        own = dict(declared[name])
        for other, value in declared.get(own.get("looks"), {}).items():
            own.setdefault(other, value)
        return own.get(key, key == "solid" and self.scene.get("reach", "front") == "front")

    def named(self, wanted: Any, name: str, kinds: str) -> bool:
        """Return whether a name, or its look, is what a rule asks for."""
        if wanted is None:
            return True
        wanted = [wanted] if isinstance(wanted, str) else wanted
        look = self.scene.get(kinds, {}).get(name, {}).get("looks", name)
        return name in wanted or look in wanted

    def body_at(self, cell: Cell) -> int | None:
        """Return who is in a cell and in the way."""
        return next((a for a in range(self.agents) if self.at[a] == cell and not self.down[a]), None)

    def busy(self, cell: Cell) -> bool:
        """Return whether a run is going on in a cell."""
        return any(self.runs[name][1] == cell for name in self.running)

    def target(self, a: int) -> Cell:
        """Return the cell that a body acts on."""
        x, y = self.at[a]
        if self.scene.get("reach", "front") == "here":
            return x, y
        dx, dy = STEPS[self.facing[a]]
        return x + dx, y + dy

    # ---------------------------------------------------------- attempts

    def on_the_spot(self, rule: dict[str, Any]) -> bool:
        """Return whether a rule says nothing of a site."""
        effects = [rule.get(moment, {}) for moment in ("start", "success", "failure", "undone")]
        site = any("fixture" in effect or "thing" in effect for effect in effects)
        return "at" not in rule and "thing" not in rule and not site

    def fitting(self, a: int, verb: str, cell: Cell) -> list[tuple[str, dict[str, Any]]]:
        """Return all (subtask, rule) that a body could mean by a verb at a cell, in order."""
        found = []
        for name in self.subtasks:
            rules = [] if name in self.hidden else self.scene["rules"][name]
            for rule in rules if isinstance(rules, list) else [rules]:
                if rule.get("verb", self.verbs()[0]) == verb and self.fits(a, name, rule, cell):
                    found.append((name, rule))
        return found

    def fits(self, a: int, name: str, rule: dict[str, Any], cell: Cell) -> bool:
        """Return whether a rule fits a body at a cell."""
        if not self.on_the_spot(rule):
            if cell not in self.fixture or self.busy(cell):
                return False
            if not self.named(rule.get("at"), self.fixture[cell], "fixtures"):
                return False
            if not self.named(rule.get("thing"), self.thing[cell], "things"):
                return False
        if not self.named(rule.get("hand"), self.hand[a], "things"):
            return False
        if self.scene.get("inventory"):
            for item, amount in self.needs[name].items():
                if self.own[a][item] < amount:
                    return False
        near = rule.get("near", [])
        x, y = self.at[a]
        around = [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        return all(
            any(c in self.fixture and self.named(wanted, self.fixture[c], "fixtures") for c in around)
            for wanted in ([near] if isinstance(near, str) else near)
        )

    def ready(self, a: int, clock: int, idle: list[bool]) -> bool:
        """Return whether a body can do something now."""
        return idle[a] and self.free_at[a] <= clock

    def mask(self, a: int, clock: int, idle: list[bool], can: list[list[int]]) -> list[int]:
        """Return which actions a body could take, were it served first.

        Args:
            a: the body.
            clock: the tick.
            idle: of each agent, whether it may be given something to do.
            can: of each agent, for each subtask, whether the graph lets it start.
        """
        return [
            int(kind == "wait" or (self.ready(a, clock, idle) and self.possible(a, kind, what, can)))
            for kind, what in self.actions
        ]

    def possible(self, a: int, kind: str, what: Any, can: list[list[int]]) -> bool:
        """Return whether an action does something."""
        if kind == "carry":
            return self.can_carry(a)
        if kind == "verb":
            fitting = self.fitting(a, what, self.target(a))
            return any(can[a][self.subtasks.index(name)] for name, _ in fitting)
        if kind == "share":
            return self.own[a][what] > 0 and self.taker(a) is not None
        return True

    def can_carry(self, a: int) -> bool:
        """Return whether a body could pick up or put down."""
        cell, held = self.target(a), self.hand[a]
        if cell not in self.fixture or self.busy(cell):
            return False
        holds = self.of_fixture(self.fixture[cell], "holds")
        if held == "none":
            return holds and bool(self.of_thing(self.thing[cell], "carry"))
        if not self.of_thing(held, "carry"):
            return False
        if self.of_fixture(self.fixture[cell], "swallows"):
            return True
        in_the_way = self.of_thing(held, "solid") and self.body_at(cell) is not None
        return holds and self.thing[cell] == "none" and not in_the_way

    def taker(self, a: int) -> int | None:
        """Return the nearest other body that is not down; of several the first."""
        others = [b for b in range(self.agents) if b != a and not self.down[b]]
        x, y = self.at[a]
        return min(others, key=lambda b: (abs(self.at[b][0] - x) + abs(self.at[b][1] - y), b), default=None)

    # ---------------------------------------------------------- a step

    def act(self, actions: list[int], clock: int, idle: list[bool], can: list[list[int]]) -> list[str]:
        """Serve the bodies; return of each the subtask that it attempts, or WAIT, BUSY or REFUSED."""
        self.aims: dict[int, tuple[str, dict[str, Any], Cell | None]] = {}
        self.clock = clock
        return [self.serve(a, *self.actions[k], clock, idle, can) for a, k in enumerate(actions)]

    def serve(self, a: int, kind: str, what: Any, clock: int, idle: list[bool], can: list[list[int]]) -> str:
        """Serve one body."""
        if kind == "wait":
            return WAIT
        if not self.ready(a, clock, idle):
            return BUSY
        if kind == "verb":
            return self.attempt(a, what, can)
        if kind == "move":
            self.walk(a, what, clock)
            return WAIT
        if not self.possible(a, kind, what, can):
            return REFUSED
        if kind == "carry":
            cell, held = self.target(a), self.hand[a]
            if self.claim(cell, can) is not None:
                return REFUSED
            if held == "none":
                self.hand[a], self.thing[cell] = self.thing[cell], "none"
            else:
                self.hand[a] = "none"
                if not self.of_fixture(self.fixture[cell], "swallows"):
                    self.thing[cell] = held
        elif kind == "share":
            self.own[a][what] -= 1
            self.own[self.taker(a) or 0][what] += 1
        else:
            self.word[a] = what
        self.free_at[a] = clock + 1
        return WAIT

    def walk(self, a: int, direction: str, clock: int) -> None:
        """Turn a body and move it on if it can enter the next cell."""
        self.facing[a] = direction
        x, y = self.at[a]
        there = x + STEPS[direction][0], y + STEPS[direction][1]
        self.free_at[a] = clock + 1
        if there not in self.fixture or self.of_fixture(self.fixture[there], "solid"):
            return
        if self.of_thing(self.thing[there], "solid") or self.body_at(there) is not None:
            return
        self.at[a], self.free_at[a] = there, clock + self.pace[a]

    def claim(self, cell: Cell, can: list[list[int]]) -> str | None:
        """Return for what an earlier body of this step has claimed a cell."""
        for b, (name, _, aim) in self.aims.items():
            if aim == cell and can[b][self.subtasks.index(name)]:
                return name
        return None

    def attempt(self, a: int, verb: str, can: list[list[int]]) -> str:
        """Return what a body attempts."""
        cell = self.target(a)
        fitting = self.fitting(a, verb, cell)
        if not fitting:
            return REFUSED
        single = {name for name, _, _ in self.aims.values() if self.joint[name] == 1}

        def choice(options: list[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
            startable = [o for o in options if can[a][self.subtasks.index(o[0])]]
            fresh = [o for o in startable if o[0] not in single]
            return (fresh or startable or options)[0]

        name, rule = choice(fitting)
        if not self.on_the_spot(rule):
            claimed = self.claim(cell, can)
            if claimed is not None:
                fitting = [option for option in fitting if option[0] == claimed]
                if self.joint[claimed] == 1 or not fitting:
                    return REFUSED
                name, rule = choice(fitting)
        aim = None if self.on_the_spot(rule) else cell
        if self.joint[name] > 1 and aim is not None:
            # (a body that attempts it on the spot aims at its own cell)
            for b, (other, _, place) in self.aims.items():
                if other == name and (self.at[b] if place is None else place) != aim:
                    return REFUSED
        self.aims[a] = name, rule, aim
        return name

    def begun(self, name: str, a: int) -> None:
        """Take in that body ``a`` has started a subtask."""
        _, rule, cell = self.aims[a]
        self.runs[name] = rule, cell, a
        self.running.add(name)
        for item, amount in self.takes[name].items() if self.scene.get("inventory") else ():
            self.own[a][item] -= amount
        self.affect(name, "start", True)

    def ended(self, name: str, moment: str) -> None:
        """Take in that a run has succeeded or failed."""
        self.running.discard(name)
        for item, amount in self.makes[name].items() if self.scene.get("inventory") else ():
            self.own[self.runs[name][2]][item] += amount if moment == "success" else 0
        self.affect(name, moment, True)

    def undone(self, name: str) -> None:
        """Take in that a subtask was undone."""
        if name in self.running or name not in self.runs:
            return
        rule, cell, _ = self.runs[name]
        left = rule.get("success", {})
        same = cell is not None and not self.busy(cell)
        if cell is not None:
            same = same and left.get("fixture", self.fixture[cell]) == self.fixture[cell]
            same = same and left.get("thing", self.thing[cell]) == self.thing[cell]
        self.affect(name, "undone", same)

    def affect(self, name: str, moment: str, site: bool) -> None:
        """Apply an effect of the latest run of a subtask."""
        rule, cell, a = self.runs[name]
        effect = rule.get(moment, {})
        if site and cell is not None:
            self.fixture[cell] = effect.get("fixture", self.fixture[cell])
            self.thing[cell] = effect.get("thing", self.thing[cell])
        self.hand[a] = effect.get("hand", self.hand[a])
        for vital, amount in effect.get("restore", {}).items():
            self.vitals[a][vital] = min(9, self.vitals[a][vital] + amount)
        turns = effect.get("turn", {})

        def become(thing: str) -> str:
            return next(
                (new for old, new in turns.items() if thing != "none" and self.named(old, thing, "things")),
                thing,
            )

        self.thing = {c: become(thing) for c, thing in self.thing.items()}
        self.hand = [become(thing) for thing in self.hand]

    def settle(self, item: str, total: int) -> None:
        """Share out an item after an event has changed how much there is."""
        if not self.scene.get("inventory"):
            return
        more = total - sum(own[item] for own in self.own)
        self.own[0][item] += max(0, more)
        for own in self.own:
            less = min(own[item], max(0, -more))
            own[item] -= less
            more += less

    # ---------------------------------------------------------- by itself

    def pass_tick(self, now: int) -> None:
        """Let the place go on by itself to the tick ``now``."""
        for k, event in enumerate(self.scene.get("events", [])):
            due = self.due[k]
            if due is not None and due <= now and self.happens(event, now):
                self.due[k] = None
        movers = [c for c in self.cells if self.of_thing(self.thing[c], "moves")]
        for cell in movers:
            self.wander(cell, now)
        for a in range(self.agents if self.every else 0):
            self.live(a, now)

    def happens(self, event: dict[str, Any], now: int) -> bool:
        """Let an event of the place happen; return whether it is over."""
        kind = next(k for k in ("move", "lock", "unlock", "block", "clear") if k in event)
        cell = tuple(event["to"] if kind == "move" else event[kind])
        number = cell[0] + self.width * cell[1]
        if self.busy(cell):
            return False
        if kind == "move":
            thing = event["move"]
            places = [c for c in self.cells if self.thing[c] == thing and not self.busy(c)]
            empty = self.thing[cell] == "none" and self.body_at(cell) is None
            if not places or not empty or not self.of_fixture(self.fixture[cell], "holds"):
                return False
            self.thing[places[0]], self.thing[cell] = "none", thing
            self.told.append((now, kind, thing, number))
            return True
        old = self.fixture[cell]
        new = self.swap(kind, old)
        if new is None:
            return True
        if self.of_fixture(new, "solid") and self.body_at(cell) is not None:
            return False
        self.fixture[cell] = new
        self.told.append((now, kind, old if kind in ("lock", "block") else new, number))
        return True

    def swap(self, kind: str, old: str) -> str | None:
        """Return what a fixture becomes by an event, None if nothing."""
        prefix = {"lock": "locked ", "unlock": "locked ", "block": "blocked ", "clear": "blocked "}[kind]
        if kind in ("unlock", "clear"):
            return old[len(prefix) :] if old.startswith(prefix) else None
        if old.startswith(("locked ", "blocked ")) or self.of_fixture(old, "solid"):
            return None
        return prefix + old

    def wander(self, cell: Cell, now: int) -> None:
        """Let the thing in a cell move, by its draws."""
        thing, number = self.thing[cell], cell[0] + self.width * cell[1]
        chance = draw(self.seed, WORLD, 2 * number, now) < threshold(self.of_thing(thing, "moves"))
        if self.busy(cell) or not chance:
            return
        x, y = cell
        free = []
        for dx, dy in STEPS.values():
            there = (x + dx, y + dy)
            if there not in self.fixture or self.thing[there] != "none" or self.busy(there):
                continue
            if not self.of_fixture(self.fixture[there], "holds"):
                continue
            if self.of_thing(thing, "solid") and self.body_at(there) is not None:
                continue
            free.append(there)
        if free:
            there = free[draw_below(len(free), self.seed, WORLD, 2 * number + 1, now)]
            self.thing[cell], self.thing[there] = "none", thing

    def live(self, a: int, now: int) -> None:
        """Let a body's vitals drop."""
        vitals = self.vitals[a]
        if vitals["health"] == 0:
            return
        for name, every in self.every.items():
            if now % every == 0:
                vitals[name] = max(0, vitals[name] - 1)
        if now % self.scene["vitals"].get("health", 10) == 0:
            if all(vitals[name] > 0 for name in self.every):
                vitals["health"] = min(9, vitals["health"] + 1)
            else:
                vitals["health"] -= 1
                self.told.append((now, "harm", a, self.at[a][0] + self.width * self.at[a][1]))
                self.down[a] = vitals["health"] == 0
