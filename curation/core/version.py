"""The version of the software, which is recorded in the files of a build."""

__version__ = "0.1.0"
