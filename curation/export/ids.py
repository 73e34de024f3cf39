"""Names for utterances and speakers that no consumer misreads.

Ours may hold dots (where a WebDataset key ends), letters beyond ASCII and `-sub` (which NeMo takes for a repetition);
those of a corpus from elsewhere may hold anything. Others than ASCII letters, digits, `_` and `-` never become part of
a path, of a shell command, or of a line that blanks divide.
"""

import hashlib
import re

LONGEST = 200
_PLAIN = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{LONGEST - 1}}}")
_MADE = re.compile(r".*-x[0-9a-f]{32}")
READABLE = 48


def safe(name: str) -> str:
    """The name where it is safe, else one made of its letters and digits and 128 bits of a digest: never the same for
    two names.
    """
    if _PLAIN.fullmatch(name) and "-sub" not in name and not _MADE.fullmatch(name):
        return name
    readable = re.sub(r"[^A-Za-z0-9]+", "_", name)[:READABLE].strip("_") or "id"
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{readable}-x{digest}"
