"""Code that came from a notebook: run cell by cell in one namespace, each with what it gave out."""

import re

MARK = re.compile(r"# %% (?:cell ([0-9]+)|inputs)[ \t]*")


class Cells:
    """The cells of the code, with the lines at which they begin."""

    def __init__(self, text):
        self.found = []
        self.running = None
        for number, line in enumerate(text.split("\n"), 1):
            mark = MARK.fullmatch(line)
            if mark:
                self.found.append((mark.group(1), number + 1, []))
            elif self.found:
                self.found[-1][2].append(line)

    def place(self, line):
        """The cell of a line of the code, and the line in it."""
        for name, first, _ in reversed(self.found):
            if first <= line:
                return _called(name), line - first + 1
        return "cell", line


def _called(name):
    return "its inputs" if name is None else f"cell {name}"


def run(attempt, module):
    """Runs the cells one after the other; the first that fails ends it."""
    import ast

    with open(attempt.code, encoding="utf-8") as file:
        cells = Cells(file.read())
    attempt.cells = cells
    shown = attempt.display
    flags = 0
    for name, first, lines in cells.found:
        shown.begin(name)
        cells.running = _called(name)
        # As many empty lines before it as there are in the code: lines are those of the whole.
        source = "\n" * (first - 1) + "\n".join(lines)
        tree = compile(source, attempt.code, "exec", ast.PyCF_ONLY_AST | flags, dont_inherit=True)
        last = tree.body[-1] if tree.body else None
        value = None
        if isinstance(last, ast.Expr) and not ends_silent(lines, last, first):
            value = ast.Expression(tree.body.pop().value)
        body = compile(tree, attempt.code, "exec", flags, dont_inherit=True)
        # `from __future__` holds for the cells that follow, too.
        flags |= body.co_flags & FUTURE
        exec(body, module.__dict__)
        if value is not None:
            shown.result(eval(compile(value, attempt.code, "eval", flags, dont_inherit=True), module.__dict__))
        attempt.save_figures(close=True)
    cells.running = None
    shown.begin(None)


def ends_silent(lines, last, first):
    """Whether a semicolon after the last expression keeps its value from being shown."""
    tail = lines[last.end_lineno - first][last.end_col_offset :] if last.end_lineno - first < len(lines) else ""
    return tail.lstrip().startswith(";")


def _future():
    import __future__

    bits = 0
    for name in __future__.all_feature_names:
        bits |= getattr(__future__, name).compiler_flag
    return bits


FUTURE = _future()
