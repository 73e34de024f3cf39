"""Makes the Python environments that some systems have of their own, before their first use.

python -m curation.preflight.environments
"""

import sys

from curation.models.environments import ensure
from curation.stages.transcribe.omnilingual import ENVIRONMENT, REQUIREMENTS


def main() -> None:
    """Make Omnilingual's, with our own Python, and print where its interpreter is. Raises ModelError."""
    sys.stdout.write(f"{ENVIRONMENT}: {ensure(ENVIRONMENT, REQUIREMENTS)}\n")


if __name__ == "__main__":
    main()
