"""What a scene says of its fixtures, things and rules: read, checked, and put into a table.

Owns the form of a rule - which subtask, by which action, on what, with what in hand, and
what comes of it - for every world that has sites. The kernel side is ``sites``. Where a
site is and who can get there is for the worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stratagym.envs.rng import threshold
from stratagym.envs.task.faults import join, quote
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.models import Model, Positive, Probability
from stratagym.envs.worlds import sites
from stratagym.envs.worlds.scene import SceneError, listed, place_of, read_spec
from stratagym.envs.worlds.view import MOMENTS, EffectView, Moment, RuleView

NONE = "none"
"""The word by which a rule asks for no thing, or empties a site or a hand."""

MAX_CODES = 254
"""Fixtures, and things, of one scene: a view has one byte for each."""

HEALTH_TICKS = 10
"""Ticks in which health drops by one while a vital is at 0, and rises by one while none is."""

Codes = frozenset[int]


class FixtureSpec(Model):
    """What stands at a site."""

    solid: bool | None = None
    holds: bool | None = None
    swallows: bool | None = None
    looks: str | None = None


class ThingSpec(Model):
    """What lies at a site or is carried."""

    carry: bool | None = None
    solid: bool | None = None
    moves: Probability | None = None
    looks: str | None = None


class EffectSpec(Model):
    """What one moment of a run changes."""

    fixture: str | None = None
    thing: str | None = None
    hand: str | None = None
    restore: dict[str, Positive] | None = None
    turn: dict[str, str] | None = None


class RuleSpec(Model):
    """One way to attempt a subtask. A world may add fields of its own."""

    verb: str | None = None
    at: Any = None
    thing: Any = None
    hand: Any = None
    near: Any = None
    start: EffectSpec | None = None
    success: EffectSpec | None = None
    failure: EffectSpec | None = None
    undone: EffectSpec | None = None


@dataclass(frozen=True)
class Kinds:
    """The fixtures or the things of a scene, by code.

    Attributes:
        what: ``fixture`` or ``thing``.
        names: by code.
        looks: what each looks like.
        flags: ``sites.SOLID`` and so on.
        moves: probability of a move a tick.
    """

    what: str
    names: tuple[str, ...]
    looks: tuple[str, ...]
    flags: tuple[int, ...]
    moves: tuple[float, ...]

    def code(self, name: str, path: str) -> int:
        """Return the code of a name.

        Raises:
            SceneError: if there is none.
        """
        return place_of(name, self.names, path, self.what)

    def codes(self, name: str, path: str) -> Codes:
        """Return the codes of all that bear a name or look like it.

        Raises:
            SceneError: if there are none.
        """
        found = frozenset(
            code for code in range(len(self.names)) if name in (self.names[code], self.looks[code])
        )
        if not found:
            place_of(name, [*self.names, *self.looks], path, self.what)
        return found

    def flagged(self, flag: int) -> Codes:
        """Return the codes that have a flag."""
        return frozenset(code for code, flags in enumerate(self.flags) if flags & flag)


def read_fixtures(spec: Mapping[str, FixtureSpec | None], more: Iterable[str] = ()) -> Kinds:
    """Return the fixtures of a scene: ``floor`` and ``wall``, those it declares, and further ones.

    Args:
        spec: as declared. What is left out is taken from the fixture that it looks like.
        more: names of solid fixtures to be added if they are not declared.
    """
    whole = {"floor": FixtureSpec(holds=True), "wall": FixtureSpec(solid=True)}
    for name, fixture in spec.items():
        given = (fixture or FixtureSpec()).model_dump(exclude_none=True)
        whole[name] = whole.get(name, FixtureSpec()).model_copy(update=given)
    for name in more:
        whole.setdefault(name, FixtureSpec(solid=True))
    if len(whole) > MAX_CODES:
        raise SceneError(f"{len(whole)} fixtures, and at most {MAX_CODES} can be told apart", "fixtures")
    rows = []
    for name, fixture in whole.items():
        fields = _with_look(name, fixture, whole)
        flags = sites.SOLID * bool(fields.get("solid"))
        flags |= sites.SWALLOWS * bool(fields.get("swallows"))
        # What swallows gives nothing back.
        flags |= sites.HOLDS * bool(fields.get("holds") and not fields.get("swallows"))
        rows.append((name, fixture.looks or name, flags, 0.0))
    return Kinds("fixture", *_columns(rows))


def read_things(spec: Mapping[str, ThingSpec | None], solid: bool) -> Kinds:
    """Return the things of a scene; code 0 is none.

    Args:
        spec: as declared. What is left out is taken from the thing that it looks like.
        solid: whether a body cannot enter a cell with a thing, unless the thing says other.
    """
    whole = {name: thing or ThingSpec() for name, thing in spec.items()}
    for name in (NONE, "nothing"):
        if name in whole:
            raise SceneError(f"a thing cannot be called {quote(name)}: it stands for no thing", "things")
    if len(whole) > MAX_CODES:
        raise SceneError(f"{len(whole)} things, and at most {MAX_CODES} can be told apart", "things")
    rows = [("nothing", "nothing", 0, 0.0)]
    for name, thing in whole.items():
        fields = _with_look(name, thing, whole)
        moves = float(fields.get("moves", 0.0))
        flags = sites.PORTABLE * bool(fields.get("carry")) | sites.SOLID * bool(fields.get("solid", solid))
        rows.append((name, thing.looks or name, flags | sites.MOVING * (moves > 0), moves))
    return Kinds("thing", *_columns(rows))


def _with_look(name: str, spec: Model, whole: Mapping[str, Model]) -> dict[str, Any]:
    """Return the fields that a kind has, its own before those of what it looks like."""
    fields = spec.model_dump(exclude_none=True)
    look = fields.get("looks")
    like = whole.get(look) if look is not None and look != name else None
    return {**(like.model_dump(exclude_none=True) if like is not None else {}), **fields}


def _columns(rows: Sequence[tuple[str, str, int, float]]) -> Any:
    return tuple(zip(*rows, strict=True))


def read_vitals(spec: Mapping[str, Positive] | None) -> tuple[tuple[str, ...], tuple[int, ...], int]:
    """Return the names of the vitals, the ticks in which each drops by one, and those of health."""
    spec = dict(spec or {})
    health = spec.pop("health", HEALTH_TICKS)
    return tuple(spec), tuple(spec.values()), health


# ------------------------------------------------------------------ rules


@dataclass(frozen=True)
class Effect:
    """What one moment of a run changes, as codes; None where it stays as it is."""

    fixture: int | None = None
    thing: int | None = None
    hand: int | None = None
    restore: tuple[tuple[int, int], ...] = ()  # (vital, amount)
    turn: tuple[tuple[int, int], ...] = ()  # (thing, what it becomes)

    @property
    def of_site(self) -> bool:
        """Whether it changes the site."""
        return self.fixture is not None or self.thing is not None


@dataclass(frozen=True)
class Rule:
    """One way to attempt a subtask, as codes; None where anything fits."""

    subtask: int
    verb: int
    path: str
    at: Codes | None = None
    thing: Codes | None = None
    hand: Codes | None = None
    near: tuple[Codes, ...] = ()
    effects: tuple[Effect, ...] = field(default=(Effect(),) * len(MOMENTS))
    spec: Any = None  # as it was read, for a world's own fields

    @property
    def on_the_spot(self) -> bool:
        """Whether it says nothing of a site, so that none is needed nor kept busy."""
        return self.at is None and self.thing is None and not any(e.of_site for e in self.effects)


@dataclass(frozen=True)
class Words:
    """The names that rules may use.

    Attributes:
        graph: the task.
        fixtures: that there are.
        things: that there are.
        verbs: names of the actions that attempt subtasks; the first is meant if a rule names none.
        hands: whether bodies have hands.
        vitals: names, ``health`` not among them.
    """

    graph: TaskGraph
    fixtures: Kinds
    things: Kinds
    verbs: tuple[str, ...]
    hands: bool
    vitals: tuple[str, ...] = ()


def read_rules(
    rules: Mapping[str, Any], words: Words, model: type[RuleSpec] = RuleSpec, path: str = "rules"
) -> list[Rule]:
    """Return the rules of a scene, in the order of the subtasks, then as they stand.

    A key is a subtask, or a composition or family for whatever under it has no rule of its own.

    Args:
        rules: subtask -> a rule, or a list of alternatives.
        words: the names that they may use.
        model: the fields of a rule.
        path: where they stand.

    Raises:
        SceneError: for a subtask that the task lacks, a name that the scene lacks, an effect that
            cannot be, or a subtask without a rule.
    """
    graph = words.graph
    index = {name: i for i, name in enumerate(graph.names)}
    groups = {c.name: c.members for c in graph.compositions if not c.inline}
    found: dict[int, list[Rule]] = {}
    rest: list[tuple[int, list[Rule]]] = []
    for name, entry in rules.items():
        where = join(path, name)
        if name not in index and name not in groups:
            place_of(name, [*graph.names, *groups], where, "subtask")
        options = [(entry, where)]
        if isinstance(entry, list):
            options = [(option, join(where, k)) for k, option in enumerate(entry)]
        if not options:
            raise SceneError("the list of rules is empty", where, "leave nothing out: give at least one")
        specs = [(read_spec(model, {} if o is None else o, where), where) for o, where in options]
        if name in index:
            found[index[name]] = [_rule(spec, index[name], words, where) for spec, where in specs]
        else:
            rest += [(i, [_rule(spec, i, words, where) for spec, where in specs]) for i in groups[name]]
    named = set(found)
    for i, more in rest:
        if i not in named:
            found.setdefault(i, []).extend(more)
    for i, name in enumerate(graph.names):
        if i not in found:
            raise SceneError(
                f"subtask {quote(name)} has no rule, so that nobody could ever do it",
                path,
                f"say where: {name}: {{at: ...}}",
            )
    return [rule for i in sorted(found) for rule in found[i]]


def _rule(spec: RuleSpec, i: int, words: Words, path: str) -> Rule:
    verb = 0 if spec.verb is None else place_of(spec.verb, words.verbs, join(path, "verb"), "verb")
    if not words.hands and spec.hand is not None:
        raise SceneError("the bodies here have no hands", join(path, "hand"), "add `hands: true`")
    near = () if spec.near is None else listed(spec.near, join(path, "near"))
    subtask = words.graph.subtasks[i]
    attended = subtask.attended is None or (
        subtask.duration.longest is not None and subtask.attended >= subtask.duration.longest
    )
    effects = [
        _effect(getattr(spec, moment), words, join(path, moment), moment, attended) for moment in MOMENTS
    ]
    return Rule(
        subtask=i,
        verb=verb,
        path=path,
        at=_any_of(spec.at, words.fixtures, join(path, "at")),
        thing=_any_of(spec.thing, words.things, join(path, "thing")),
        hand=_any_of(spec.hand, words.things, join(path, "hand")),
        near=tuple(words.fixtures.codes(name, where) for name, where in near),
        effects=tuple(effects),
        spec=spec,
    )


def _any_of(value: Any, kinds: Kinds, path: str) -> Codes | None:
    if value is None:
        return None
    found: Codes = frozenset()
    for name, where in listed(value, path):
        nothing = kinds.what == "thing" and name == NONE
        found |= frozenset((sites.NOTHING,)) if nothing else kinds.codes(name, where)
    return found


def _effect(spec: EffectSpec | None, words: Words, path: str, moment: Moment, attended: bool) -> Effect:
    if spec is None:
        return Effect()
    if spec.hand is not None:
        where = join(path, "hand")
        if not words.hands:
            raise SceneError("the bodies here have no hands", where, "add `hands: true`")
        if moment == "undone" or (moment != "start" and not attended):
            raise SceneError(
                "the body may have gone away by then, so that its hand cannot be changed",
                where,
                "put it into `start`, or have the subtask attended to its end",
            )
    return Effect(
        fixture=None if spec.fixture is None else words.fixtures.code(spec.fixture, join(path, "fixture")),
        thing=_one_thing(spec.thing, words.things, join(path, "thing")),
        hand=_one_thing(spec.hand, words.things, join(path, "hand")),
        restore=tuple(
            (place_of(name, words.vitals, join(path, "restore"), "vital"), amount)
            for name, amount in (spec.restore or {}).items()
        ),
        turn=tuple(_turns(spec.turn or {}, words.things, join(path, "turn"))),
    )


def _one_thing(name: str | None, things: Kinds, path: str) -> int | None:
    if name is None:
        return None
    return sites.NOTHING if name == NONE else things.code(name, path)


def _turns(spec: Mapping[str, str], things: Kinds, path: str) -> Iterable[tuple[int, int]]:
    for name, other in spec.items():
        where = join(path, name)
        becomes = sites.NOTHING if other == NONE else things.code(other, where)
        for code in sorted(things.codes(name, where)):
            yield code, becomes


# ------------------------------------------------------------------ the table


class Table:
    """A world's table while it is written; positions count from its beginning.

    Args:
        heads: integers before everything that they point to.
    """

    def __init__(self, heads: int) -> None:
        self.ints = [0] * heads
        self._sets: dict[Codes, int] = {}

    def put(self, values: Iterable[int]) -> int:
        """Append numbers; return their position."""
        position = len(self.ints)
        self.ints.extend(values)
        return position

    def pattern(self, codes: Codes | None) -> int:
        """Return a set of codes as one number that ``sites.matches`` understands."""
        if codes is None:
            return sites.ANY
        if len(codes) == 1:
            return min(codes)
        if codes not in self._sets:
            words = [0] * (max(codes) // 32 + 1) if codes else [0]
            for code in codes:
                words[code // 32] |= 1 << (code % 32)
            # As signed integers of 32 bits; a code beyond the words is looked up nowhere.
            words += [0] * (MAX_CODES // 32 + 1 - len(words))
            self._sets[codes] = self.put(word - 2**32 if word >= 2**31 else word for word in words)
        return -2 - self._sets[codes]

    def rules(self, rules: Sequence[Rule], fixtures: int, verbs: int) -> None:
        """Write the rules, and the lists of those that a verb may mean at a fixture.

        Args:
            rules: in the order in which they are tried.
            fixtures: how many there are; before them stands what lies outside.
            verbs: how many there are.
        """
        places = [(self.rule(rule), rule) for rule in rules]
        records: list[int] = []
        for verb in range(verbs):
            for fixture in range(sites.OUTSIDE, fixtures):
                fitting = [
                    (place, rule) for place, rule in places if rule.verb == verb and _stands(rule, fixture)
                ]
                bare = any(rule.thing is None or sites.NOTHING in rule.thing for _, rule in fitting)
                records += [self.put(place for place, _ in fitting), 2 * len(fitting) + bare]
        self.ints[sites.P_INDEX] = self.put(records)
        self.ints[sites.W_FIXTURES], self.ints[sites.W_VERBS] = fixtures, verbs

    def rule(self, rule: Rule) -> int:
        """Append a rule; return its position."""
        near = self.put([self.pattern(codes) for codes in rule.near])
        effects = [self._effect(effect) for effect in rule.effects]
        record = [
            rule.subtask,
            self.pattern(rule.thing),
            self.pattern(rule.hand),
            near,
            len(rule.near),
            int(rule.on_the_spot),
            *effects,
        ]
        return self.put(record)

    def _effect(self, effect: Effect) -> int:
        if effect == Effect():
            return sites.NO_EFFECT
        pairs = [[number for pair in pairs for number in pair] for pairs in (effect.restore, effect.turn)]
        codes = [
            sites.STAYS if code is None else code for code in (effect.fixture, effect.thing, effect.hand)
        ]
        restore, turn = self.put(pairs[0]), self.put(pairs[1])
        return self.put([*codes, restore, len(effect.restore), turn, len(effect.turn)])

    def kinds(self, fixtures: Kinds, things: Kinds) -> None:
        """Write the flags of the fixtures (what lies outside is solid) and the properties of the things."""
        self.ints[sites.P_FIXTURES] = self.put([sites.SOLID, *fixtures.flags]) + 1
        rows = []
        for flags, moves in zip(things.flags, things.moves, strict=True):
            chance = threshold(moves)
            rows += [flags, chance >> 16, chance & 0xFFFF]
        self.ints[sites.P_THINGS] = self.put(rows)
        self.ints[sites.W_THINGS] = len(things.names)


def _stands(rule: Rule, fixture: int) -> bool:
    if fixture == sites.OUTSIDE:
        return rule.on_the_spot
    return rule.at is None or fixture in rule.at


# ------------------------------------------------------------------ for those who look


def views_of(
    rules: Iterable[Rule], hidden: Callable[[int], bool], action: int, vitals: Sequence[str]
) -> dict[int, tuple[RuleView, ...]]:
    """Return the rules as agents read them.

    Args:
        rules: of the scene.
        hidden: whether a subtask has not appeared yet.
        action: number of the first verb.
        vitals: names.
    """
    found: dict[int, tuple[RuleView, ...]] = {}
    for rule in rules:
        if hidden(rule.subtask):
            continue
        effects = {
            moment: EffectView(
                fixture=e.fixture,
                thing=e.thing,
                hand=e.hand,
                restore={vitals[v]: amount for v, amount in e.restore},
                turn=dict(e.turn),
            )
            for moment, e in zip(MOMENTS, rule.effects, strict=True)
            if e != Effect()
        }
        view = RuleView(
            action=action + rule.verb,
            at=rule.at,
            thing=rule.thing,
            hand=rule.hand,
            near=rule.near,
            effects=effects,
        )
        found[rule.subtask] = (*found.get(rule.subtask, ()), view)
    return found
