"""Play a task among places by the rules in the plainest way: the naive second implementation.

Owns the world (bodies, receptacles, hours, departures, events of the place) around the naive
task of ``reference``. Written from the description of the world in ``docs/worlds.md``; it
shares with the package only the documented generator of draws. Names, dictionaries and
lists throughout.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from reference import Reference
from stratagym.envs.rng import WORLD, draw_below

NOTHING = "nothing"


def listed(value: Any) -> list[str]:
    """Return one name or several as a list."""
    return [value] if isinstance(value, str) else list(value)


class PlacesReference:
    """One episode of a task among places, at reset when made.

    Attributes:
        graph: the naive task.
        places: names of the locations.
        at: body -> its location (where it is going, under way).
        arrives: body -> tick of its latest arrival.
        hand: body -> what it holds.
        words: body -> its latest word or None.
        fixture: receptacle -> what it is now.
        lies: receptacle -> how many of each thing lie in it.
        own: body -> its own stock; empty where stock is common.
        refusals: body -> why it was refused in the last step, or None.
        events: ``(tick, kind, name)`` of the last step.
    """

    def __init__(self, task: dict[str, Any], scene: dict[str, Any], seed: int, clock: str) -> None:
        """Read task and scene and reset."""
        self.graph = Reference(task, seed, "tick")
        self.scene, self.clock = scene, clock
        self.places = list(scene["locations"])
        self.receptacles: dict[str, str] = {}
        self.fixture: dict[str, str] = {}
        self.lies: dict[str, Counter[str]] = {}
        for place, fields in scene["locations"].items():
            for name, site in ((fields or {}).get("sites") or {}).items():
                self.receptacles[name] = place
                self.fixture[name] = (site or {}).get("fixture", name)
                self.lies[name] = Counter((site or {}).get("things", []))
        bodies = scene["bodies"]
        self.at = [body["at"] for body in bodies]
        self.arrives = [0 for _ in bodies]
        self.hand = [body.get("hand", NOTHING) for body in bodies]
        self.words: list[int | None] = [None for _ in bodies]
        self.things = list(scene.get("things", {}))
        self.own = [Counter(body.get("stock", {})) for body in bodies] if scene.get("inventory") else []
        if self.own and not any("stock" in body for body in bodies):
            self.own[0] = Counter(self.graph.items)
        self.runs: dict[str, dict[str, Any]] = {}
        self.occupied: dict[str, str] = {}
        self.ticks = [self._tick_of(k, event) for k, event in enumerate(scene.get("events", []))]
        self.refusals: list[str | None] = [None for _ in bodies]
        self.events: list[tuple[int, str, str]] = []

    def _tick_of(self, k: int, event: dict[str, Any]) -> int:
        if isinstance(event["at"], int):
            return int(event["at"])
        lo, hi = event["at"]["uniform"]
        return int(lo + draw_below(hi - lo + 1, self.graph.seed, WORLD, k, 0))

    # --- Actions

    def actions(self) -> list[tuple[str, str]]:
        """Return what a body can do, in the order of the numbers: kind and what it is about."""
        scene = self.scene
        found = [("go", place) for place in self.places] + [("do", name) for name in self.graph.names]
        if scene.get("hands"):
            found += [("take", thing) for thing in self.things]
            found += [("put", name) for name in self.receptacles]
        if any("turns" in (fixture or {}) for fixture in scene.get("fixtures", {}).values()):
            found += [("turn", name) for name in self.receptacles]
        if scene.get("share"):
            found += [("share", item) for item in self.graph.items]
        found += [("say", str(word)) for word in range(scene.get("messages", 0))]
        return [*found, ("wait", "")]

    def mask(self) -> list[list[int]]:
        """Return for each body 1 for each action that would be accepted now."""
        return [[int(self._allows(a, *action)) for action in self.actions()] for a in range(len(self.at))]

    def _allows(self, a: int, kind: str, what: str) -> bool:
        if kind == "wait":
            return True
        if not self.graph.is_idle(a):
            return False
        if kind == "do":
            asked = self.graph.task["subtasks"][what]["agents"]
            crew = [b for b in self.graph.able_agents(what) if self.way_to_do(b, what) is not None]
            crew = [b for b in crew if self.at[b] == self.at[a]]
            if a not in crew or (asked > 1 and len(crew) < asked):
                return False
            return self.graph.refusal(what, a, [a, *(b for b in crew if b != a)]) is None
        if kind == "go":
            return what != self.at[a] and self.way(self.at[a], what) is not None
        if kind == "take":
            return self._source(a, what) is not None
        if kind == "put":
            return (
                self.hand[a] != NOTHING and self._reaches(a, what) and self._fixture(what).get("holds", True)
            )
        if kind == "turn":
            return (
                self.at[a] == self.receptacles[what]
                and what not in self.occupied
                and "turns" in self._fixture(what)
            )
        if kind == "share":
            return self._partner(a, what) is not None
        return True

    def _fixture(self, receptacle: str) -> dict[str, Any]:
        fields = self.scene.get("fixtures", {}).get(self.fixture[receptacle])
        return fields or {}

    def _reaches(self, a: int, receptacle: str) -> bool:
        return (
            self.at[a] == self.receptacles[receptacle]
            and receptacle not in self.occupied
            and not self._fixture(receptacle).get("closed", False)
        )

    def _source(self, a: int, thing: str) -> str | None:
        if self.hand[a] != NOTHING or not (self.scene["things"][thing] or {}).get("carry", False):
            return None
        full = [r for r in self.receptacles if self._reaches(a, r) and self.lies[r][thing] > 0]
        return full[0] if full else None

    def _partner(self, a: int, item: str) -> int | None:
        if self.own[a][item] <= 0:
            return None
        here = [
            b
            for b in range(len(self.at))
            if b != a and self.at[b] == self.at[a] and self.arrives[b] <= self.graph.time
        ]
        return min(here, key=lambda b: (self.own[b][item], b), default=None)

    # --- Time and ways

    def way(self, here: str, there: str) -> int | None:
        """Return the ticks of the direct way, None if there is none now."""
        for one, other, *ticks in self.scene["ways"]:
            if {one, other} == {here, there} and here != there:
                found = ticks[0] if here == one else ticks[-1]
                return None if self._last({"block", "clear"}, {here, there}) == "block" else found
        return None

    def _last(self, kinds: set[str], names: set[str]) -> str | None:
        """Return the kind of the latest event of these kinds that names just these locations."""
        latest, found = -1, None
        for event, tick in zip(self.scene.get("events", []), self.ticks, strict=True):
            for kind in kinds & set(event):
                if set(listed(event[kind])) == names and latest <= tick <= self.graph.time:
                    latest, found = tick, kind
        return found

    def is_open(self, place: str, ticks: int) -> bool:
        """Return whether a location is open now, for so many ticks."""
        if self._last({"lock", "unlock"}, {place}) == "lock":
            return False
        hours = (self.scene["locations"][place] or {}).get("hours", [])
        day, now = self.scene.get("day"), self.graph.time
        needed = range(now, now + ticks)
        for opens, shuts in hours:
            if day is None and all(opens <= tick < shuts for tick in needed):
                return True
            if day is not None and any(
                all(opens + k * day <= tick < shuts + k * day for tick in needed)
                for k in range(-1, now // day + 1)
            ):
                return True
        return not hours

    # --- Attempts

    def way_to_do(self, a: int, name: str) -> tuple[dict[str, Any], str | None] | None:
        """Return the rule by which a body can attempt a subtask here and now, and its receptacle."""
        fields = self.graph.task["subtasks"][name]
        if self.own:
            for item, amount in [*fields["consumes"].items(), *fields["requires"].items()]:
                if self.own[a][item] < amount:
                    return None
        rules = self.scene["rules"][name]
        for rule in [rules] if isinstance(rules, dict) else rules:
            site = self._site(a, name, rule)
            if site is not False:
                return rule, site
        return None

    def _site(self, a: int, name: str, rule: dict[str, Any]) -> str | bool | None:
        """Return the receptacle for a rule, None if it needs none, False if it does not hold here and now."""
        here, now, day = self.at[a], self.graph.time, self.scene.get("day")
        effects = [rule.get(moment, {}) for moment in ("start", "success", "failure", "undone")]
        sited = any(key in rule for key in ("at", "thing")) or any(
            key in effect for effect in effects for key in ("fixture", "thing")
        )
        if "place" in rule and here not in listed(rule["place"]):
            return False
        if rule.get("departs") and (now if day is None else now % day) not in rule["departs"]:
            return False
        if "hand" in rule:
            wanted = [NOTHING if thing == "none" else thing for thing in listed(rule["hand"])]
            if self.hand[a] not in wanted:
                return False
        for fixture in listed(rule.get("near", [])):
            if not any(p == here and self.fixture[r] == fixture for r, p in self.receptacles.items()):
                return False
        if sited or "place" in rule or "near" in rule:
            fields = self.graph.task["subtasks"][name]
            need = min(self.graph.possible_durations(name))
            if fields["attended"] is not None:
                need = min(need, fields["attended"])
            if not self.is_open(here, max(1, need)):
                return False
        if not sited:
            return None
        fitting = [r for r in self.receptacles if self._fits(r, here, name, rule)]
        return fitting[0] if fitting else False

    def _fits(self, receptacle: str, here: str, name: str, rule: dict[str, Any]) -> bool:
        if self.receptacles[receptacle] != here or self.occupied.get(receptacle, name) != name:
            return False
        if receptacle in self.occupied and name in self.graph.running:
            return False
        if "at" in rule and self.fixture[receptacle] not in listed(rule["at"]):
            return False
        return self._thing(receptacle, rule) is not None

    def _thing(self, receptacle: str, rule: dict[str, Any]) -> str | None:
        """Return the thing that a rule is about, ``nothing`` if about none, None if it does not fit."""
        if "thing" not in rule:
            return NOTHING
        wanted = listed(rule["thing"])
        for thing in self.things:
            if thing in wanted and self.lies[receptacle][thing] > 0:
                return thing
        return NOTHING if "none" in wanted and not +self.lies[receptacle] else None

    # --- A step

    def step(self, actions: list[int]) -> None:
        """Take one step; an action is the place of what is wanted in ``actions()``."""
        graph, names = self.graph, self.actions()
        graph.events, graph.reward, self.events = [], 0.0, []
        attempts = [len(graph.names) for _ in actions]
        plans: dict[int, tuple[dict[str, Any], str | None]] = {}
        refused: dict[int, str] = {}
        reserved: dict[str, str] = {}
        for a, number in enumerate(actions):
            kind, what = names[number]
            if kind == "wait":
                continue
            if not graph.is_idle(a):
                if kind == "do":
                    attempts[a] = graph.names.index(what)
                else:
                    refused[a] = "busy"
            elif kind == "do":
                plan = self.way_to_do(a, what)
                if plan is None and what not in graph.running:
                    refused[a] = "world"
                    continue
                attempts[a] = graph.names.index(what)
                if plan is not None:
                    plans[a] = plan
                    everybody = list(range(len(actions)))
                    if plan[1] is not None and graph.refusal(what, a, [a, *everybody * 99]) is None:
                        reserved[plan[1]] = what
                        self.occupied[plan[1]] = what
            elif self._allows(a, kind, what):
                self._do(a, kind, what)
            else:
                refused[a] = "world"
        for name in graph.names:
            if graph.task["subtasks"][name]["agents"] > 1:
                named = [
                    a for a in range(len(actions)) if graph.names[attempts[a] : attempts[a] + 1] == [name]
                ]
                named = [a for a in named if graph.is_idle(a)]
                able = [a for a in named if graph.has_skill(a, name)]
                for a in named:
                    if able and a > able[0] and self.at[a] != self.at[able[0]]:
                        attempts[a], refused[a] = len(graph.names), "world"
        for receptacle in reserved:
            del self.occupied[receptacle]
        accepted = graph._start_all(attempts)
        self.refusals = [refused.get(a, graph.refusals[a]) for a in range(len(actions))]
        graph.last_start_of_earlier_steps = dict(graph.last_start)
        for name in accepted:
            crew = [a for a, i in enumerate(attempts) if graph.names[i : i + 1] == [name]]
            crew = [a for a in crew if self.refusals[a] is None]
            self._begin(name, crew, plans[crew[0]])
        if any(graph.task["subtasks"][name]["attended"] == 0 for name in accepted):
            graph._advance(0)
            self._take_in()
        else:
            self._pass()
        while self.clock == "decision" and not self._over and not self._someone_idle():
            self._pass()

    @property
    def _over(self) -> bool:
        return self.graph.terminated or self.graph.truncated

    def _someone_idle(self) -> bool:
        return any(self.graph.is_idle(a) for a in range(len(self.at)))

    def _do(self, a: int, kind: str, what: str) -> None:
        if kind == "go":
            ticks = self.way(self.at[a], what)
            assert ticks is not None
            self.at[a] = what
            self.arrives[a] = self.graph.time + ticks * self.scene["bodies"][a].get("pace", 1)
            self.graph.down_until[a] = max(self.graph.down_until[a], self.arrives[a])
        elif kind == "take":
            source = self._source(a, what)
            assert source is not None
            self.lies[source][what] -= 1
            self.hand[a] = what
        elif kind == "put":
            self.lies[what][self.hand[a]] += 1
            self.hand[a] = NOTHING
        elif kind == "turn":
            self.fixture[what] = self._fixture(what)["turns"]
        elif kind == "share":
            other = self._partner(a, what)
            assert other is not None
            self.own[a][what] -= 1
            self.own[other][what] += 1
        elif kind == "say":
            self.words[a] = int(what)

    def _begin(self, name: str, crew: list[int], plan: tuple[dict[str, Any], str | None]) -> None:
        rule, site = plan
        thing = NOTHING if site is None else self._thing(site, rule) or NOTHING
        self.runs[name] = {"rule": rule, "site": site, "body": crew[0], "crew": crew, "thing": thing}
        if site is not None:
            self.occupied[site] = name
        if self.own:
            self.own[crew[0]].subtract(self.graph.task["subtasks"][name]["consumes"])
        self._change(name, "start")

    def _pass(self) -> None:
        """Let the world move, then one tick of the task, then take in what came of it."""
        before = self.graph.time
        for event, tick in zip(self.scene.get("events", []), self.ticks, strict=True):
            if tick != before + 1:
                continue
            kind = next(k for k in ("block", "clear", "lock", "unlock", "move") if k in event)
            if kind != "move":
                self.events.append((tick, kind, listed(event[kind])[0]))
            elif self._moves(event["move"], event["to"]):
                self.events.append((tick, "move", event["move"]))
        self.graph._advance(1)
        self._take_in()

    def _moves(self, thing: str, target: str) -> bool:
        free = [
            r for r in self.receptacles if r != target and self.lies[r][thing] > 0 and r not in self.occupied
        ]
        if not free or target in self.occupied:
            return False
        self.lies[free[0]][thing] -= 1
        self.lies[target][thing] += 1
        return True

    def _take_in(self) -> None:
        new = self.graph.events
        for tick, kind, name, *_ in new:
            self.events.append((tick, kind, name))
            if kind in ("success", "failure"):
                run = self.runs[name]
                self.occupied = {r: other for r, other in self.occupied.items() if other != name}
                if kind == "success" and self.own:
                    self.own[run["body"]].update(self.graph.task["subtasks"][name]["produces"])
                self._change(name, kind)
                there = run["rule"].get("success", {}).get("body")
                if kind == "success" and there is not None:
                    for a in run["crew"]:
                        self.at[a], self.arrives[a] = there, tick
            elif kind in ("spoil", "undo"):
                self._change(name, "undone")
            elif kind == "stock" and self.own:
                self._settle(name)
        self.graph.events = []

    def _settle(self, item: str) -> None:
        """Have what the bodies own add up to all there is: more for the first, less from the first on."""
        more = self.graph.items[item] - sum(own[item] for own in self.own)
        self.own[0][item] += max(0, more)
        for own in self.own:
            less = min(own[item], max(0, -more))
            own[item] -= less
            more += less

    def _change(self, name: str, moment: str) -> None:
        if name not in self.runs:
            return
        run = self.runs[name]
        effect, site = run["rule"].get(moment, {}), run["site"]
        if moment == "undone" and site is not None:
            made = run["rule"].get("success", {}).get("fixture", self.fixture[site])
            if site in self.occupied or self.fixture[site] != made:
                site = None
        if site is not None and "fixture" in effect:
            self.fixture[site] = effect["fixture"]
        if site is not None and "thing" in effect:
            old = run["thing"]
            if old == NOTHING or self.lies[site][old] > 0:
                new = NOTHING if effect["thing"] == "none" else effect["thing"]
                if old != NOTHING:
                    self.lies[site][old] -= 1
                if new != NOTHING:
                    self.lies[site][new] += 1
                run["thing"] = new
        if "hand" in effect:
            self.hand[run["body"]] = NOTHING if effect["hand"] == "none" else effect["hand"]
