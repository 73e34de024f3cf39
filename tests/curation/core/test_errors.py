"""Kinds of user errors: what a program can catch, and the exit code of the command line."""

import pickle

import pytest

from curation.core.errors import ConfigError, DataError, LockError, ModelError, StorageError, UserError

KINDS = [
    (ConfigError, ValueError, 2),
    (DataError, ValueError, 2),
    (ModelError, RuntimeError, 1),
    (LockError, RuntimeError, 1),
    (StorageError, OSError, 4),
]


@pytest.mark.parametrize(("kind", "ordinary", "code"), KINDS)
def test_a_kind_is_a_user_error_and_an_ordinary_one(kind, ordinary, code):
    assert issubclass(kind, UserError)
    assert issubclass(kind, ordinary)
    assert kind.exit_code == code


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS])
def test_errors_travel_between_processes(kind):
    error = pickle.loads(pickle.dumps(kind("no such file: x")))  # noqa: S301 - made here
    assert type(error) is kind
    assert (str(error), error.exit_code) == ("no such file: x", kind.exit_code)
