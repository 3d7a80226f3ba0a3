"""Formulas of lesson files, as in ``fast > 2 * slow``: arithmetic, comparisons, measures.

They are read by Python's parser and computed here, node by node: nothing else can be called.
"""

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Call = Callable[[str, list[str | float]], Any]
"""Computes a measure from its name and its arguments: experiments and numbers."""


class FormulaError(ValueError):
    """A formula that cannot be read; its text says why."""


def _divide(a: float, b: float) -> float:
    """IEEE 754's division: a gradient of 0 makes no lesson fail."""
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)


def _power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.Pow: _power,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {"abs": abs, "max": max, "min": min}


@dataclass(frozen=True)
class MeasureCall:
    """A measure in a formula: its name and arguments, names as text."""

    name: str
    arguments: tuple[str | float, ...]

    def __str__(self) -> str:
        words = (each if isinstance(each, str) else f"{each:g}" for each in self.arguments)
        return f"{self.name}({', '.join(words)})"


@dataclass(frozen=True)
class Formula:
    """A formula that was read: the names of figures and the measures in it."""

    text: str
    tree: ast.expr
    figures: tuple[str, ...]
    calls: tuple[MeasureCall, ...]

    @property
    def is_call(self) -> bool:
        """Whether it is one measure and nothing else."""
        name = self.tree.func if isinstance(self.tree, ast.Call) else None
        return isinstance(name, ast.Name) and [name.id] == [call.name for call in self.calls]

    @property
    def is_condition(self) -> bool:
        """Whether its value is true or false."""
        return _is_condition(self.tree)


def read(text: str) -> Formula:
    """Read a formula; raise ``FormulaError`` if it is anything else."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError("is no formula") from None
    figures: list[str] = []
    calls: list[MeasureCall] = []
    for part in _parts(tree):
        if isinstance(part, MeasureCall):
            calls.append(part)
        else:
            figures.append(part)
    return Formula(text, tree, tuple(dict.fromkeys(figures)), tuple(calls))


def _parts(node: ast.expr) -> Iterator[str | MeasureCall]:
    """The names and measures below a node; raise ``FormulaError`` for what is not allowed."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Call) and _function(node) not in _FUNCTIONS:
        yield MeasureCall(_function(node), tuple(_argument(value) for value in node.args))
    else:
        for operand in _operands(node):
            yield from _parts(operand)


def _function(node: ast.Call) -> str:
    """The name of what is called."""
    if not isinstance(node.func, ast.Name) or node.keywords:
        raise FormulaError(f"{ast.unparse(node):.40} is not allowed in a formula")
    return node.func.id


def _operands(node: ast.expr) -> Sequence[ast.expr]:
    """What an operation of a formula is applied to; raise ``FormulaError`` for any other node."""
    match node:
        case ast.Constant(value=value) if _is_number(value):
            return ()
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            return (operand,)
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
            return (left, right)
        case ast.BoolOp(values=values):
            return values
        case ast.Compare(left=left, ops=ops) if all(type(op) in _COMPARISONS for op in ops):
            return (left, *node.comparators)
        case ast.Call(args=arguments):
            name = _function(node)
            if name == "abs" and len(arguments) != 1:
                raise FormulaError("abs() takes one argument")
            if name != "abs" and len(arguments) < 2:
                raise FormulaError(f"{name}() needs more arguments")
            return arguments
    raise FormulaError(f"{ast.unparse(node):.40} is not allowed in a formula")


def _argument(node: ast.expr) -> str | float:
    if isinstance(node, ast.Name):
        return node.id
    is_negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    inner = node.operand if isinstance(node, ast.UnaryOp) and is_negative else node
    if isinstance(inner, ast.Constant) and _is_number(inner.value):
        number = float(str(inner.value))
        return -number if is_negative else number
    raise FormulaError(f"{ast.unparse(node):.40}: a measure takes experiments and numbers")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_condition, node.values))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _is_condition(node.operand)
    return isinstance(node, ast.Compare)


def compute(formula: Formula, figures: Mapping[str, float], call: Call) -> Any:
    """The value of a formula, from the figures it names and the measures it calls."""

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return float(str(node.value))
            case ast.Name():
                return figures[node.id]
            case ast.UnaryOp():
                inner = value(node.operand)
                return not inner if isinstance(node.op, ast.Not) else -inner
            case ast.BinOp():
                return _ARITHMETIC[type(node.op)](value(node.left), value(node.right))
            case ast.BoolOp():
                found = [bool(value(item)) for item in node.values]
                return all(found) if isinstance(node.op, ast.And) else any(found)
            case ast.Compare():
                values = [value(node.left), *map(value, node.comparators)]
                return all(
                    _COMPARISONS[type(op)](a, b)
                    for op, a, b in zip(node.ops, values, values[1:], strict=False)
                )
            case ast.Call(func=ast.Name(id=name)) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*map(value, node.args))
            case ast.Call(func=ast.Name(id=name)):
                return call(name, [_argument(item) for item in node.args])
        raise FormulaError(f"{ast.unparse(node):.40} is not allowed in a formula")

    return value(formula.tree)
