"""What `make lint` checks about the structure, beyond the layers in pyproject.toml: names that say
what they hold, classes with a name of their own, no import cycles, few modules in one folder, AWS
called in one place.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGES = ("chalicelib", "gatectl", "sandbox", "benchmarks")
MAX_MODULES_IN_CHALICELIB = 12
VAGUE_NAMES = {
    *("one", "found", "wanted", "what", "asked", "seen", "told", "who", "given", "said"),
    *("more", "whole", "known", "there", "others", "alike", "own", "rest"),
}
"""Pronouns and participles, which say where a value comes from, not what it is."""
AWS_WORDS = frozenset({"Execution", "Pipeline", "Rule", "Stage"})
"""AWS's own words, which sandbox/ uses for what AWS means by them."""
AWS_MODULES = (
    *("chalicelib/aws/", "chalicelib/errors.py", "chalicelib/board/lookout.py"),
    *("gatectl/session.py", "gatectl/completion.py"),
)
"""The only places that call AWS, tell its errors apart, or create sessions and clients."""
AWS_CALL = re.compile(
    r"^ *(from|import) (boto3|botocore)\b(?!\.exceptions import BotoCoreError$)"
    r"|\.(create_)?client\("
)
"""The other modules only need BotoCoreError: AWS cannot be asked at all."""


def main() -> int:
    """Print every problem; returns the exit status."""
    files = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    trees = {path.relative_to(ROOT): ast.parse(path.read_text("utf-8")) for path in files}
    problems = [
        *find_vague_names(trees),
        *find_shared_class_names(trees),
        *find_aws_calls(trees),
        *count_modules(),
        *find_import_cycles(),
    ]
    summary = (
        f"{len(trees)} files: no vague or shared names, no import cycles, no AWS call but in aws/."
    )
    print("\n".join(problems) or summary)
    return 1 if problems else 0


def find_vague_names(trees: dict[Path, ast.Module]) -> Iterator[str]:
    for path, tree in trees.items():
        for name, line in names_in(tree):
            if name.strip("_") in VAGUE_NAMES:
                yield f"{path}:{line}: {name} does not say what it holds"


def names_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every variable, parameter, attribute and function that is defined, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno


def find_shared_class_names(trees: dict[Path, ast.Module]) -> Iterator[str]:
    places = defaultdict(list)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            is_aws = isinstance(node, ast.ClassDef) and node.name in AWS_WORDS
            if isinstance(node, ast.ClassDef) and not (is_aws and path.parts[0] == "sandbox"):
                places[node.name].append(f"{path}:{node.lineno}")
    for name, found_at in places.items():
        if len(found_at) > 1:
            yield f"{name} is the name of {len(found_at)} classes: {', '.join(found_at)}"


def find_aws_calls(trees: dict[Path, ast.Module]) -> Iterator[str]:
    for path in trees:
        if path.parts[0] in {"chalicelib", "gatectl"} and not str(path).startswith(AWS_MODULES):
            lines = (ROOT / path).read_text("utf-8").splitlines()
            for number, line in enumerate(lines, 1):
                if AWS_CALL.search(line):
                    yield f"{path}:{number}: call AWS through chalicelib/aws"


def count_modules() -> Iterator[str]:
    modules = [path for path in (ROOT / "chalicelib").glob("*.py") if path.stem != "__init__"]
    if len(modules) > MAX_MODULES_IN_CHALICELIB:
        yield (
            f"chalicelib/ has {len(modules)} modules, more than {MAX_MODULES_IN_CHALICELIB}: "
            "move some into a package"
        )


def find_import_cycles() -> Iterator[str]:
    """Type-only and local imports count, too."""
    sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph(*PACKAGES)
    imports = {
        module: graph.find_modules_directly_imported_by(module) for module in sorted(graph.modules)
    }
    # Whatever imports only modules that are in no cycle is in none itself.
    while free := {module for module, targets in imports.items() if not targets & imports.keys()}:
        imports = {module: targets for module, targets in imports.items() if module not in free}
    if imports:
        yield f"These modules import each other, directly or not: {', '.join(imports)}"


if __name__ == "__main__":
    sys.exit(main())
