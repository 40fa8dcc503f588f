"""LTLf: the automata of formulas, against evaluation from the definition and against MONA."""

from __future__ import annotations

import itertools
import random
import re
import shutil
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratagym.envs.task.graph import Automaton
from stratagym.envs.task.ltlf import FormulaError, atom_names, compile_formula, rename

Tree = tuple[Any, ...]
NAMES = ("done(a)", "running(b c)", "started(x [by hand].1)")


def trees(depth: int = 4) -> st.SearchStrategy[Tree]:
    """Random formulas as nested tuples."""
    leaves = st.sampled_from([("atom", 0), ("atom", 1), ("atom", 2), ("true",), ("false",)])
    return st.recursive(
        leaves,
        lambda t: st.one_of(
            st.tuples(st.sampled_from(["~", "X", "WX", "F", "G"]), t),
            st.tuples(st.sampled_from(["&", "|", "->", "U"]), t, t),
        ),
        max_leaves=2 * depth,
    )


def show(tree: Tree) -> str:
    """The formula as text, fully parenthesised."""
    if tree[0] == "atom":
        return NAMES[tree[1]]
    if len(tree) == 1:
        return str(tree[0])
    if len(tree) == 2:
        return f"{tree[0]} ({show(tree[1])})"
    return f"({show(tree[1])}) {tree[0]} ({show(tree[2])})"


def holds(tree: Tree, trace: list[int], i: int = 0) -> bool:
    """The definition of LTLf, word for word; bit k of a letter is atom k of NAMES."""
    last = len(trace) - 1
    match tree[0]:
        case "true":
            return True
        case "false":
            return False
        case "atom":
            return bool(trace[i] >> tree[1] & 1)
        case "~":
            return not holds(tree[1], trace, i)
        case "&":
            return holds(tree[1], trace, i) and holds(tree[2], trace, i)
        case "|":
            return holds(tree[1], trace, i) or holds(tree[2], trace, i)
        case "->":
            return not holds(tree[1], trace, i) or holds(tree[2], trace, i)
        case "X":
            return i < last and holds(tree[1], trace, i + 1)
        case "WX":
            return i == last or holds(tree[1], trace, i + 1)
        case "F":
            return any(holds(tree[1], trace, j) for j in range(i, last + 1))
        case "G":
            return all(holds(tree[1], trace, j) for j in range(i, last + 1))
        case _:
            return any(
                holds(tree[2], trace, j) and all(holds(tree[1], trace, k) for k in range(i, j))
                for j in range(i, last + 1)
            )


def run(atoms: list[tuple[str, str]], automaton: Automaton, trace: list[int]) -> int:
    """The state after a trace whose bits follow NAMES."""
    bits = [NAMES.index(f"{kind}({name})") for kind, name in atoms]
    state = automaton.initial
    for letter in trace:
        state = automaton.table[state][sum((letter >> b & 1) << k for k, b in enumerate(bits))]
    return state


@given(trees(), st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=6), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_automaton_accepts_exactly_the_traces_that_satisfy_the_formula(
    tree: Tree, traces: list[list[int]]
) -> None:
    """A trace is accepted if and only if it satisfies the formula by definition."""
    atoms, automaton = compile_formula(show(tree))
    for trace in traces:
        assert automaton.accepting[run(atoms, automaton, trace)] == holds(tree, trace)


@given(trees())
@settings(max_examples=150, deadline=None)
def test_automaton_is_minimal_complete_and_reachable(tree: Tree) -> None:
    """Every two states are told apart by some word, all are reachable, every row is full."""
    atoms, automaton = compile_formula(show(tree))
    count = len(automaton.table)
    assert len(automaton.accepting) == len(automaton.dead) == count
    assert all(len(row) == 2 ** len(atoms) for row in automaton.table)
    differ = {
        (p, q) for p in range(count) for q in range(count) if automaton.accepting[p] != automaton.accepting[q]
    }
    grown = True
    while grown:
        grown = False
        for pair in itertools.product(range(count), repeat=2):
            if pair in differ:
                continue
            steps = zip(automaton.table[pair[0]], automaton.table[pair[1]], strict=True)
            if any(step in differ for step in steps):
                differ.add(pair)
                grown = True
    assert len(differ) == count * (count - 1)
    seen = {automaton.initial}
    todo = [automaton.initial]
    while todo:
        for successor in automaton.table[todo.pop()]:
            if successor not in seen:
                seen.add(successor)
                todo.append(successor)
    assert len(seen) == count
    assert not automaton.accepting[automaton.initial]


@given(trees(3))
@settings(max_examples=100, deadline=None)
def test_dead_means_that_no_continuation_is_accepted(tree: Tree) -> None:
    """A state is dead exactly if breadth-first search from it meets no accepting state."""
    _, automaton = compile_formula(show(tree))
    for state, dead in enumerate(automaton.dead):
        seen = {state}
        todo = [state]
        while todo:
            for successor in automaton.table[todo.pop()]:
                if successor not in seen:
                    seen.add(successor)
                    todo.append(successor)
        assert dead == (not any(automaton.accepting[s] for s in seen))


@given(trees(3), trees(3))
@settings(max_examples=100, deadline=None)
def test_equivalent_formulas_have_one_automaton(a: Tree, b: Tree) -> None:
    """The automaton depends on the language and the order of atoms only."""
    same = [("atom", 0), ("atom", 1), ("atom", 2)]
    fixed: Tree = ("true",)
    for atom in same:
        fixed = ("&", fixed, ("|", atom, ("~", atom)))
    left = compile_formula(show(("&", fixed, ("~", ("U", a, b)))))
    weak = ("|", ("G", ("~", b)), ("&", ("~", b), ("U", ("~", b), ("&", ("~", a), ("~", b)))))
    right = compile_formula(show(("&", fixed, weak)))
    assert left == right


@pytest.mark.parametrize(
    ("plain", "explicit"),
    [
        ("~done(a) & done(b)", "(~done(a)) & done(b)"),
        ("F done(a) & done(b)", "(F done(a)) & done(b)"),
        ("X done(a) U done(b)", "(X done(a)) U done(b)"),
        ("done(a) U done(b) & done(c)", "(done(a) U done(b)) & done(c)"),
        ("done(a) & done(b) U done(c)", "done(a) & (done(b) U done(c))"),
        ("done(a) | done(b) & done(c)", "done(a) | (done(b) & done(c))"),
        ("done(a) & done(b) | done(c)", "(done(a) & done(b)) | done(c)"),
        ("done(a) -> done(b) | done(c)", "done(a) -> (done(b) | done(c))"),
        ("done(a) | done(b) -> done(c)", "(done(a) | done(b)) -> done(c)"),
        ("done(a) -> done(b) -> done(c)", "done(a) -> (done(b) -> done(c))"),
        ("done(a) U done(b) U done(c)", "done(a) U (done(b) U done(c))"),
        ("G ~ X done(a) -> F done(b)", "(G (~ (X done(a)))) -> (F done(b))"),
        ("WX WX done(a)", "WX (WX (done(a)))"),
    ],
)
def test_precedence(plain: str, explicit: str) -> None:
    """Unary binds tightest, then U, &, |, ->; U and -> lean to the right."""
    assert compile_formula(plain) == compile_formula(explicit)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(done(a) -> done(b)) -> done(c)", "done(a) -> done(b) -> done(c)"),
        ("(done(a) U done(b)) U done(c)", "done(a) U done(b) U done(c)"),
        ("X done(a)", "WX done(a)"),
        ("F (done(a) & done(b))", "F done(a) & done(b)"),
    ],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    """The precedence cases above can tell their two readings apart."""
    assert compile_formula(one) != compile_formula(other)


def test_names_are_taken_as_they_are() -> None:
    """Spaces, modes, copies, prefixes, braces and operator letters may stand in a name."""
    text = "G(done( b/x [by hand].1 ) -> F running(wash {dish}) | started(X)) & true"
    atoms, _ = compile_formula(text)
    assert atoms == [("done", "b/x [by hand].1"), ("running", "wash {dish}"), ("started", "X")]
    assert atom_names(text + " & done(X)") == ["b/x [by hand].1", "wash {dish}", "X"]


def test_rename_replaces_names_and_nothing_else() -> None:
    """Renaming keeps spacing and operators, and follows only whole names."""
    text = "G( done( a ) ->  X ~running(a b)) | started(a)"
    assert rename(text, lambda n: f"k/{n}") == "G( done( k/a ) ->  X ~running(k/a b)) | started(k/a)"
    assert (
        rename(text, lambda n: {"a": "a.2"}.get(n, n)) == "G( done( a.2 ) ->  X ~running(a b)) | started(a.2)"
    )
    assert rename("true", str.upper) == "true"


@pytest.mark.parametrize(
    ("text", "position", "word"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("done(a) &", 9, "missing"),
        ("& done(a)", 0, "begin"),
        ("(done(a)", 0, "never closed"),
        ("done(a))", 7, "never opened"),
        ("done(a) done(b)", 8, "operator"),
        ("done()", 0, "names nothing"),
        ("done", 0, "parentheses"),
        ("done(a & b)", 0, "not a name"),
        ("G done(a, b)", 2, "not a name"),
        ("done(f {x)", 0, "not a name"),
        ("GF done(a)", 0, "G F"),
        ("brew", 0, "done(brew)"),
        ("done(a) and done(b)", 8, "write &"),
        ("Done(a)", 0, "write done"),
        ("done(a) ! done(b)", 8, "'!'"),
        ("done(a) - done(b)", 8, "'-'"),
        ("X", 1, "missing"),
        ("()", 1, "missing"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(text: str, position: int, word: str) -> None:
    """A syntax error says where it is and what is wrong."""
    with pytest.raises(FormulaError, match=r".") as caught:
        compile_formula(text)
    assert caught.value.position == position
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_limits_are_refused_by_name() -> None:
    """Nine atoms, or 257 states, are one too many; eight and 256 are fine."""
    nine = " | ".join(f"done(a{i})" for i in range(9))
    with pytest.raises(FormulaError, match="9 different atoms"):
        compile_formula(nine)
    assert len(compile_formula(" & ".join(f"done(a{i})" for i in range(8)))[0]) == 8
    # n nested next operators need n + 3 states: before, n waiting, accepted, dead.
    assert len(compile_formula("X " * 253 + "done(a)")[1].table) == 256
    with pytest.raises(FormulaError, match="256 states"):
        compile_formula("X " * 254 + "done(a)")


@pytest.mark.parametrize(
    "text",
    [
        "X " * 200_000 + "done(a)",
        "F (done(a) & " + "X " * 30 + "done(b))",
        " & ".join(f"G (done(a{i}) -> X X X X running(a{i}))" for i in range(4)),
        " U ".join(f"X X (done(a{i % 8}) U X ~done(a{(i + 3) % 8}))" for i in range(40)),
    ],
)
def test_formulas_that_blow_up_are_refused_in_time(text: str) -> None:
    """A formula beyond the limits ends in one clear refusal, not in a hang."""
    start = time.process_time()
    with pytest.raises(FormulaError, match=r"states|intricate"):
        compile_formula(text)
    assert time.process_time() - start < 30


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000 + "done(a)" + ")" * 100_000,
        "~" * 100_001 + "done(a)",
        "G " * 50_000 + "done(a)",
        "G F " * 50_000 + "done(a)",
        " & ".join(["F done(a)"] * 50_000),
        "done(a) -> " * 50_000 + "done(a)",
        "done(a) U " * 50_000 + "done(b)",
    ],
)
def test_depth_is_no_limit(text: str) -> None:
    """Deeply nested formulas that mean little compile to little."""
    assert len(compile_formula(text)[1].table) <= 4


def test_against_mona() -> None:
    """The automata agree with those of ltlf2dfa and MONA on random formulas and traces."""
    parser_module = pytest.importorskip(
        "ltlf2dfa.parser.ltlf", reason="ltlf2dfa is not installed (an outside check; it needs MONA too)"
    )
    if shutil.which("mona") is None:
        pytest.skip("the program mona is not installed (an outside check)")
    draw = random.Random(5)
    for _ in range(40):
        tree = _random_tree(draw, 4)
        theirs = _read_dot(parser_module.LTLfParser()(_foreign(tree)).to_dfa())
        atoms, automaton = compile_formula(show(tree))
        for _ in range(40):
            trace = [draw.randrange(8) for _ in range(draw.randint(1, 6))]
            assert automaton.accepting[run(atoms, automaton, trace)] == theirs(trace), show(tree)


def _random_tree(draw: random.Random, depth: int) -> Tree:
    if depth == 0 or draw.random() < 0.15:
        return ("atom", draw.randrange(3))
    if draw.random() < 0.5:
        return (draw.choice(["~", "X", "WX", "F", "G"]), _random_tree(draw, depth - 1))
    return (draw.choice(["&", "|", "->", "U"]), _random_tree(draw, depth - 1), _random_tree(draw, depth - 1))


def _foreign(tree: Tree) -> str:
    """The formula in the syntax of ltlf2dfa."""
    if tree[0] == "atom":
        return "abc"[tree[1]]
    if len(tree) == 2:
        return f"{'!' if tree[0] == '~' else tree[0]}({_foreign(tree[1])})"
    return f"(({_foreign(tree[1])}) {tree[0]} ({_foreign(tree[2])}))"


def _read_dot(text: str) -> Any:
    """A function from traces to acceptance, from a drawing in the dot language."""
    final = {
        int(s) for line in re.findall(r"doublecircle\];([^\n]*)", text) for s in re.findall(r"\d+", line)
    }
    start = int(re.findall(r"init\s*->\s*(\d+)", text)[0])
    edges = [
        (int(p), int(q), label)
        for p, q, label in re.findall(r'(\d+)\s*->\s*(\d+)\s*\[label="([^"]*)"\]', text)
    ]

    def accepts(trace: list[int]) -> bool:
        state = start
        for letter in trace:
            values = {name: bool(letter >> i & 1) for i, name in enumerate("abc")}
            state = next(q for p, q, label in edges if p == state and _guard(label, values))
        return state in final

    return accepts


def _guard(label: str, values: dict[str, bool]) -> bool:
    """The value of a guard such as ``~a & (b | c)``."""
    for sign, word in {"~": " not ", "&": " and ", "|": " or "}.items():
        label = label.replace(sign, word)
    return bool(eval(label, {"__builtins__": {}}, {**values, "true": True, "false": False}))
