"""Every kind of broken task file is refused with its own clear line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stratagym.envs.task.spec import TaskError, load_task, parse_task

SUBTASKS = "subtasks: {a: {}, b: {}, c: {}}\n"

# name -> (the file, the path that the error names, words that its line holds)
BROKEN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # --- not a task at all
    "empty": ("", "", ("empty", "subtasks")),
    "a list": ("- a\n- b\n", "", ("mapping", "a list")),
    "a word": ("hello\n", "", ("mapping", "'hello'")),
    "no subtasks": ("name: x\n", "", ("'subtasks'", "missing")),
    "no entry": ("subtasks: {}\n", "subtasks", ("no subtasks",)),
    "null subtasks": ("subtasks:\n", "subtasks", ("mapping", "null")),
    "list of subtasks": ("subtasks: [a, b]\n", "subtasks", ("mapping", "a list")),
    "two documents": ("subtasks: {a: {}}\n---\nsubtasks: {b: {}}\n", "", ("more than one",)),
    # --- YAML
    "bad indent": ("subtasks:\n  a: {}\n b: {}\n", "", ("not valid YAML", "line 3")),
    "open bracket": ("subtasks: {a: {}\n", "", ("not valid YAML",)),
    "tab": ("subtasks:\n\ta: {}\n", "", ("not valid YAML", "line 2")),
    "python tag": (
        "subtasks: {a: {reward: !!python/object/apply:os.system [ls]}}\n",
        "subtasks.a.reward",
        ("tag", "not allowed"),
    ),
    "own tag": ("subtasks: {a: !subtask {}}\n", "subtasks.a", ("tag", "'!subtask'")),
    "key twice": ("subtasks:\n  a: {}\n  a: {}\n", "subtasks", ("'a'", "twice", "line 2")),
    "field twice": ("subtasks: {a: {reward: 1, reward: 2}}\n", "subtasks.a", ("'reward'", "twice")),
    "merge key": (
        "subtasks: {a: &a {duration: 3}, b: {<<: *a, reward: 1}}\n",
        "subtasks.b",
        ("'<<'", "merge key"),
    ),
    "number as name": ("subtasks: {1: {}}\n", "subtasks", ("'1'", "quotes")),
    "yes as name": ("subtasks: {yes: {}}\n", "subtasks", ("'yes'", "true", "quotes")),
    "list as name": ("subtasks: {[a, b]: {}}\n", "subtasks", ("a name must be text", "a list")),
    "mapping as name": ("subtasks: {{a: b}: {}}\n", "subtasks", ("a name must be text", "a mapping")),
    "date": ("subtasks: {a: {release: 2024-05-01}}\n", "subtasks.a.release", ("'2024-05-01'", "a date")),
    "clock time": ("subtasks: {a: {release: 1:30}}\n", "subtasks.a.release", ("'1:30'", "base")),
    "equals sign": ("subtasks: {a: {skill: =}}\n", "subtasks.a.skill", ("'='", "an odd value")),
    "octal": ("subtasks: {a: {duration: 010}}\n", "subtasks.a.duration", ("'010'", "base")),
    "recursive alias": ("subtasks: &s {a: *s}\n", "subtasks.a", ("alias", "'*s'")),
    "nested alias": (
        "subtasks:\n  a: &a {duration: 2}\n  b: &b {modes: {x: *a, y: *a}}\n  c: {modes: {x: *b}}\n",
        "subtasks.c.modes.x",
        ("alias", "multiply"),
    ),
    "unknown alias": ("subtasks: {a: *nowhere}\n", "subtasks.a", ("alias", "'*nowhere'", "no anchor")),
    # --- fields
    "unknown field": ("subtasks: {a: {durtion: 3}}\n", "subtasks.a", ("'durtion'", "'duration'")),
    "unknown top field": ("horizont: 3\n" + SUBTASKS, "", ("'horizont'", "'horizon'")),
    "unknown lag field": (
        "subtasks: {a: {}, b: {lags: {a: {minimum: 3}}}}\n",
        "subtasks.b.lags.a",
        ("'minimum'", "'min'"),
    ),
    "unknown mode field": (
        "subtasks: {a: {modes: {x: {rewards: 1}}}}\n",
        "subtasks.a.modes.x",
        ("'rewards'", "'reward'"),
    ),
    "due of a mode": ("subtasks: {a: {modes: {x: {due: 1}}}}\n", "subtasks.a.modes.x", ("'due'",)),
    "unknown agent field": (
        "agents: [{name: x, skill: [cut]}]\n" + SUBTASKS,
        "agents[0]",
        ("'skill'", "'skills'"),
    ),
    "unknown event field": (
        SUBTASKS + "events: [{at: 1, undoo: a}]\n",
        "events[0]",
        ("'undoo'", "'undo'"),
    ),
    "text for a number": (
        "subtasks: {a: {attended: two}}\n",
        "subtasks.a.attended",
        ("'two'", "whole number"),
    ),
    "fraction": ("subtasks: {a: {duration: 1.5}}\n", "subtasks.a.duration", ("1.5", "whole number")),
    "true for a number": ("subtasks: {a: {duration: true}}\n", "subtasks.a.duration", ("true",)),
    "list for a mapping": ("subtasks: {a: {uses: [kettle]}}\n", "subtasks.a.uses", ("mapping", "a list")),
    "number for text": ("subtasks: {a: {skill: 3}}\n", "subtasks.a.skill", ("text", "3")),
    "number for a switch": ("subtasks: {a: {repeatable: 1}}\n", "subtasks.a.repeatable", ("true or false",)),
    "null amount": ("subtasks: {a: {consumes: {tea: null}}}\n", "subtasks.a.consumes.tea", ("null",)),
    "null lag": ("subtasks: {a: {}, b: {lags: {a: null}}}\n", "subtasks.b.lags.a", ("null",)),
    "null in a list": ("tasks: {t: {all: [a, null]}}\n" + SUBTASKS, "tasks.t.all[1]", ("null",)),
    "null constraint": ("constraints: [null]\n" + SUBTASKS, "constraints[0]", ("text", "null")),
    "needs a list": ("subtasks: {a: {}, b: {needs: [a]}}\n", "subtasks.b.needs", ("expression", "a list")),
    "needs false": ("subtasks: {a: {needs: false}}\n", "subtasks.a.needs", ("expression", "false")),
    "unquoted hole": (
        "subtasks: {'w {d}': {foreach: {d: [1]}, duration: {d}}}\n",
        "subtasks.w {d}.duration",
        ("quotes", "'{d}'"),
    ),
    "kind of duration": (
        "subtasks: {a: {duration: {uniforn: [1, 2]}}}\n",
        "subtasks.a.duration",
        ("'uniforn'", "'uniform'"),
    ),
    "two kinds of duration": (
        "subtasks: {a: {duration: {uniform: [1, 2], choice: [1]}}}\n",
        "subtasks.a.duration",
        ("one kind",),
    ),
    "uniform of three": (
        "subtasks: {a: {duration: {uniform: [1, 2, 3]}}}\n",
        "subtasks.a.duration",
        ("[lo, hi]",),
    ),
    "empty choice of durations": (
        "subtasks: {a: {duration: {choice: []}}}\n",
        "subtasks.a.duration",
        ("at least one",),
    ),
    "duration in words": ("subtasks: {a: {duration: long}}\n", "subtasks.a.duration", ("'long'", "'world'")),
    "lag from": ("subtasks: {a: {}, b: {lags: {a: {from: end}}}}\n", "subtasks.b.lags.a.from", ("'start'",)),
    # --- ranges
    "duration 0": ("subtasks: {a: {duration: 0}}\n", "subtasks.a.duration", ("1 to", "not 0")),
    "attended -1": ("subtasks: {a: {attended: -1}}\n", "subtasks.a.attended", ("at least 0", "-1")),
    "release -1": ("subtasks: {a: {release: -1}}\n", "subtasks.a.release", ("at least 0",)),
    "huge tick": ("subtasks: {a: {deadline: 2147483648}}\n", "subtasks.a.deadline", ("below 2147483648",)),
    "huge number": (
        f"subtasks: {{a: {{deadline: {'9' * 5000}}}}}\n",
        "subtasks.a.deadline",
        ("far too large",),
    ),
    "success 1.5": ("subtasks: {a: {success: 1.5}}\n", "subtasks.a.success", ("at most 1", "1.5")),
    "success nan": ("subtasks: {a: {success: .nan}}\n", "subtasks.a.success", ("nan",)),
    "reward nan": ("subtasks: {a: {reward: .nan}}\n", "subtasks.a.reward", ("finite", "nan")),
    "reward inf": ("subtasks: {a: {reward: .inf}}\n", "subtasks.a.reward", ("finite", "inf")),
    "weight -1": ("subtasks: {a: {weight: -1}}\n", "subtasks.a.weight", ("at least 0",)),
    "attempts 0": ("subtasks: {a: {attempts: 0}}\n", "subtasks.a.attempts", ("at least 1",)),
    "agents 0": ("agents: 0\n" + SUBTASKS, "agents", ("1 to 256", "not 0")),
    "agents 257": ("agents: 257\n" + SUBTASKS, "agents", ("1 to 256", "257")),
    "no agents": ("agents: []\n" + SUBTASKS, "agents", ("empty",)),
    "agents of a subtask 0": ("subtasks: {a: {agents: 0}}\n", "subtasks.a.agents", ("at least 1",)),
    "horizon 0": ("horizon: 0\n" + SUBTASKS, "horizon", ("at least 1",)),
    "capacity -1": ("resources: {k: -1}\n" + SUBTASKS, "resources.k", ("at least 0",)),
    "lag min over max": (
        "subtasks: {a: {}, b: {lags: {a: {min: 3, max: 2}}}}\n",
        "subtasks.b.lags.a",
        ("3 > 2",),
    ),
    "lo over hi": (
        "subtasks: {a: {duration: {uniform: [4, 2]}}}\n",
        "subtasks.a.duration",
        ("4 > 2", "[2, 4]"),
    ),
    "times 0": ("tasks: {t: {repeat: a, times: 0}}\n" + SUBTASKS, "tasks.t.times", ("at least 1",)),
    "event at 0": (SUBTASKS + "events: [{at: 0, undo: a}]\n", "events[0].at", ("not 0",)),
    "down 0": (SUBTASKS + "events: [{at: 1, agent: agent 0, down: 0}]\n", "events[0].down", ("at least 1",)),
    "k of 0": ("tasks: {t: {0 of: [a, b]}}\n" + SUBTASKS, "tasks.t.0 of", ("at least 1",)),
    # --- names
    "unknown subtask": (
        "subtasks: {boil water: {}, brew: {needs: boil watr}}\n",
        "subtasks.brew.needs",
        ("'boil watr'", "did you mean 'boil water'?"),
    ),
    "unknown child": ("tasks: {t: {all: [a, d]}}\n" + SUBTASKS, "tasks.t.all[1]", ("'d'", "'a', 'b', 'c'")),
    "unknown in the goal": (SUBTASKS + "goal: a & d\n", "goal", ("'d'",)),
    "unknown lag": ("subtasks: {abc: {}, b: {lags: {abd: {}}}}\n", "subtasks.b.lags.abd", ("'abc'",)),
    "unknown in a constraint": (SUBTASKS + "constraints: [G(done(d))]\n", "constraints[0]", ("'d'",)),
    "unknown in an event": (SUBTASKS + "events: [{at: 1, undo: d}]\n", "events[0].undo", ("'d'",)),
    "unknown agent": (
        SUBTASKS + "events: [{at: 1, agent: agent 1, down: 1}]\n",
        "events[0].agent",
        ("'agent 1'", "'agent 0'"),
    ),
    "undeclared resource": (
        "resources: {kettle: 1}\nsubtasks: {a: {uses: {ketle: 1}}}\n",
        "subtasks.a.uses.ketle",
        ("'ketle'", "'kettle'"),
    ),
    "undeclared capacity": (
        SUBTASKS + "events: [{at: 1, capacity: {k: 1}}]\n",
        "events[0].capacity.k",
        ("'k'", "resources"),
    ),
    "name of a task and a subtask": (
        SUBTASKS + "tasks: {a: {all: [b]}}\n",
        "tasks.a",
        ("'a'", "twice", "subtasks.a"),
    ),
    "name of a mode and a subtask": (
        "subtasks: {a: {modes: {x: {}}}, 'a [x]': {}}\n",
        "subtasks.a [x]",
        ("'a [x]'", "twice"),
    ),
    "name of a copy and a subtask": (
        "subtasks: {a: {}, a.2: {}}\ntasks: {t: {repeat: a, times: 2}}\n",
        "subtasks.a",
        ("'a.2'", "twice"),
    ),
    "name of a member and a subtask": (
        "subtasks: {w p: {}, 'w {d}': {foreach: {d: [p]}}}\n",
        "subtasks.w {d}",
        ("'w p'", "twice"),
    ),
    "operator in a name": ("subtasks: {a & b: {}}\n", "subtasks.a & b", ("'&'", "name")),
    "parenthesis in a name": ("subtasks: {'a (b)': {}}\n", "subtasks.a (b)", ("'('",)),
    "brace in a name": ("subtasks: {'a {b}': {}}\n", "subtasks.a {b}", ("'{'", "foreach")),
    "outer space": ("subtasks: {'a ': {}}\n", "subtasks.a ", ("space",)),
    "empty name": ("subtasks: {'': {}}\n", "subtasks.", ("empty",)),
    "wait": ("subtasks: {wait: {}}\n", "subtasks.wait", ("'wait'",)),
    "like k of": ("subtasks: {2 of them: {}}\n", "subtasks.2 of them", ("'2 of them'",)),
    "mode with a comma": ("subtasks: {a: {modes: {'x,y': {}}}}\n", "subtasks.a.modes.x,y", ("','",)),
    "two agents of one name": ("agents: [{name: x}, {name: x}]\n" + SUBTASKS, "agents[1]", ("'x'",)),
    "agent without a name": ("agents: [{skills: [cut]}]\n" + SUBTASKS, "agents[0]", ("'name'", "missing")),
    # --- expressions
    "open parenthesis": ("subtasks: {a: {}, b: {needs: (a}}\n", "subtasks.b.needs", ("never closed", "1")),
    "two operators": (
        "subtasks: {a: {}, b: {needs: a & | a}}\n",
        "subtasks.b.needs",
        ("'|'", "character 5"),
    ),
    "ends early": ("subtasks: {a: {}, b: {needs: a &}}\n", "subtasks.b.needs", ("ends",)),
    "empty expression": ("subtasks: {a: {needs: ' '}}\n", "subtasks.a.needs", ("empty",)),
    "missing operator": ("subtasks: {a: {}, b: {needs: (a) a}}\n", "subtasks.b.needs", ("operator",)),
    "three of two": ("subtasks: {a: {}, b: {needs: '3 of (a, ~a)'}}\n", "subtasks.b.needs", ("1 to 2",)),
    "k of without a list": (
        "subtasks: {a: {}, b: {needs: 2 of a}}\n",
        "subtasks.b.needs",
        ("2 of (a, b, c)",),
    ),
    "formula": (SUBTASKS + "constraints: ['G(done(a)']\n", "constraints[0]", ("G(done(a)",)),
    "nine atoms": (
        "subtasks: {a: {}, b: {}, c: {}}\n"
        "constraints: ['done(a)&done(b)&done(c)&running(a)&running(b)&running(c)"
        "&started(a)&started(b)&started(c)']\n",
        "constraints[0]",
        ("9", "8"),
    ),
    # --- compositions
    "a name for a composition": (SUBTASKS + "tasks: {t: a}\n", "tasks.t", ("composition", "'a'")),
    "empty composition": (SUBTASKS + "tasks: {t: {all: []}}\n", "tasks.t.all", ("empty",)),
    "no operator": (SUBTASKS + "tasks: {t: {needs: a}}\n", "tasks.t", ("operator",)),
    "two operators at once": (
        SUBTASKS + "tasks: {t: {all: [a], any: [b]}}\n",
        "tasks.t",
        ("'all' and 'any'",),
    ),
    "unknown operator": (SUBTASKS + "tasks: {t: {sequnce: [a]}}\n", "tasks.t", ("'sequnce'", "'sequence'")),
    "expression as a child": (SUBTASKS + "tasks: {t: {all: [a & b]}}\n", "tasks.t.all[0]", ("expression",)),
    "more than there is": (SUBTASKS + "tasks: {t: {3 of: [a, b]}}\n", "tasks.t.3 of", ("1 to 2",)),
    "times without repeat": (SUBTASKS + "tasks: {t: {all: [a], times: 2}}\n", "tasks.t", ("repeat",)),
    "repeat without times": (SUBTASKS + "tasks: {t: {repeat: a}}\n", "tasks.t", ("times",)),
    "cycle": (
        SUBTASKS + "tasks: {t: {all: [u]}, u: {any: [a, v]}, v: {all: [t]}}\n",
        "tasks.t",
        ("cycle", "'t' -> 'u' -> 'v' -> 't'"),
    ),
    "cycle of one": (SUBTASKS + "tasks: {t: {all: [a, t]}}\n", "tasks.t", ("cycle", "'t' -> 't'")),
    "inline cycle": (SUBTASKS + "tasks: {u: {all: [{any: [u]}]}}\n", "tasks.u", ("cycle", "'u' -> 'u'")),
    "sequence sharing": (
        SUBTASKS + "tasks: {t: {sequence: [a, {all: [b, a]}]}}\n",
        "tasks.t.sequence[1]",
        ("share", "'a'"),
    ),
    "copied and named": (
        SUBTASKS + "tasks: {t: {repeat: a, times: 2}, u: {all: [a]}}\n",
        "tasks.u.all[0]",
        ("'a' gave way to its copies 'a.1' to 'a.2'",),
    ),
    "copied twice": (
        SUBTASKS + "tasks: {t: {repeat: a, times: 2}, u: {repeat: a, times: 3}}\n",
        "tasks.u",
        ("'a' gave way",),
    ),
    "no such copy": (
        "subtasks: {a: {}, b: {needs: a.3}}\ntasks: {t: {repeat: a, times: 2}}\n",
        "subtasks.b.needs",
        ("'a.3'", "'a.2'"),
    ),
    "half a family copied": (
        "subtasks: {'w {d}': {foreach: {d: [p, q]}}}\ntasks: {t: {repeat: w p, times: 2}}\n",
        "tasks.t",
        ("'w p'", "family", "'w {d}'"),
    ),
    "one mode copied": (
        "subtasks: {a: {modes: {x: {}, y: {}}}}\ntasks: {t: {repeat: 'a [x]', times: 2}}\n",
        "tasks.t",
        ("'a [x]'", "modes", "'a'"),
    ),
    "foreach in tasks": (
        SUBTASKS + "tasks: {'t {d}': {foreach: {d: [1]}, all: [a]}}\n",
        "tasks.t {d}",
        ("foreach", "subtasks"),
    ),
    # --- families and modes
    "no values": ("subtasks: {'w {d}': {foreach: {d: []}}}\n", "subtasks.w {d}.foreach.d", ("at least one",)),
    "no variables": ("subtasks: {w: {foreach: {}}}\n", "subtasks.w.foreach", ("variable",)),
    "variable not in the name": (
        "subtasks: {'w {d}': {foreach: {d: [p], e: [q]}}}\n",
        "subtasks.w {d}.foreach",
        ("lacks", "'e'"),
    ),
    "hole without a variable": (
        "subtasks: {'w {d} {e}': {foreach: {d: [p]}}}\n",
        "subtasks.w {d} {e}.foreach",
        ("{e}", "no variable"),
    ),
    "hole in a field": (
        "subtasks: {a: {}, 'w {d}': {foreach: {d: [p]}, needs: 'a {e}'}}\n",
        "subtasks.w {d}.needs",
        ("{e}", "no variable"),
    ),
    "values not a list": (
        "subtasks: {'w {d}': {foreach: {d: pan}}}\n",
        "subtasks.w {d}.foreach.d",
        ("list",),
    ),
    "value is null": (
        "subtasks: {'w {d}': {foreach: {d: [null]}}}\n",
        "subtasks.w {d}.foreach.d[0]",
        ("null",),
    ),
    "value is no number": (
        "subtasks: {'w {d}': {foreach: {d: [.nan]}}}\n",
        "subtasks.w {d}.foreach.d[0]",
        ("nan",),
    ),
    "value twice": ("subtasks: {'w {d}': {foreach: {d: [p, p]}}}\n", "subtasks.w {d}", ("'w p'", "twice")),
    "value with an operator": ("subtasks: {'w {d}': {foreach: {d: [p|q]}}}\n", "subtasks.w {d}", ("'|'",)),
    "text where a number belongs": (
        "subtasks: {'w {d}': {foreach: {d: [p]}, duration: '{d}'}}\n",
        "subtasks.w {d}.duration",
        ("'p'",),
    ),
    "field of a family": (
        "subtasks: {'w {d}': {foreach: {d: [p]}, dration: 1}}\n",
        "subtasks.w {d}",
        ("'duration'",),
    ),
    "no modes": ("subtasks: {a: {modes: {}}}\n", "subtasks.a.modes", ("at least one",)),
    # --- what does not fit together
    "more than the capacity": (
        "resources: {k: 1}\nsubtasks: {a: {uses: {k: 2}}}\n",
        "subtasks.a.uses.k",
        ("2 of 'k'", "there are 1"),
    ),
    "more agents than there are": ("subtasks: {a: {agents: 2}}\n", "subtasks.a.agents", ("2 agents", "is 1")),
    "lag on itself": ("subtasks: {a: {lags: {a: {min: 1}}}}\n", "subtasks.a.lags.a", ("itself", "cooldown")),
    "cooldown with max": (
        "subtasks: {a: {lags: {a: {max: 1, from: start}}}}\n",
        "subtasks.a.lags.a",
        ("cooldown", "no `max`"),
    ),
    "lag on a task": (
        "subtasks: {a: {}, b: {lags: {t: {}}}}\ntasks: {t: {all: [a]}}\n",
        "subtasks.b.lags.t",
        ("task 't'",),
    ),
    "lag twice": (
        "subtasks: {'w {d}': {foreach: {d: [p, q]}}, b: {lags: {'w {d}': {}, w p: {min: 1}}}}\n",
        "subtasks.b.lags.w p",
        ("two lags", "'w p'"),
    ),
    "lag on a mode twice": (
        "subtasks: {a: {modes: {x: {}, y: {}}}, b: {lags: {a: {}, 'a [y]': {min: 1}}}}\n",
        "subtasks.b.lags.a [y]",
        ("two lags", "'a [y]'"),
    ),
    "due without a horizon": ("subtasks: {a: {due: 4}}\n", "subtasks.a.due", ("horizon",)),
    "event without a kind": (SUBTASKS + "events: [{at: 1}]\n", "events[0]", ("one kind", "undo")),
    "event of two kinds": (
        SUBTASKS + "events: [{at: 1, undo: a, appear: b}]\n",
        "events[0]",
        ("'undo' and 'appear'",),
    ),
    "event without a tick": (SUBTASKS + "events: [{undo: a}]\n", "events[0]", ("'at'", "missing")),
    "agent without down": (SUBTASKS + "events: [{at: 1, agent: agent 0}]\n", "events[0]", ("down",)),
    "down without agent": (SUBTASKS + "events: [{at: 1, undo: a, down: 2}]\n", "events[0]", ("agent",)),
    "event to world": (
        SUBTASKS + "events: [{at: 1, duration: {a: world}}]\n",
        "events[0].duration.a",
        ("'world'",),
    ),
    "needs on": (
        "subtasks: {'on': {}, b: {needs: on}}\n",
        "subtasks.b.needs",
        ("true may mean 'on'", "quotes"),
    ),
    # --- limits
    "family too large": (
        f"subtasks: {{'w {{d}} {{e}}': {{foreach: {{d: {list(range(100))}, e: {list(range(100))}}}}}}}\n",
        "subtasks.w {d} {e}.foreach",
        ("4096",),
    ),
    "too many copies": (SUBTASKS + "tasks: {t: {repeat: a, times: 1000000000}}\n", "tasks.t", ("4096",)),
    "copies of copies": (
        SUBTASKS + "tasks: {t: {repeat: {repeat: {repeat: a, times: 99}, times: 99}, times: 99}}\n",
        "tasks.t.repeat",
        ("4096",),
    ),
    "too deep": (f"subtasks: {'[' * 100_000}\n", "", ("200 levels",)),
    "too deep an expression": (
        f"subtasks: {{a: {{}}, b: {{needs: '{'(' * 5000}a{')' * 5000}'}}}}\n",
        "subtasks.b.needs",
        ("64 levels",),
    ),
    "too many negations": (
        f"subtasks: {{a: {{}}, b: {{needs: '{'~' * 500_000}a'}}}}\n",
        "subtasks.b.needs",
        ("64",),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_refused_with_its_own_line(name: str, tmp_path: Path) -> None:
    """Each broken file is refused at once by one line that names the file, the path and the fault."""
    text, path, words = BROKEN[name]
    file = tmp_path / "broken.yaml"
    file.write_text(text, encoding="utf-8")
    begun = time.perf_counter()
    with pytest.raises(TaskError) as caught:
        load_task(file)
    line = str(caught.value)
    assert time.perf_counter() - begun < 5
    assert line.startswith(f"{file}: ")
    assert line.isprintable()
    assert len(line) < 600
    for word in words:
        assert word in line
    if path:
        assert caught.value.path == path


def test_no_two_broken_files_share_a_line() -> None:
    """The lines of different faults differ, so each says what is wrong with its own file."""
    lines: dict[str, str] = {}
    for name, (text, _, _) in BROKEN.items():
        with pytest.raises(TaskError) as caught:
            parse_task(text)
        line = str(caught.value)
        assert line not in lines, f"{name} and {lines.get(line)}"
        lines[line] = name
    assert len(lines) >= 40


BROKEN_JSON = {
    "key twice": ('{"subtasks": {"a": {}, "a": {}}}', ("'a'", "twice")),
    "NaN": ('{"subtasks": {"a": {"reward": NaN}}}', ("NaN",)),
    "Infinity": ('{"subtasks": {"a": {"reward": -Infinity}}}', ("-Infinity",)),
    "comma": ('{"subtasks": {"a": {}},}', ("not valid JSON", "line 1")),
    "deep": ("[" * 200_000, ("200 levels",)),
    "deep mapping": ('{"subtasks":' * 5_000 + "1" + "}" * 5_000, ("200 levels",)),
    "huge": ('{"subtasks": {"a": {"reward": 1e999}}}', ("finite",)),
    "digits": ('{"subtasks": {"a": {"duration": ' + "1" * 9999 + "}}}", ("far too large",)),
    "empty": ("", ("not valid JSON",)),
    "null": ("null", ("empty",)),
}


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_broken_json_is_refused(name: str, tmp_path: Path) -> None:
    """Broken JSON is refused by one line."""
    text, words = BROKEN_JSON[name]
    file = tmp_path / "broken.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TaskError) as caught:
        load_task(str(file))
    for word in (str(file), *words):
        assert word in str(caught.value)


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    """A folder, a missing file, binary data, another encoding and 1 MB too much get a line each."""
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "utf16.yaml").write_bytes("subtasks: {a: {}}".encode("utf-16"))
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    cases = {
        str(tmp_path): "folder",
        str(tmp_path / "missing.yaml"): "no such file",
        str(tmp_path / "binary.yaml"): "UTF-8",
        str(tmp_path / "utf16.yaml"): "UTF-8",
        str(tmp_path / "large.yaml"): "1 MB",
        "a\0b.yaml": "null",
        "x" * 5000: "too long",
        "subtasks:\n  a: {}\n": "not the path",
    }
    for path, word in cases.items():
        with pytest.raises(TaskError, match=word) as caught:
            load_task(path)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("mapping", "word"),
    [
        ({"subtasks": {1: {}}}, "a name must be text, not 1"),
        ({"subtasks": {"a": {"reward": object()}}}, "type object"),
        ({"subtasks": {"a": {"needs": b"b"}}}, "type bytes"),
        ({"subtasks": {"a": {1, 2}}}, "type set"),
        (3, "a path or a mapping, not 3"),
        (None, "not null"),
        (b"subtasks", "type bytes"),
    ],
)
def test_broken_mapping_is_refused(mapping: object, word: str) -> None:
    """A mapping with keys or values that no file can hold is refused by one line."""
    with pytest.raises(TaskError) as caught:
        load_task(mapping)  # type: ignore[arg-type]
    assert word in str(caught.value)


def test_a_mapping_that_holds_itself_is_refused() -> None:
    """A cyclic mapping and one that shares parts a million times end in an error, not in a hang."""
    loop: dict[str, object] = {}
    loop["subtasks"] = loop
    with pytest.raises(TaskError, match="200 levels"):
        load_task(loop)
    bomb: object = "a"
    for _ in range(30):
        bomb = [bomb] * 10
    with pytest.raises(TaskError, match="values"):
        load_task({"subtasks": bomb})
