"""Files of a build, local or on any fsspec file system, written atomically: a reader sees all of a file or none.

What the storage refuses is tried again for a minute (`core.faults`); then StorageError ends the build.

out = Storage("/data/corpus")          # or s3://bucket/corpus
out.write_bytes("notes/one.json", b"{}")
"""

import errno
import json
import logging
import os
import posixpath
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from curation.core.errors import ConfigError, DataError, StorageError, UserError
from curation.core.faults import is_storage_fault, persistently
from curation.core.parquet import TableWriter, damage_named, encoding
from curation.core.records import json_bytes
from curation.core.stores.conditional import ChangedError, ConditionalPuts, conditional_puts
from curation.core.stores.naming import NamedFile, writing
from curation.core.stores.protocols import file_system, in_parts
from curation.core.stores.ranges import RangedFile, is_there
from curation.core.stores.temporary import temporary_name
from curation.core.stores.uploads import abort_uploads

log = logging.getLogger(__name__)

Record = TypeVar("Record")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Storage:
    """A folder. Names are relative, with forward slashes, and may not leave it (ValueError)."""

    root: str

    def __post_init__(self) -> None:
        """An empty name would be the current folder: ConfigError."""
        if not self.root.strip():
            msg = "the output has no name: give a folder or a URL (. is the current folder)"
            raise ConfigError(msg)

    @cached_property
    def _fs_and_base(self) -> tuple[fsspec.AbstractFileSystem, str]:
        return file_system(self.root)

    @property
    def is_local(self) -> bool:
        """True where the folder is on this machine's own file system."""
        return isinstance(self._fs_and_base[0], LocalFileSystem)

    @cached_property
    def _conditions(self) -> ConditionalPuts | None:
        return conditional_puts(self._fs_and_base[0])

    def path(self, name: str) -> str:
        """Full path of `name` inside the folder, in the form of the file system."""
        parts = name.split("/")
        if posixpath.isabs(name) or ".." in parts or "" in parts:
            msg = f"{name!r} would leave the output folder {self.root}"
            raise ValueError(msg)
        return posixpath.join(self._fs_and_base[1], name)

    def _try(self, action: Callable[[], Result]) -> Result:
        """Every access to the file system. Raises StorageError where it does not answer for a minute."""
        return persistently(action, self.root)

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there."""
        fs, path = self._fs_and_base[0], self.path(name)
        if self.is_local:
            return bool(self._try(lambda: fs.exists(path)))
        return is_there(lambda start, end: self._try(lambda: fs.cat_file(path, start=start, end=end)))

    def names(self, folder: str) -> list[str]:
        """Sorted base names of the finished files in a sub-folder; empty if there is no such folder."""
        fs, _ = self._fs_and_base
        try:
            listing = self._try(lambda: fs.ls(self.path(folder), detail=False, refresh=True))
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = (posixpath.basename(item.rstrip("/")) for item in listing)
        return sorted(name for name in found if not name.startswith("."))

    def remove(self, name: str) -> None:
        """Delete a file; nothing happens if it is not there."""
        fs, _ = self._fs_and_base
        try:
            self._try(lambda: fs.rm_file(self.path(name)))
        except FileNotFoundError:
            return

    def remove_folder(self, folder: str) -> None:
        """Delete a sub-folder with everything in it; nothing happens if it is not there."""
        fs, path = self._fs_and_base[0], self.path(folder)

        def remove() -> None:
            fs.rm(path, recursive=True)
            if not self.is_local and fs.find(path):  # S3 says nothing of what it does not get to
                raise OSError(errno.EBUSY, "some files are still there", path)

        with suppress(FileNotFoundError):
            self._try(remove)

    def abort_uploads(self) -> None:
        """End the uploads of processes that were killed (`stores.uploads`), where the store lists them."""
        fs, path = self._fs_and_base
        try:
            self._try(lambda: abort_uploads(fs, path))
        except (OSError, NotImplementedError) as error:
            if isinstance(error, StorageError):
                raise
            log.info("%s: uploads of killed processes cannot be listed: %s", self.root, error)

    def remove_if_empty(self, folder: str) -> None:
        """Delete a sub-folder that holds nothing; only local file systems have such folders."""
        if self.is_local:
            with suppress(OSError):  # it is not empty, or not there
                Path(self.path(folder)).rmdir()

    def open(self, name: str) -> BinaryIO:
        """Open for reading. FileNotFoundError if it is not there."""
        fs, path = self._fs_and_base[0], self.path(name)
        if not self.is_local:
            file = RangedFile(
                lambda start, end: self._try(lambda: fs.cat_file(path, start=start, end=end)),
                lambda: self._try(lambda: int(fs.info(path)["size"])),
            )
            return cast("BinaryIO", file)
        try:
            return cast("BinaryIO", self._try(lambda: fs.open(path, "rb")))
        except NotADirectoryError as error:
            raise FileNotFoundError(error.errno, error.strerror, path) from error

    def read_bytes(self, name: str) -> bytes:
        """The whole content. FileNotFoundError if it is not there."""
        if not self.is_local:
            return bytes(self._try(lambda: self._fs_and_base[0].cat_file(self.path(name))))

        def read() -> bytes:
            with self.open(name) as file:
                return file.read()

        return self._try(read)

    def read_json(self, name: str, remedy: str = "restore it from a copy") -> Any:
        """The content, parsed. FileNotFoundError if it is not there; DataError, with the remedy, if it is damaged."""
        return self.read_record(name, lambda values: values, remedy)

    def read_record(self, name: str, parse: Callable[[Any], Record], remedy: str) -> Record:
        """What `parse` makes of the values of a JSON file. Values that it cannot use are damage, as in `read_json`."""
        content = self.read_bytes(name)
        try:
            return parse(json.loads(content))
        except UserError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
            msg = f"{self.root}/{name} is damaged ({reason}): {remedy}"
            raise DataError(msg) from error

    def write_bytes(self, name: str, content: bytes | pa.Buffer, *, durable: bool = True) -> None:
        """Write all of it or nothing: temporary file, fsync, rename. Object stores commit a put as one step.

        Files that need not survive a power failure skip the fsync (`durable=False`), which costs milliseconds.
        """
        fs, path = self._fs_and_base[0], self.path(name)

        def write() -> None:
            if not self.is_local:
                fs.pipe_file(path, bytes(content), **in_parts(fs, len(content)))
                return
            try:
                with self._appearing(name, durable=durable) as file:
                    file.write(content)
            except StorageError as error:
                if error.__cause__ is not None and is_storage_fault(error.__cause__):
                    raise error.__cause__ from None  # it may pass
                raise

        with writing(f"{self.root}/{name}"):
            self._try(write)

    @contextmanager
    def _appearing(self, name: str, *, durable: bool = True) -> Iterator[BinaryIO]:
        """A file to write into, which appears under `name` when the block succeeds, and only then."""
        if not self.is_local:
            with tempfile.NamedTemporaryFile() as copy:
                yield cast("BinaryIO", NamedFile(copy, tempfile.gettempdir()))
                with writing(f"{self.root}/{name}"):
                    copy.flush()
                    fs, parts = self._fs_and_base[0], in_parts(self._fs_and_base[0], copy.tell())
                    self._try(lambda: fs.put_file(copy.name, self.path(name), **parts))
            return
        target = Path(self.path(name))
        temporary = target.with_name(temporary_name(target.name))
        with writing(f"{self.root}/{name}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            file = temporary.open("wb")
        try:
            yield cast("BinaryIO", NamedFile(file, f"{self.root}/{name}"))
            with writing(f"{self.root}/{name}"):
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                file.close()
                temporary.replace(target)
        finally:
            with suppress(OSError):  # what it could not write before
                file.close()
            temporary.unlink(missing_ok=True)

    def read_version(self, name: str) -> tuple[bytes, str]:
        """The content, and its version for `write_if`. FileNotFoundError if it is not there."""
        conditions = self._conditions
        return self._try(lambda: conditions.read(self.path(name))) if conditions else (self.read_bytes(name), "")

    def write_if(self, name: str, content: bytes, version: str | None) -> str:
        """Write a file only where it still has this version (None: where it is not there). Returns the new version.

        Raises ChangedError where another process has written it. A file system without conditional writes (`core.
        stores.conditional`) writes it in any case.
        """
        conditions, path = self._conditions, self.path(name)
        if conditions is None:
            self.write_bytes(name, content)
            return ""
        with writing(f"{self.root}/{name}"):
            try:
                return self._try(lambda: conditions.write(path, content, version))
            except ChangedError:
                with suppress(FileNotFoundError):
                    now, version = self.read_version(name)
                    if now == content:  # written by a try of ours whose answer was lost
                        return version
                raise

    def keeps_conditions(self, name: str) -> bool:
        """Whether `write_if` does what it promises; tried on a file that is there, and is not changed by that."""
        conditions = self._conditions
        if conditions is None:
            return False
        content, _ = self.read_version(name)
        try:
            self._try(lambda: conditions.write(self.path(name), content, None))
        except ChangedError:
            return True
        return False

    def write_json(self, name: str, value: Any, *, durable: bool = True) -> None:
        """JSON with sorted keys, so that equal values give equal files."""
        self.write_bytes(name, json_bytes(value), durable=durable)

    def write_table(self, name: str, table: pa.Table, *, durable: bool = True) -> None:
        """Write a Parquet file (zstd)."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, **encoding(table.schema))
        self.write_bytes(name, sink.getvalue(), durable=durable)

    @contextmanager
    def table_writer(self, name: str, schema: pa.Schema, row_group_size: int) -> Iterator["TableWriter"]:
        """Write a Parquet file (zstd) piece by piece; it appears when the block succeeds."""
        with self._appearing(name) as file:
            writer = TableWriter(file, schema, row_group_size)
            try:
                yield writer
                writer.close()
            finally:
                writer.give_up()

    @contextmanager
    def open_table(self, name: str) -> Iterator[pq.ParquetFile]:
        """Open a Parquet file whose columns are read in several steps."""
        if self.is_local:
            with pa.OSFile(self.path(name)) as file:
                yield pq.ParquetFile(file)
            return
        with self.open(name) as file:
            yield pq.ParquetFile(pa.PythonFile(file, mode="r"), pre_buffer=True)  # neighbours in one request

    def read_table(self, name: str, columns: list[str] | None = None, remedy: str = "") -> pa.Table:
        """Read a Parquet file, or some of its columns (dotted names reach into structs and lists).

        With a remedy, a damaged one is a DataError that says it.
        """
        with damage_named(f"{self.root}/{name}", remedy) if remedy else nullcontext(), self.open_table(name) as file:
            return file.read(columns=columns)
