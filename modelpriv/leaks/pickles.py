"""Reading a pickle without unpickling it: the same steps, but what would be imported and called only gets its name.

The opcodes come from `pickletools`, which decodes them and runs nothing. The arrays that joblib writes between the
opcodes are measured and passed over.
"""

import pickletools
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from modelpriv.errors import ParameterError
from modelpriv.leaks.outline import Blob, Group, Made, Mapping, Name, shorten

_DEEPEST = 50  # pickles within pickles, as joblib writes arrays of objects
_JOBLIB_ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"


class Bounded:
    """A file from which a pickle cannot ask for more than there is.

    Parameters
    ----------
    file : binary file
        Can seek.
    size : int
        Its length.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size = file, size

    def tell(self) -> int:
        """Give the position."""
        return self._file.tell()

    def read(self, length: int = -1) -> bytes:
        """Read at most as many bytes as there are."""
        left = self.size - self._file.tell()
        return self._file.read(left if length < 0 else min(length, left))

    def readline(self) -> bytes:
        """Read up to the end of a line."""
        return self._file.readline()

    def skip(self, length: int) -> None:
        """Pass over some bytes; `ParameterError` if there are fewer."""
        if not 0 <= length <= self.size - self._file.tell():
            raise ParameterError("the pickle is cut, or no pickle.")
        self._file.seek(length, 1)


def read_pickle(file: Bounded, depth: int = 0) -> Any:
    """Read one pickle and give what it would make, as an outline.

    Raises
    ------
    ParameterError
        This is no pickle, or one that was cut.
    """
    if depth > _DEEPEST:
        raise ParameterError("the pickle is nested too deeply to be one.")
    machine = _Machine(file, depth)
    try:
        # With the texts of hostile pickles pickletools warns, and fails in more ways than one.
        with warnings.catch_warnings(action="ignore"):
            return _run(machine, file)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        raise ParameterError("the pickle is cut, or no pickle.") from None


def _run(machine: "_Machine", file: Bounded) -> Any:
    for opcode, argument, _ in pickletools.genops(file):  # type: ignore[arg-type]  # it needs read, readline and tell
        machine.step(opcode.name, argument)
    return machine.stack[-1]


class _Machine:
    """The machine that a pickle's opcodes are written for, with outlines on its stack."""

    def __init__(self, file: Bounded, depth: int) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._marked: list[list[Any]] = []
        self._file, self._depth = file, depth

    def step(self, name: str, argument: Any) -> None:
        """Do what an opcode says; those that are not in the table push their argument."""
        if name in _STEPS:
            _STEPS[name](self, argument)
        else:
            self.push(shorten(argument))

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def take(self, count: int) -> list[Any]:
        """Take the uppermost values, in the order in which they were pushed."""
        if count > len(self.stack):
            raise LookupError
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def mark(self) -> None:
        self._marked.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        """Take all that was pushed since the last mark."""
        taken, self.stack = self.stack, self._marked.pop()
        return taken

    def add(self, items: list[Any]) -> None:
        """Put items into the list, set or dict on top; of something that is made by a call, they are kept aside."""
        target = self.stack[-1]
        if isinstance(target, Made):
            target.added += items
        else:
            target.items += _pairs(items) if isinstance(target, Mapping) else items

    def make(self, what: Any, arguments: Any) -> None:
        self.push(Made(_text(what), arguments))

    def build(self, state: Any) -> None:
        """Give the object on top its state."""
        made = self.stack[-1]
        if isinstance(made, Made):
            made.state = state
            if made.name == _JOBLIB_ARRAY:
                made.added = [self._pass_array({_text(name): value for name, value in state.items})]
        else:
            self.stack[-1] = Made("a state of its own", Group([made, state]))

    def _pass_array(self, wrapper: dict[str, Any]) -> Any:
        """Pass over the array that joblib writes behind its wrapper; an array of objects is a pickle of its own."""
        kind = np.dtype(_text(wrapper["dtype"].arguments.items[0]))
        if kind.hasobject:
            return read_pickle(self._file, self._depth + 1)
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            self._file.skip(self._file.read(1)[0])
        size = kind.itemsize
        for length in wrapper["shape"].items:
            size *= int(length)
        self._file.skip(size)
        return Blob("array", size, b"")


Step = Callable[[_Machine, Any], object]


def _same(names: str, step: Step) -> dict[str, Step]:
    return dict.fromkeys(names.split(), step)


_STEPS: dict[str, Step] = {
    **_same("PROTO FRAME STOP READONLY_BUFFER", lambda *_: None),
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.take(1) if machine.stack else machine.since_mark(),
    "POP_MARK": lambda machine, _: machine.since_mark(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    **_same("EMPTY_LIST EMPTY_TUPLE EMPTY_SET", lambda machine, _: machine.push(Group())),
    **_same("LIST TUPLE FROZENSET", lambda machine, _: machine.push(Group(machine.since_mark()))),
    "TUPLE1": lambda machine, _: machine.push(Group(machine.take(1))),
    "TUPLE2": lambda machine, _: machine.push(Group(machine.take(2))),
    "TUPLE3": lambda machine, _: machine.push(Group(machine.take(3))),
    "EMPTY_DICT": lambda machine, _: machine.push(Mapping()),
    "DICT": lambda machine, _: machine.push(Mapping(_pairs(machine.since_mark()))),
    "APPEND": lambda machine, _: machine.add(machine.take(1)),
    "SETITEM": lambda machine, _: machine.add(machine.take(2)),
    **_same("APPENDS ADDITEMS SETITEMS", lambda machine, _: machine.add(machine.since_mark())),
    **_same("GET BINGET LONG_BINGET", lambda machine, number: machine.push(machine.memo[int(number)])),
    **_same("PUT BINPUT LONG_BINPUT", lambda machine, number: machine.memo.update({int(number): machine.stack[-1]})),
    "MEMOIZE": lambda machine, _: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    "GLOBAL": lambda machine, name: machine.push(Name(_dotted(name))),
    "STACK_GLOBAL": lambda machine, _: machine.push(Name(".".join(map(_text, machine.take(2))))),
    **_same("EXT1 EXT2 EXT4", lambda machine, number: machine.push(Name(f"copyreg extension {number}"))),
    "INST": lambda machine, name: machine.make(Name(_dotted(name)), Group(machine.since_mark())),
    "OBJ": lambda machine, _: machine.make(machine.stack[0], Group(machine.since_mark()[1:])),
    **_same("REDUCE NEWOBJ", lambda machine, _: machine.make(*machine.take(2))),
    "NEWOBJ_EX": lambda machine, _: machine.make((taken := machine.take(3))[0], Group(taken[1:])),
    "BUILD": lambda machine, _: machine.build(machine.take(1)[0]),
    "PERSID": lambda machine, name: machine.push(Made("a persistent reference", Group([shorten(name)]))),
    "BINPERSID": lambda machine, _: machine.push(Made("a persistent reference", Group(machine.take(1)))),
    "NEXT_BUFFER": lambda machine, _: machine.push(Made("a buffer outside of the pickle", None)),
}


def _pairs(items: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(items[::2], items[1::2], strict=True))


def _dotted(name: str) -> str:
    return name.replace(" ", ".", 1)


def _text(value: Any) -> str:
    """Give the text of a name that may have been read as a value."""
    if isinstance(value, Name):
        return value.text
    if isinstance(value, Blob):
        return value.head if isinstance(value.head, str) else repr(value.head)
    return f"what {value.name} gives" if isinstance(value, Made) else type(value).__name__
