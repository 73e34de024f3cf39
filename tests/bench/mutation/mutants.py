"""Small defects, one at a time, in the source of a module: what a slip of a programmer looks like.

Comparisons, arithmetic, boolean operators, numbers and flags change; a branch is taken always or never; a statement,
a keyword argument or a result is lost; two arguments change places. Only what functions do is changed: constants and
defaults are choices that a test could only repeat. Annotations and the messages of errors and logs are left alone, too.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
WIDTH = 120
"""Characters of a mutant's description."""
NEUTRAL = {"description", "help", "dtype", "strict", "encoding"}
"""Keyword arguments that are texts for people, or say what holds anyway."""
SYMMETRIC = {"max", "min", "maximum", "minimum", "and_", "or_", "equal", "not_equal", "array_equal", "isclose"}
"""Functions for which the order of two arguments makes no difference."""
MESSAGES = {"msg", "message", "log", "logger", "warnings"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed module."""

    module: str
    kind: str
    line: int
    inside: str
    """Name of the function around it."""
    was: str
    now: str
    source: str
    """The whole module with the change."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What stays the same when lines move."""
        return self.module, self.inside, self.was, self.now

    def __str__(self) -> str:
        """For a list."""
        return f"{self.module}:{self.line} {self.inside}: `{self.was}` -> `{self.now}`"


def mutants_of(module: str, source: str) -> list[Mutant]:
    """All mutants of a module, in the order of its lines."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    content = source.encode()
    found = []
    for node, inside in _places(ast.parse(source), ""):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[node.end_lineno - 1] + node.end_col_offset
        was = content[first:last].decode()
        for kind, now in _changes(node):
            changed = (content[:first] + now.encode() + content[last:]).decode()
            if _differs(source, changed):
                found.append(Mutant(module, kind, node.lineno, inside, *_excerpts(was, now), changed))
    return sorted(found, key=lambda mutant: mutant.line)


def _excerpts(was: str, now: str) -> tuple[str, str]:
    """Both texts as one line each; of long ones what is around their first difference."""
    one, two = " ".join(was.split()), " ".join(now.split())
    if max(len(one), len(two)) <= WIDTH:
        return one, two
    bare = ast.unparse(ast.parse(f"({was})")) if now.startswith("(") else was  # as the changed text is laid out
    one, two = " ".join(bare.split()), two.removeprefix("(")
    same = next(
        (number for number, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two))
    )
    start = max(0, same - 30)
    cut = "…" if start else ""
    return f"{cut}{one[start : start + WIDTH]}", f"{cut}{two[start : start + WIDTH]}"


def _differs(before: str, after: str) -> bool:
    try:
        return ast.dump(ast.parse(before)) != ast.dump(ast.parse(after))
    except SyntaxError:
        return False


def _places(node: ast.AST, inside: str, *, in_function: bool = False) -> Iterator[tuple[ast.AST, str]]:
    """Every node that may change, with the name of what it is in."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "args"} and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_left_alone(child):
                continue
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                is_function = in_function or isinstance(child, ast.FunctionDef)
                yield from _places(child, f"{inside}.{child.name}".strip("."), in_function=is_function)
                continue
            if in_function and hasattr(child, "lineno"):
                yield child, inside
            yield from _places(child, inside, in_function=in_function)


def _is_left_alone(node: ast.AST) -> bool:
    """Documentation, messages, imports and types."""
    if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in NEUTRAL
    if isinstance(node, ast.Expr):
        call = node.value
        if isinstance(call, ast.Constant):
            return True
        return (
            isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and _name(call.func.value) in MESSAGES
        )
    return isinstance(node, ast.Assign) and _name(node.targets[0]) in MESSAGES


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _changes(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Kind and new text of each change to a node."""
    if isinstance(node, ast.expr):
        for kind, changed in _changed_expressions(node):
            yield kind, f"({ast.unparse(changed)})"
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield "result", "return None"
    elif isinstance(node, ast.Raise | ast.AugAssign | ast.Continue | ast.Break) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "statement", "pass"
    elif isinstance(node, ast.If):
        for constant in (True, False):
            changed = copy.copy(node)
            changed.test = ast.Constant(constant)
            indented = ast.unparse(changed).splitlines()
            yield "branch", ("\n" + " " * node.col_offset).join(indented)


def _changed_expressions(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            changed = copy.copy(node)
            changed.ops = [*node.ops[:number], COMPARISONS[type(operator)](), *node.ops[number + 1 :]]
            yield "comparison", changed
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield "arithmetic", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield "boolean", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert | ast.USub):
        yield "boolean", node.operand
    elif isinstance(node, ast.IfExp):
        yield "branch", node.body
        yield "branch", node.orelse
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield "constant", ast.Constant(_other(node.value))
    elif isinstance(node, ast.Call):
        yield from _changed_calls(node)


def _changed_calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    swappable = len(node.args) >= 2 and not any(isinstance(item, ast.Starred) for item in node.args[:2])
    name = node.func.attr if isinstance(node.func, ast.Attribute) else _name(node.func)
    if swappable and name not in SYMMETRIC and ast.dump(node.args[0]) != ast.dump(node.args[1]):
        yield "arguments", ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in NEUTRAL:
            yield "keyword", ast.Call(node.func, node.args, node.keywords[:number] + node.keywords[number + 1 :])


def _other(value: float) -> float:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value * 2 or 1.0


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
