"""Boolean expressions over names, as in ``needs``: parse, print, walk, evaluate.

Owns the text form ``chop & (boil | ~spoiled)`` and its tree. ``~`` binds before
``&`` before ``|``; ``2 of (a, b, c)`` holds when at least two do. It does not
know which names exist; ``gates`` turns trees into threshold gates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FORBIDDEN = "&|~(),{}"
"""Characters that no name may contain (braces only in the name of a family)."""

DEEPEST = 64
"""How deep parentheses and negations may nest."""

_TOKEN = re.compile(r"[&|~(),]|[^&|~(),]+")
_COUNT = re.compile(r"([0-9]+)\s+of")
COUNT_NAME = re.compile(r"[0-9]+\s+of\b")
"""How no name may begin."""


@dataclass(frozen=True, slots=True)
class Name:
    """A subtask, task or family that is done."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """Holds if its part does not."""

    part: Expr


@dataclass(frozen=True, slots=True)
class And:
    """Holds if all of its two or more parts do."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Holds if any of its two or more parts does."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Holds if at least ``count`` of its parts do."""

    count: int
    parts: tuple[Expr, ...]


Expr = Name | Not | And | Or | AtLeast


class ExprError(ValueError):
    """An expression that cannot be read; the message says what and where (from 1)."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem, position)
        self.problem = problem
        self.position = position

    def __str__(self) -> str:
        """Return the problem and its position in the text."""
        return f"{self.problem} (at character {self.position + 1})"


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, int]] = []
        for match in _TOKEN.finditer(text):
            token = match.group().strip()
            if token:
                start = match.start() + len(match.group()) - len(match.group().lstrip())
                self.tokens.append((token, start))
        self.tokens.append(("", len(text)))
        self.next = 0
        self.depth = 0

    def take(self, token: str) -> bool:
        """Step over the token if it comes next."""
        if self.tokens[self.next][0] != token:
            return False
        self.next += 1
        return True

    def enter(self) -> None:
        """Count one more level of nesting."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExprError(f"nested more than {DEEPEST} levels deep", self.tokens[self.next][1])

    def any(self) -> Expr:
        """Read parts joined by ``|``."""
        parts = [self.all()]
        while self.take("|"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all(self) -> Expr:
        """Read parts joined by ``&``."""
        parts = [self.unary()]
        while self.take("&"):
            parts.append(self.unary())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def unary(self) -> Expr:
        """Read a name, a group or a count, with any ``~`` before it."""
        before = self.depth
        negations = 0
        while self.take("~"):
            self.enter()
            negations += 1
        part = self.group()
        for _ in range(negations):
            part = Not(part)
        self.depth = before
        return part

    def group(self) -> Expr:
        """Read a name, parentheses, or ``k of (...)``."""
        token, position = self.tokens[self.next]
        if token == "(":
            self.enter()
            self.next += 1
            part = self.any()
            self.close(position)
            self.depth -= 1
            return part
        if token == "" or token in FORBIDDEN:
            found = f"found '{token}'" if token else "the expression ends"
            raise ExprError(f"a name is expected, but {found}", position)
        self.next += 1
        count = _COUNT.fullmatch(token)
        if count and self.tokens[self.next][0] == "(":
            return self.count(count.group(1), position)
        if COUNT_NAME.match(token):
            raise ExprError(f"'{token[:40]}' needs a list in parentheses: 2 of (a, b, c)", position)
        return Name(token)

    def count(self, digits: str, position: int) -> Expr:
        """Read the list of ``k of (...)``."""
        self.enter()
        opening = self.tokens[self.next][1]
        self.next += 1
        parts = [self.any()]
        while self.take(","):
            parts.append(self.any())
        self.close(opening)
        self.depth -= 1
        wanted = int(digits) if len(digits) < 10 else 2**31
        if not 1 <= wanted <= len(parts):
            raise ExprError(
                f"'{digits[:20]} of' has {len(parts)} to choose from, so the number must be "
                f"1 to {len(parts)}",
                position,
            )
        return AtLeast(wanted, tuple(parts))

    def close(self, opening: int) -> None:
        """Step over the closing parenthesis."""
        if not self.take(")"):
            token, position = self.tokens[self.next]
            if token == "":
                raise ExprError("this parenthesis is never closed", opening)
            raise ExprError(f"an operator or ')' is expected, but found '{token[:40]}'", position)


def parse(text: str) -> Expr:
    """Read an expression.

    Args:
        text: such as ``chop & 2 of (boil, fry [in pan], ~wash {dish})``.

    Returns:
        Its tree; names stand as written, without outer spaces.

    Raises:
        ExprError: if it cannot be read, with the position.
    """
    reader = _Reader(text)
    tree = reader.any()
    token, position = reader.tokens[reader.next]
    if token:
        expected = "an operator (& or |) is expected"
        raise ExprError(f"{expected}, but found '{token[:40]}'", position)
    return tree


def render(expr: Expr) -> str:
    """Return the text of an expression; ``parse`` gives the same tree back."""
    match expr:
        case Name(name):
            return name
        case Not(part):
            return f"~{_inner(part, (And, Or))}"
        case And(parts):
            return " & ".join(_inner(p, (And, Or)) for p in parts)
        case Or(parts):
            return " | ".join(_inner(p, (Or,)) for p in parts)
        case AtLeast(count, parts):
            return f"{count} of ({', '.join(render(p) for p in parts)})"


def _inner(expr: Expr, looser: tuple[type, ...]) -> str:
    text = render(expr)
    return f"({text})" if isinstance(expr, looser) else text


def names(expr: Expr) -> Iterator[str]:
    """Yield every name in the expression, in order, as often as it occurs."""
    match expr:
        case Name(name):
            yield name
        case Not(part):
            yield from names(part)
        case And(parts) | Or(parts) | AtLeast(_, parts):
            for part in parts:
                yield from names(part)


def rename(expr: Expr, new: Callable[[str], str]) -> Expr:
    """Return the expression with each name replaced by ``new(name)``."""
    match expr:
        case Name(name):
            return Name(new(name))
        case Not(part):
            return Not(rename(part, new))
        case And(parts):
            return And(tuple(rename(p, new) for p in parts))
        case Or(parts):
            return Or(tuple(rename(p, new) for p in parts))
        case AtLeast(count, parts):
            return AtLeast(count, tuple(rename(p, new) for p in parts))


def evaluate(expr: Expr, done: Callable[[str], bool]) -> bool:
    """Return whether the expression holds, given which names are done."""
    match expr:
        case Name(name):
            return done(name)
        case Not(part):
            return not evaluate(part, done)
        case And(parts):
            return all(evaluate(p, done) for p in parts)
        case Or(parts):
            return any(evaluate(p, done) for p in parts)
        case AtLeast(count, parts):
            return sum(evaluate(p, done) for p in parts) >= count


def rename_text(text: str, new: Callable[[str], str]) -> str:
    """Return the text with every name replaced, all else as it stands.

    Unlike ``rename`` it also works on the text of a family, in which ``{k} of (``
    is not a name either.
    """
    pieces: list[str] = []
    follows = ""
    for match in reversed(list(_TOKEN.finditer(text))):
        piece = match.group()
        token = piece.strip()
        operator = not token or token in FORBIDDEN or (follows == "(" and token.endswith("of"))
        pieces.append(piece if operator else piece.replace(token, new(token)))
        follows = token or follows
    return "".join(reversed(pieces))
