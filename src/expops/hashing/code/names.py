"""References: every global name, import and dynamic construct that a piece of code uses.

A reference is a short string: ``n:a.b`` a global name with the attributes taken of it, ``s:a.b`` the same where an
attribute of it is assigned, ``g:a.b`` where a computed one is taken, ``i:module|a.b`` the same through an import
inside the code, ``m:module`` a module named by a constant, ``x:module|name`` an import that the code executes,
``w:why`` and ``a:why`` what needs the whole file or the whole project, ``f:flag`` what gives source text, docstrings
or annotations a meaning, ``o:option|function|value`` an option of a decorator of expops.
"""

from __future__ import annotations

import ast
from typing import Final, cast

from . import dynamic, options, scopes
from .context import Context, chain_of, join
from .scopes import Scope
from .trees import children

_ATTRIBUTE_READERS: Final = frozenset({"getattr", "hasattr", "delattr", "setattr"})


class References:
    """References of one piece of code; ``annotations`` are those made by annotations without a meaning of their own.

    ``free`` are the names found in function scopes around the code, with the scope that binds each.
    """

    __slots__ = ("_context", "_outer", "_scope", "_skip_wrappers", "annotations", "free", "used")

    def __init__(self, context: Context, outer: Scope | None = None, *, skip_wrappers: bool = False) -> None:
        self._context = context
        self._skip_wrappers = skip_wrappers
        self._outer = outer
        self._scope = outer
        self.used: dict[str, None] = {}
        self.annotations: dict[str, None] = {}
        self.free: dict[str, Scope] = {}

    def visit(self, node: ast.AST) -> None:
        """Add what ``node`` uses."""
        special = getattr(self, f"_visit_{type(node).__name__.lower()}", None)
        if special is not None:
            special(node)
        else:
            self._children(node)

    def _children(self, node: ast.AST) -> None:
        for child in children(node):
            self.visit(child)

    # Names

    def _find(self, name: str) -> tuple[list[Scope], bool]:
        """The scopes that may bind ``name``, and whether it may be global."""
        found: list[Scope] = []
        scope = self._scope
        while scope is not None:
            if name in scope.globals:
                return found, True
            if name in scope.bound and (scope is self._scope or not scope.is_class):
                found.append(scope)
                if not scope.is_class:
                    return found, False
            scope = scope.parent
        return found, True

    def _load(self, chain: list[str], kind: str = "n") -> None:
        for part in chain:
            self._add(dynamic.flags(part))
        if self._scope is not None:
            chain = [self._scope.mangled(part) for part in chain]
        found, is_global = self._find(chain[0])
        for scope in found:
            for module, name in scope.imports.get(chain[0], ()):
                self._imported(module, [name, *chain[1:]] if name else chain[1:])
            if self._is_outer(scope):
                self.free[chain[0]] = scope
        if is_global:
            self._global(chain, kind)

    def _global(self, chain: list[str], kind: str) -> None:
        if kind != "s" and (chain[0] not in self._context.names or chain[0] in self._context.imports):
            cost = dynamic.reference(self._context.dotted(chain))
            if cost:
                self.used[cost] = None
        self.used[f"{kind}:{'.'.join(chain)}"] = None

    def _imported(self, module: str, chain: list[str]) -> None:
        cost = dynamic.reference(join(module, ".".join(chain)))
        if cost:
            self.used[cost] = None
        self.used[f"i:{module}|{'.'.join(chain)}"] = None

    def _is_outer(self, scope: Scope) -> bool:
        outer = self._outer
        while outer is not None:
            if outer is scope:
                return True
            outer = outer.parent
        return False

    def _add(self, references: list[str]) -> None:
        self.used.update(dict.fromkeys(references))

    def _dotted(self, node: ast.AST) -> str:
        """Full name of what is not bound in the project: a builtin or something imported; else ``""``."""
        chain = chain_of(node)
        if not chain:
            return ""
        found, is_global = self._find(chain[0])
        targets = [target for scope in found for target in scope.imports.get(chain[0], ())]
        if targets:
            return join(targets[0][0], ".".join([part for part in (targets[0][1], *chain[1:]) if part]))
        if not is_global or (chain[0] in self._context.names and chain[0] not in self._context.imports):
            return ""
        return self._context.dotted(chain)

    def _visit_name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) or (self._scope is not None and node.id in self._scope.globals):
            self._load([node.id])

    def _visit_attribute(self, node: ast.Attribute) -> None:
        chain = chain_of(node)
        if chain is None:
            self._add(dynamic.flags(node.attr))
            self.visit(node.value)
        elif isinstance(node.ctx, ast.Load):
            self._load(chain)
        else:
            self._load(chain[:-1], "s")

    # Constructs that read dynamically

    def _visit_call(self, node: ast.Call) -> None:
        dotted = self._dotted(node.func)
        first = node.args[0] if node.args else None
        text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        if dotted in dynamic.IMPORTERS and text is not None:
            self.used[_named_module(text, node)] = None
            rest = [*node.args[1:], *node.keywords]
        elif dotted in _ATTRIBUTE_READERS and len(node.args) > 1 and chain_of(node.args[0]):
            self._attribute_by_name(dotted, node.args[0], node.args[1])
            rest = [*node.args[1:], *node.keywords]
        elif dotted == "numpy.load" and any(word.arg == "allow_pickle" for word in node.keywords):
            self.used["a:numpy.load may load a pickle"] = None
            rest = [*node.args, *node.keywords]
        elif dotted in ("locals", "vars", "dir") and not node.args and not self._in_function():
            self.used[f"w:{dotted}() outside functions"] = None
            rest = []
        else:
            self._children(node)
            return
        for argument in rest:
            self.visit(argument)

    def _attribute_by_name(self, function: str, subject: ast.expr, name: ast.expr) -> None:
        chain = cast("list[str]", chain_of(subject))
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            self._load(chain, "g")
        elif function in ("setattr", "delattr"):
            self._load(chain, "s")
        else:
            self._load([*chain, name.value])

    def _in_function(self) -> bool:
        scope = self._scope
        while scope is not None and isinstance(scope.node, scopes.COMPREHENSIONS):
            scope = scope.parent
        return scope is not None and isinstance(scope.node, scopes.FUNCTIONS)

    def _visit_subscript(self, node: ast.Subscript) -> None:
        if self._dotted(node.value) != "sys.modules":
            self._children(node)
            return
        index = node.slice
        if isinstance(index, ast.Name) and index.id == "__name__":
            self.used["w:sys.modules[__name__]"] = None
        elif isinstance(index, ast.Constant) and isinstance(index.value, str):
            self.used[f"m:{index.value}"] = None
        else:
            self._children(node)

    def _visit_compare(self, node: ast.Compare) -> None:
        membership = [isinstance(operator, ast.In | ast.NotIn) for operator in node.ops]
        self.visit(node.left)
        for is_membership, right in zip(membership, node.comparators, strict=True):
            if not (is_membership and self._dotted(right) == "sys.modules"):
                self.visit(right)

    def _visit_import(self, node: ast.Import) -> None:
        self._add([f"x:{alias.name}|" for alias in node.names])
        self._global_imports(node)

    def _visit_importfrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        self._add([f"x:{module}|{alias.name}" for alias in node.names])
        self._global_imports(node)

    def _global_imports(self, node: ast.Import | ast.ImportFrom) -> None:
        declared = self._scope.globals if self._scope else ()
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            if name in declared:
                self._load([name])

    # Blocks

    def _visit_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if self._skip_wrappers and self._scope is not None and self._context.is_wrapper(node):
            return
        for decorator in node.decorator_list:
            if self._context.is_ours(decorator):
                self._options(decorator, node.name)
            else:
                self.visit(decorator)
        arguments = node.args
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.visit(default)
        annotated = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        hints = [argument.annotation for argument in annotated if argument and argument.annotation]
        self._annotations([*hints, *([node.returns] if node.returns else [])], self._context.keeps_annotations(node))
        self._within(scopes.of_function(node, self._scope), [*getattr(node, "type_params", ()), *node.body])

    _visit_asyncfunctiondef = _visit_functiondef

    def _options(self, decorator: ast.expr, name: str) -> None:
        found, computed = options.counted(decorator, scopes.qualified(self._scope, name), self._context)
        self._add(found)
        for expression in computed:
            self.visit(expression)

    def _visit_lambda(self, node: ast.Lambda) -> None:
        for default in scopes.evaluated_outside(node):
            self.visit(default)
        self._within(scopes.of_function(node, self._scope), [node.body])

    def _visit_classdef(self, node: ast.ClassDef) -> None:
        for outside in [*self._context.foreign_decorators(node), *node.bases, *node.keywords]:
            self.visit(outside)
        self._within(scopes.of_class(node, self._scope), [*getattr(node, "type_params", ()), *node.body])

    def _visit_comprehension_scope(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        inner: list[ast.AST] = [first.target, *first.ifs]
        for generator in node.generators[1:]:
            inner += [generator.iter, generator.target, *generator.ifs]
        inner += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._within(scopes.of_comprehension(node, self._scope), inner)

    _visit_listcomp = _visit_setcomp = _visit_dictcomp = _visit_generatorexp = _visit_comprehension_scope

    def _within(self, scope: Scope, nodes: list[ast.AST]) -> None:
        outer, self._scope = self._scope, scope
        for node in nodes:
            self.visit(node)
        self._scope = outer

    def _visit_annassign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)
        scope = self._scope
        if scope is None or scope.is_class:
            self._annotations([node.annotation], scope is not None)

    def _annotations(self, nodes: list[ast.expr], mean_something: bool) -> None:
        used = self.used
        if not mean_something:
            self.used = self.annotations
        for node in nodes:
            self.visit(node)
        self.used = used


def _named_module(name: str, call: ast.Call) -> str:
    """Reference to the module that ``import_module(name, package)`` gives."""
    package = next((word.value for word in call.keywords if word.arg == "package"), None)
    package = package or (call.args[1] if len(call.args) > 1 else None)
    if not name.startswith(".") or (isinstance(package, ast.Name) and package.id == "__package__"):
        return f"m:{name}"
    return "a:import_module relative to a computed package"
