"""Neutral rewriting of a source file: comments, docstrings, annotations, formatting, what nobody uses, order."""

from __future__ import annotations

import ast

from .model import Project
from .render import Rendered

COMMENTS, BLANKS, REFORMAT, DOCSTRINGS, ANNOTATIONS, UNUSED_IMPORTS, UNREACHED, ORDER = (1 << bit for bit in range(8))
EVERY = 256


def files(project: Project, rendered: Rendered) -> dict[str, str]:
    """The text of each source file, with the noise of its module."""
    found = {}
    for path, (head, blocks) in rendered.files().items():
        module = path[4:-3].replace("/", ".")
        found[path] = rewrite(head, blocks, project.noise.get(module, 0))
    return found


def annotated(project: Project, module: str) -> int | None:
    """Which words the annotations in a module are, ``None`` for no annotations."""
    noise = project.noise.get(module, 0)
    return noise // EVERY if noise & ANNOTATIONS else None


def rewrite(head: str, blocks: list[tuple[str, bool]], noise: int) -> str:
    """The file's text; the bits of ``noise`` say what is done to it, the rest of it varies the words."""
    word = noise // EVERY
    if noise & ORDER:
        first = [text for text, movable in reversed(blocks) if movable]
        texts = first + [text for text, movable in blocks if not movable]
    else:
        texts = [text for text, _ in blocks]
    if noise & UNREACHED:
        texts.insert(len(texts) // 2, f"\ndef nobody(x):\n    return x + {word}\n")
    if noise & UNUSED_IMPORTS:
        head += f"\nimport string\nfrom textwrap import dedent as nobody_{word}\n"
    text = "\n".join([head, *texts])
    if noise & (DOCSTRINGS | ANNOTATIONS | REFORMAT):
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                _adorn(node, noise, word)
        text = ast.unparse(ast.fix_missing_locations(tree))
        if noise & DOCSTRINGS:
            text = f'"""Words {word}."""\n{text}'
    lines = [line + (f"  # note {word}" if noise & COMMENTS and line.strip() else "") for line in text.split("\n")]
    between = "\n\n# between\n" if noise & COMMENTS else "\n\n" if noise & BLANKS else "\n"
    return between.join(lines) + "\n"


def _adorn(function: ast.FunctionDef, noise: int, word: int) -> None:
    # Another decorator than these may ask for annotations.
    if noise & ANNOTATIONS and all(ast.unparse(d) in ("step", "process()") for d in function.decorator_list):
        for argument in function.args.args:
            argument.annotation = ast.Constant(f"word {word}") if word % 2 else ast.Name("int", ast.Load())
        function.returns = ast.Name("object", ast.Load())
    if noise & DOCSTRINGS:
        function.body.insert(0, ast.Expr(ast.Constant(f"Words {word}.")))
