"""LTLf formulas as text, and the small automata that they compile to.

Owns the syntax of ``constraints`` entries: reading, renaming of atoms. What an atom's
name refers to is none of its business: names are text here, ``compose`` resolves them.
The translation itself is in ``ltlf_automaton``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from stratagym.envs.task.graph import AtomKind, Automaton
from stratagym.envs.task.ltlf_automaton import Atom, Formula, FormulaError, automaton_of

__all__ = ["MAX_ATOMS", "FormulaError", "atom_names", "compile_formula", "rename"]

MAX_ATOMS = 8
_KINDS: dict[str, AtomKind] = {"done": "done", "running": "running", "started": "started"}
_UNARY = ("~", "X", "WX", "F", "G")
_BINARY = {"->": 1, "|": 2, "&": 3, "U": 4}
_RIGHT = ("->", "U")
_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z_]\w*)|(?P<sign>->|[~&|()])|(?P<bad>\S))")
_ARGUMENT = re.compile(r"\s*\(([^()]*)\)")
_NAME = re.compile(r"[^(){}&|~,]*(?:\{[^(){}&|~,]*\}[^(){}&|~,]*)*")


@dataclass(frozen=True, slots=True)
class _Token:
    """A sign, a word or an atom; ``span`` is that of the name if it is an atom."""

    text: str
    start: int
    atom: Atom | None = None
    span: tuple[int, int] = (0, 0)


def _tokens(text: str) -> Iterator[_Token]:
    """Yield the tokens of a formula, then one with empty text."""
    place = 0
    while match := _TOKEN.match(text, place):
        kind = match.lastgroup or ""
        start = match.start(kind)
        word = match.group(kind)
        place = match.end()
        if kind == "bad":
            raise FormulaError(f"unexpected {word!r}", start)
        if word in _KINDS:
            token = _atom(text, word, start, place)
            place = text.index(")", token.span[1]) + 1
            yield token
        elif kind == "word" and word not in (*_UNARY, *_BINARY, "true", "false"):
            _unknown_word(word, start)
        else:
            yield _Token(word, start)
    yield _Token("", len(text))


def _atom(text: str, kind: str, start: int, place: int) -> _Token:
    """Return the atom whose kind ends at ``place``."""
    match = _ARGUMENT.match(text, place)
    if match is None:
        raise FormulaError(f"{kind} needs a name in parentheses, as in {kind}(brew)", start)
    name = match.group(1).strip()
    if not name:
        raise FormulaError(f"{kind}() names nothing", start)
    if not _NAME.fullmatch(name):
        raise FormulaError(f"{name!r} is not a name: {kind}(...) takes one name, not an expression", start)
    left = match.start(1) + len(match.group(1)) - len(match.group(1).lstrip())
    return _Token(kind, start, (_KINDS[kind], name), (left, left + len(name)))


def _unknown_word(word: str, start: int) -> NoReturn:
    """Refuse a word that is no operator, with the likely fix."""
    if set(word) <= set("XFGUW"):
        parts = re.findall(r"WX|[XFGU]", word)
        hint = f"; write the operators apart: {' '.join(parts)}" if "".join(parts) == word else ""
    elif word.lower() in (*_KINDS, "true", "false"):
        hint = f"; write {word.lower()}"
    elif word.lower() in ("not", "and", "or", "implies"):
        signs = {"not": "~", "and": "&", "or": "|", "implies": "->"}
        hint = f"; write {signs[word.lower()]}"
    else:
        hint = f"; write done({word}), running({word}) or started({word}) for an atom"
    raise FormulaError(f"unknown word {word!r}{hint}", start)


def atom_names(text: str) -> list[str]:
    """Return the names that the atoms of a formula mention, each once, in order.

    Raises:
        FormulaError: if the text has a part that is no token of the language.
    """
    return list(dict.fromkeys(token.atom[1] for token in _tokens(text) if token.atom))


def rename(text: str, mapping: Callable[[str], str]) -> str:
    """Return the formula with the name of every atom replaced by ``mapping(name)``.

    All else is kept as written.

    Raises:
        FormulaError: if the text has a part that is no token of the language.
    """
    parts: list[str] = []
    place = 0
    for token in _tokens(text):
        if token.atom:
            parts += [text[place : token.span[0]], mapping(token.atom[1])]
            place = token.span[1]
    return "".join(parts) + text[place:]


def compile_formula(text: str) -> tuple[list[Atom], Automaton]:
    """Compile a formula to its minimal complete automaton.

    Args:
        text: the formula.

    Returns:
        The atoms (kind, name) in the order in which they first occur, and the
        automaton over letters whose bit k is atom k. States are numbered breadth
        first from the initial state 0, so equivalent formulas over the same atoms
        have equal automata. The initial state does not accept: traces are not empty.

    Raises:
        FormulaError: if the text is no formula, has more than 8 atoms, needs more
            than 256 states, or is too intricate to translate.
    """
    formula = Formula()
    root = _parse(text, formula)
    if len(formula.atoms) > MAX_ATOMS:
        raise FormulaError(f"{len(formula.atoms)} different atoms, at most {MAX_ATOMS} are allowed")
    return list(formula.atoms), automaton_of(formula, root)


def _parse(text: str, formula: Formula) -> int:
    """Read a formula into ``formula`` by operator precedence; return its root."""
    values: list[int] = []
    pending: list[_Token] = []

    def reduce(level: int, right: bool) -> None:
        """Apply pending operators that bind tighter than one of this level."""
        while pending and pending[-1].text != "(":
            operator = pending[-1].text
            own = 5 if operator in _UNARY else _BINARY[operator]
            if own < level or (own == level and right):
                return
            pending.pop()
            b = values.pop()
            if operator in _UNARY:
                values.append(formula.unary(operator, b))
            else:
                values.append(formula.binary(operator, values.pop(), b))

    operand = True
    for token in _tokens(text):
        if operand:
            if token.text in _UNARY or token.text == "(":
                pending.append(token)
                continue
            if token.atom:
                values.append(formula.atom(token.atom))
            elif token.text in ("true", "false"):
                values.append(int(token.text == "true"))
            else:
                _missing(token, pending)
            operand = False
        elif token.text in _BINARY:
            reduce(_BINARY[token.text], token.text in _RIGHT)
            pending.append(token)
            operand = True
        else:
            reduce(0, False)
            if token.text == ")" and pending:
                pending.pop()
            elif token.text == "" and pending:
                raise FormulaError("this parenthesis is never closed", pending[-1].start)
            elif token.text == ")":
                raise FormulaError("this parenthesis was never opened", token.start)
            elif token.text:
                raise FormulaError(f"an operator is missing before {token.text!r}", token.start)
    return values[0]


def _missing(token: _Token, pending: list[_Token]) -> NoReturn:
    """Refuse a token where an operand should stand."""
    found = repr(token.text) if token.text else "the end"
    if not pending:
        if not token.text:
            raise FormulaError("the formula is empty")
        raise FormulaError(f"a formula cannot begin with {found}", token.start)
    raise FormulaError(f"something is missing between {pending[-1].text!r} and {found}", token.start)
