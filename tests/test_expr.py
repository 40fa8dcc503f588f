"""Expressions as in ``needs``: parsed by the stated precedence, printed so that they parse back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratagym.envs.task.expr import (
    And,
    AtLeast,
    Expr,
    ExprError,
    Name,
    Not,
    Or,
    evaluate,
    names,
    parse,
    rename,
    rename_text,
    render,
)

NAMES = (
    "a",
    "boil water",
    "fry [by hand]",
    "wash {dish}",
    "wash {dish}.2",
    "a.1.2",
    "tea/brew it",
    "7",
    "2 offers",
    "of",
    "Tee kochen für zwei",
    "x-y+z*!",
    "double  space",
)


def _deeper(parts: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    counted = st.lists(parts, min_size=1, max_size=4).flatmap(
        lambda p: st.integers(1, len(p)).map(lambda k: AtLeast(k, tuple(p)))
    )
    return st.one_of(parts.map(Not), several.map(And), several.map(Or), counted)


EXPRESSIONS: st.SearchStrategy[Expr] = st.recursive(st.sampled_from(NAMES).map(Name), _deeper, max_leaves=12)


@given(EXPRESSIONS)
def test_printed_expression_parses_to_the_same_tree(tree: Expr) -> None:
    """Printing and parsing an expression gives the same tree back."""
    assert parse(render(tree)) == tree


@given(st.text(alphabet="ab &|~(),2of{}[]", max_size=40))
@settings(max_examples=300)
def test_any_text_parses_or_is_refused_with_a_position(text: str) -> None:
    """Any text either parses to a tree that prints and parses back, or is refused at a place in it."""
    problem: ExprError | None = None
    try:
        tree = parse(text)
    except ExprError as error:
        problem = error
    if problem is None:
        assert parse(render(tree)) == tree
    else:
        assert 0 <= problem.position <= len(text)
        assert f"at character {problem.position + 1}" in str(problem)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", Name("a")),
        ("  boil water ", Name("boil water")),
        ("a & b & c", And((Name("a"), Name("b"), Name("c")))),
        ("a | b & ~c", Or((Name("a"), And((Name("b"), Not(Name("c"))))))),
        ("(a | b) & c", And((Or((Name("a"), Name("b"))), Name("c")))),
        ("~a & b", And((Not(Name("a")), Name("b")))),
        ("~(a & b)", Not(And((Name("a"), Name("b"))))),
        ("~~a", Not(Not(Name("a")))),
        ("((a))", Name("a")),
        ("2 of (a, b | c, ~d)", AtLeast(2, (Name("a"), Or((Name("b"), Name("c"))), Not(Name("d"))))),
        ("2  of(a,b)", AtLeast(2, (Name("a"), Name("b")))),
        ("1 of (a)", AtLeast(1, (Name("a"),))),
        ("wash {dish}.1 & fry [by hand]", And((Name("wash {dish}.1"), Name("fry [by hand]")))),
        ("a\n& b", And((Name("a"), Name("b")))),
    ],
)
def test_precedence(text: str, tree: Expr) -> None:
    """``~`` binds before ``&`` before ``|``; names keep inner spaces and lose outer ones."""
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "a name is expected"),
        ("a &", 3, "ends"),
        ("& a", 0, "found '&'"),
        ("a ~ b", 2, "operator"),
        ("a (b)", 2, "operator"),
        ("a, b", 1, "found ','"),
        ("(a & b", 0, "never closed"),
        ("a)", 1, "found ')'"),
        ("2 of a", 0, "parentheses"),
        ("3 of (a, b)", 0, "1 to 2"),
        ("0 of (a, b)", 0, "1 to 2"),
        ("99999999999999999999999 of (a, b)", 0, "1 to 2"),
        ("2 of ()", 6, "a name is expected"),
        ("2 of (a,)", 8, "a name is expected"),
        ("(" * 65 + "a", 64, "64 levels"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text: str, position: int, words: str) -> None:
    """The error of an unreadable expression says what and where."""
    with pytest.raises(ExprError) as caught:
        parse(text)
    assert caught.value.position == position
    assert words in str(caught.value)


@given(EXPRESSIONS, st.sets(st.sampled_from(NAMES)))
def test_truth(tree: Expr, done: set[str]) -> None:
    """Evaluation agrees with Python's own operators on the printed text."""
    python = render(tree)
    for k, name in enumerate(sorted(set(names(tree)), key=lambda n: -len(n))):
        python = rename_text(python, lambda n, name=name, k=k: f"v{k}" if n == name else n)  # type: ignore[misc]
    values = {f"v{k}": name in done for k, name in enumerate(sorted(set(names(tree)), key=lambda n: -len(n)))}

    def count(tree: Expr) -> bool:
        match tree:
            case Name(name):
                return values[name]
            case Not(part):
                return not count(part)
            case And(parts):
                return min(count(p) for p in parts)
            case Or(parts):
                return max(count(p) for p in parts)
            case AtLeast(k, parts):
                return sorted((count(p) for p in parts), reverse=True)[k - 1]

    assert evaluate(tree, done.__contains__) == count(parse(python))


@given(EXPRESSIONS)
def test_renaming_the_text_is_renaming_the_tree(tree: Expr) -> None:
    """Renaming in the text and in the tree come to the same, and renaming back undoes it."""
    there = rename_text(render(tree), lambda name: f"p/{name}")
    assert parse(there) == rename(tree, lambda name: f"p/{name}")
    assert rename_text(there, lambda name: name.removeprefix("p/")) == render(tree)


def test_renaming_leaves_a_count_in_a_family_alone() -> None:
    """``{k} of (`` in the text of a family is no name."""
    assert rename_text("{k} of (a, {d}) & e", lambda n: f"p/{n}") == "{k} of (p/a, p/{d}) & p/e"
