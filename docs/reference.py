"""Writes the reference pages of the documentation from the code, and adds the pages of audits; a hook of mkdocs (see
mkdocs.yml).

Commands come from the command line, settings from the pydantic models, stages, scores and thresholds from what classes
declare, columns from the Arrow schemas, models from the catalogue, and modules from the files. So a page cannot say
anything that the code does not.

    python docs/reference.py commands        # prints one page
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from generators.commands import commands_page
from generators.models import models_page
from generators.modules import modules_page
from generators.pages import page_files
from generators.scores import columns_page, scores_page
from generators.settings import configuration_page, training_page
from generators.stages import stages_page

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PAGES: dict[str, Callable[[], str]] = {
    "commands": commands_page,
    "configuration": configuration_page,
    "training-settings": training_page,
    "stages": stages_page,
    "scores": scores_page,
    "columns": columns_page,
    "models": models_page,
    "modules": modules_page,
}


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the generated pages to those of the folder."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    for place, content in page_files():
        files.append(File.generated(config, place, content=content))
    return files


if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
