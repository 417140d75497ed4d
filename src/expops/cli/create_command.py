"""``expops create``."""

from __future__ import annotations

import argparse
import os
import shlex

from ..errors import UsageError
from .create import DEFAULT_TEMPLATE, create_project, templates
from .parsing import Parser
from .text import plural, stdout

_EXAMPLES = """\
  expops create my-project                           # plain Python, needs no other library
  expops create churn/model --template sklearn-basic # a table, a scikit-learn model, a chart
  expops create --list                               # the templates
"""


def parser() -> Parser:
    """Arguments and help."""
    made = Parser(
        "create",
        "NAME [--template TEMPLATE]",
        "Make a new project: a folder with a configuration, a script and some data, ready to run.",
        _EXAMPLES,
    )
    made.add_argument("name", metavar="NAME", nargs="?", help="the new folder; its last part is the project's name")
    made.add_argument(
        "-t", "--template", metavar="TEMPLATE", default=DEFAULT_TEMPLATE, help=f"default: {DEFAULT_TEMPLATE}"
    )
    made.add_argument("--list", action="store_true", help="list the templates")
    return made


def execute(args: argparse.Namespace) -> int:
    """Make the project, or list the templates."""
    out = stdout()
    if args.list:
        out.table(list(templates().items()), head=("template", "what it is"))
        return 0
    if args.name is None:
        raise UsageError("a project needs a name: `expops create my-project`")
    files = create_project(args.name, args.template)
    out.line(f"created {args.name} from the template {args.template}, {plural(len(files), 'file')}:")
    for file in files:
        out.line(f"  {os.path.relpath(file, args.name)}")
    out.line()
    out.line("next:")
    folder = shlex.quote(args.name)
    if os.path.abspath(args.name) != os.getcwd():
        out.line(f"  cd {folder}")
    if os.path.exists(os.path.join(args.name, "requirements.txt")):
        out.line("  pip install -r requirements.txt")
    out.line("  expops run")
    return 0
