"""The version of the software, which files of a build name."""

__version__ = "0.1.0"
