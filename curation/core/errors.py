"""Errors that the user can fix: the message names the file, the field and the remedy.

The command line ends with the message and `exit_code`, without a traceback; a program catches `UserError`. Bugs of this
software are ordinary exceptions.
"""

from typing import ClassVar


class UserError(Exception):
    """An error that the user can fix. Subclasses say of what kind."""

    exit_code: ClassVar[int] = 1
    """Exit status of the command that ends with it."""


class ConfigError(UserError, ValueError):
    """A configuration, an option or an input cannot be used."""

    exit_code = 2


class ModelError(UserError, RuntimeError):
    """A model is missing, cannot be fetched, or is not the file that was pinned."""


class LockError(UserError, RuntimeError):
    """Another process builds in the output folder. The message names it, and the remedy."""


class WorkerError(UserError, RuntimeError):
    """Worker processes die, do not start, or stand still. The message says what they were doing."""


class DataError(UserError, ValueError):
    """Shards, checkpoints or recordings cannot be used as asked."""

    exit_code = 2


class StorageError(UserError, OSError):
    """Files cannot be read or written: no answer, no space, no permission. The message names the place."""

    exit_code = 4


class ServiceError(UserError, RuntimeError):
    """Another server that is asked does not answer, or not as it must. The message names its address."""
