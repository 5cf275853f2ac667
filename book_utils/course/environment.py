"""environment.yml for conda users: Python, and this project through pip with the same pins as pyproject.toml."""

import re
import tomllib
from pathlib import Path


def text(pyproject: Path) -> str:
    """environment.yml as pyproject.toml says it: its Python, its pins, and what its tests need."""
    settings = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project, pins = settings["project"], settings["tool"]["uv"]["constraint-dependencies"]
    pinned = {_name(pin) for pin in pins}
    unpinned = [need for need in settings["dependency-groups"]["test"] if _name(need) not in pinned]
    lines = ["# Made from pyproject.toml by `book build`; change that file instead.",
             f"name: {project['name']}", "channels:", "  - conda-forge", "dependencies:",
             f'  - "python{project["requires-python"]}"', "  - pip", "  - pip:", '      - "-e ."',
             *(f'      - "{need}"' for need in unpinned + pins)]
    return "\n".join(lines) + "\n"


def _name(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower()
