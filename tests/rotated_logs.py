"""What the tests of logs that rotate share."""

import json
import os

import pytest

from modelpriv._core import events

POSIX = pytest.mark.skipif(os.name != "posix", reason="renames files that are open, which only POSIX can")


def act(**facts):
    """Do one thing that a log hears."""
    with events.event("transform", "FieldEncryptor", **facts):
        pass


def names(path):
    """Give the names of the files in the log's folder."""
    return sorted(file.name for file in path.parent.iterdir())


def lines(*paths):
    """Read the lines of files."""
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def parts(path):
    """Give the files of a log, the oldest first."""
    return [*sorted(path.parent.glob("audit.jsonl.0*")), path]
