"""Errors that the user can mend: the message names the file, the field and the remedy.

The command line ends with the message and `exit_code`, without a traceback; a program catches `UserError`. What is
nobody's setting or file (a fault of this software) is an ordinary exception.
"""

from typing import ClassVar


class UserError(Exception):
    """Something that the user can mend. Subclasses say what kind of thing it is."""

    exit_code: ClassVar[int] = 1
    """Exit status of the command that ends with it."""


class ConfigError(UserError, ValueError):
    """A configuration, an option or an input cannot be used."""

    exit_code = 2


class ModelError(UserError, RuntimeError):
    """A model is missing, cannot be fetched, or is not the file that was pinned."""


class LockError(UserError, RuntimeError):
    """Another process builds in the output folder. The message says who, and what to do."""


class DataError(UserError, ValueError):
    """Shards, checkpoints or recordings cannot be used as asked."""

    exit_code = 2
