"""The mutants of a source file: copies with one small fault each.

:func:`mutants` lists them, and ``mutate.py`` tests them. The faults are:

=============== ==================================================================================
``boundary``    ``<`` becomes ``<=``, ``>=`` becomes ``>``, and so on
``negation``    a comparison is negated: ``<`` becomes ``>=``, ``==`` becomes ``!=``, ``in`` becomes ``not in``
``condition``   the condition of ``if``, ``while``, ``assert``, a conditional expression or a comprehension is negated
``boolean``     ``and`` becomes ``or``, and the reverse; ``not`` is removed
``arithmetic``  ``+`` becomes ``-``, ``*`` becomes ``/``, and so on; a minus sign is removed
``constant``    an integer changes by 1 up or down, another number becomes 0 or grows by 1, True becomes False
``argument``    a keyword argument is removed; two neighbouring positional arguments are exchanged
``return``      ``return x`` becomes ``return None``
``statement``   a call, an assignment to an element or attribute, ``raise``, ``break`` or ``continue`` is removed
=============== ==================================================================================

Docstrings, messages (f-strings, and everything in ``raise``), annotations, decorators and ``__all__`` are not changed,
nor are arguments that cannot change a result (:data:`NO_EFFECT`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Mutant", "mutants"]

NO_EFFECT = frozenset({"doc", "frozen", "include_url", "stacklevel", "strict"})
"""Keyword arguments without an effect on the results of correct programs."""

COMMUTATIVE = frozenset({"fmax", "fmin", "hypot", "max", "maximum", "min", "minimum", "point_errors"})
"""Functions whose positional arguments may be exchanged."""

_BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_NEGATION = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One fault in one file."""

    operator: str
    line: int
    function: str
    """Qualified name of the enclosing function or class; ``module`` outside of one."""
    before: str
    """The first line of the changed statement."""
    after: str
    text: Callable[[], str]
    """Returns the source of the complete mutated file."""

    @property
    def change(self) -> str:
        """The change as ``before -> after``, which identifies the mutant within its function."""
        return f"{self.before} -> {self.after}"


@dataclass
class _Place:
    """A node with its position in the tree."""

    node: ast.AST
    holder: ast.AST
    field: str
    index: int | None
    statement: ast.stmt
    function: str

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.holder, self.field, node)
        else:
            getattr(self.holder, self.field)[self.index] = node


def mutants(source: str) -> list[Mutant]:
    """Return the mutants of a file, in the order of its lines.

    Example:
        >>> [m.change for m in mutants("def f(x):\\n    return x < 1")]
        ['return x < 1 -> return None', 'return x < 1 -> return x <= 1', 'return x < 1 -> return x >= 1', \
'return x < 1 -> return x < 2', 'return x < 1 -> return x < 0']
    """
    tree = ast.parse(source)
    found: list[Mutant] = []
    seen = set()
    for place in _places(tree):
        for operator, node in _changes(place):
            before, line = _first_line(place.statement), getattr(place.node, "lineno", place.statement.lineno)
            place.put(node)
            # The statement itself may be the one that is replaced.
            after = _first_line(
                node if place.node is place.statement and isinstance(node, ast.stmt) else place.statement
            )
            place.put(place.node)
            # Equal constants in one statement, or long statements, can give the same first line: number them.
            key = (place.function, before, after)
            count = sum(k == key for k, _ in seen)
            seen.add((key, count))
            if count:
                after += f"  # {count + 1}"
            found.append(Mutant(operator, line, place.function, before, after, _writer(tree, place, node)))
    return sorted(found, key=lambda mutant: mutant.line)


def _writer(tree: ast.Module, place: _Place, node: ast.AST) -> Callable[[], str]:
    def text() -> str:
        place.put(node)
        try:
            return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        finally:
            place.put(place.node)

    return text


def _first_line(statement: ast.AST) -> str:
    """Return a statement without its body, as one line of at most 160 characters."""
    text = ast.unparse(ast.fix_missing_locations(statement))
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.If | ast.With | ast.Try):
        text = next(line for line in text.splitlines() if not line.startswith("@"))
    return " ".join(text.split())


def _places(tree: ast.Module) -> Iterator[_Place]:
    """Yield the nodes that may be changed."""

    def visit(node: ast.AST, statement: ast.stmt, function: str) -> Iterator[_Place]:
        for field, value in ast.iter_fields(node):
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or _is_skipped(node, field, child):
                    continue
                inside = child if isinstance(child, ast.stmt) else statement
                name = function
                if isinstance(child, ast.FunctionDef | ast.ClassDef):
                    name = child.name if function == "module" else f"{function}.{child.name}"
                yield _Place(child, node, field, index, inside, function)
                yield from visit(child, inside, name)

    for index, statement in enumerate(tree.body):
        if not _is_skipped(tree, "body", statement):
            name = statement.name if isinstance(statement, ast.FunctionDef | ast.ClassDef) else "module"
            yield _Place(statement, tree, "body", index, statement, "module")
            yield from visit(statement, statement, name)


def _is_skipped(holder: ast.AST, field: str, child: ast.AST) -> bool:
    if field in ("annotation", "returns", "decorator_list", "ctx") or isinstance(child, ast.JoinedStr):
        return True
    if isinstance(holder, ast.Raise) or isinstance(child, ast.Import | ast.ImportFrom):
        return True
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True
    if isinstance(child, ast.keyword):
        return child.arg in NO_EFFECT
    if isinstance(child, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == "__all__" for target in child.targets)
    return isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"


def _changes(place: _Place) -> Iterator[tuple[str, ast.AST]]:
    """Yield the operator and the new node of each fault of one node."""
    node = place.node
    if isinstance(node, ast.Compare):
        for index, operation in enumerate(node.ops):
            for name, table in (("boundary", _BOUNDARY), ("negation", _NEGATION)):
                if type(operation) in table:
                    operations = [*node.ops[:index], table[type(operation)](), *node.ops[index + 1 :]]
                    yield name, ast.Compare(node.left, operations, node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield "boolean", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp):
        yield "boolean" if isinstance(node.op, ast.Not | ast.Invert) else "arithmetic", node.operand
    elif isinstance(node, ast.BinOp):
        if type(node.op) in _ARITHMETIC and not (_is_text(node.left) or _is_text(node.right)):
            yield "arithmetic", ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.AugAssign):
        if type(node.op) in _ARITHMETIC:
            yield "arithmetic", ast.AugAssign(node.target, _ARITHMETIC[type(node.op)](), node.value)
        yield "statement", ast.Pass()
    elif isinstance(node, ast.Constant):
        for value in _other_values(node.value):
            yield "constant", ast.Constant(value)
    elif isinstance(node, ast.Call):
        yield from _other_arguments(node)
    elif isinstance(node, ast.Return):
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Raise | ast.Break | ast.Continue | ast.Delete):
        yield "statement", ast.Pass()
    elif isinstance(node, ast.Expr):
        if isinstance(node.value, ast.Call):
            yield "statement", ast.Pass()
    elif isinstance(node, ast.Assign) and not any(isinstance(t, ast.Name | ast.Tuple) for t in node.targets):
        yield "statement", ast.Pass()
    if place.field in ("test", "ifs") and not isinstance(node, ast.Compare | ast.UnaryOp):
        yield "condition", ast.UnaryOp(ast.Not(), node)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _other_values(value: object) -> list[bool | int | float]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1] if value > 0 else [value + 1]
    if isinstance(value, float):
        return [value + 1, 0.0] if value else [1.0]
    return []


def _other_arguments(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in NO_EFFECT:
            yield "argument", ast.Call(node.func, node.args, node.keywords[:index] + node.keywords[index + 1 :])
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    for index in range(len(node.args) - 1 if name not in COMMUTATIVE else 0):
        pair = node.args[index : index + 2]
        if not any(isinstance(a, ast.Starred) or _is_text(a) for a in pair):
            arguments = [*node.args[:index], pair[1], pair[0], *node.args[index + 2 :]]
            yield "argument", ast.Call(node.func, arguments, node.keywords)
