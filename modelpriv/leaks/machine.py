"""The machine that a pickle's opcodes are written for, with outlines on its stack; it makes and imports nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelpriv.leaks.outline import KEPT, Blob, Group, Made, Mapping, Name, shorten

_CONTAINER = 5  # times as heavy as a number
_MEMO = 2
_LARGEST_FRAME = 2**32  # a frame that is longer holds one value that long


class Machine:
    """The stack, its marks and the memo; and what a pickle holds although nothing uses it.

    What is popped, replaced or left behind is in the file as much as the rest, so it is kept aside.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._marked: list[list[Any]] = []
        self._unused: list[Any] = []

    def step(self, name: str, argument: Any) -> None:
        """Do what an opcode says; those that are not in the table push their argument."""
        if name in _STEPS:
            _STEPS[name](self, argument)
        else:
            self.push(shorten(argument))

    @staticmethod
    def weight(name: str) -> int:
        """Give how much memory a step takes, in numbers."""
        return _WEIGHTS.get(name, 1)

    def unused(self) -> list[Any]:
        """Give what was put aside, and what is still on the stack."""
        return [*self._unused, *(item for stack in self._marked for item in stack), *self.stack]

    def note_odd(self, number: int, *, most: int) -> None:
        """Keep a number that steers unpickling, and is larger than a pickler writes it, as one that says something."""
        if number > most:
            self._unused.append(number)

    def push(self, value: Any) -> None:
        """Put a value on top."""
        self.stack.append(value)

    def take(self, count: int) -> list[Any]:
        """Take the uppermost values, in the order in which they were pushed."""
        if count > len(self.stack):
            raise LookupError
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def drop(self) -> None:
        """Pop one value, or a mark."""
        self._unused += self.take(1) if self.stack else self.since_mark()

    def drop_marked(self) -> None:
        """Pop all that was pushed since the last mark."""
        self._unused += self.since_mark()

    def mark(self) -> None:
        """Begin a new stack."""
        self._marked.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        """Take all that was pushed since the last mark."""
        taken, self.stack = self.stack, self._marked.pop()
        return taken

    def remember(self, number: Any) -> None:
        """Put the uppermost value into the memo; a number that no pickler would choose may itself say something."""
        if int(number) > len(self._memo) + 1:
            self._unused.append(int(number))
        self._memo[int(number)] = self.stack[-1]

    def remember_next(self) -> None:
        """Put the uppermost value into the memo, by the next number."""
        self._memo[len(self._memo)] = self.stack[-1]

    def recall(self, number: Any) -> None:
        """Push a value of the memo."""
        self.push(self._memo[int(number)])

    def add(self, items: list[Any]) -> None:
        """Put items into the list, set or dict on top; of something that is made by a call, they are kept aside."""
        target = self.stack[-1] if self.stack else None
        if isinstance(target, Made):
            target.added += items
        elif isinstance(target, Mapping):
            target.items += self._pairs(items)
        elif isinstance(target, Group):
            target.items += items
        else:
            self._unused += items
            raise TypeError

    def add_dict(self) -> None:
        """Make a dict of all that was pushed since the last mark."""
        self.push(Mapping(self._pairs(self.since_mark())))

    def make(self, what: Any, arguments: Any) -> None:
        """Push what a call would give."""
        self.push(Made(_text(what), arguments, None if isinstance(what, Name) else what))

    def build(self, state: Any) -> None:
        """Give the object on top its state."""
        if isinstance(made := self.stack[-1], Made):
            made.states.append(state)
        else:
            self.stack[-1] = Made("a state of its own", Group([made, state]))

    def name(self, module: Any, name: Any) -> None:
        """Name something; a long name is a text as well."""
        self.push(Name(f"{_text(module)}.{_text(name)}"))
        self._unused += [part for part in (module, name) if not isinstance(part, Blob) or part.size > KEPT]

    def _pairs(self, items: list[Any]) -> list[tuple[Any, Any]]:
        if len(items) % 2:
            self._unused += items
            raise ValueError
        return list(zip(items[::2], items[1::2], strict=True))


Step = Callable[[Machine, Any], object]


def _same(names: str, step: Step) -> dict[str, Step]:
    return dict.fromkeys(names.split(), step)


_STEPS: dict[str, Step] = {
    **_same("STOP READONLY_BUFFER", lambda *_: None),
    "PROTO": lambda machine, number: machine.note_odd(number, most=5),
    "FRAME": lambda machine, length: machine.note_odd(length, most=_LARGEST_FRAME),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.drop(),
    "POP_MARK": lambda machine, _: machine.drop_marked(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    **_same("EMPTY_LIST EMPTY_TUPLE EMPTY_SET", lambda machine, _: machine.push(Group())),
    **_same("LIST TUPLE FROZENSET", lambda machine, _: machine.push(Group(machine.since_mark()))),
    "TUPLE1": lambda machine, _: machine.push(Group(machine.take(1))),
    "TUPLE2": lambda machine, _: machine.push(Group(machine.take(2))),
    "TUPLE3": lambda machine, _: machine.push(Group(machine.take(3))),
    "EMPTY_DICT": lambda machine, _: machine.push(Mapping()),
    "DICT": lambda machine, _: machine.add_dict(),
    "APPEND": lambda machine, _: machine.add(machine.take(1)),
    "SETITEM": lambda machine, _: machine.add(machine.take(2)),
    **_same("APPENDS ADDITEMS SETITEMS", lambda machine, _: machine.add(machine.since_mark())),
    **_same("GET BINGET LONG_BINGET", lambda machine, number: machine.recall(number)),
    **_same("PUT BINPUT LONG_BINPUT", lambda machine, number: machine.remember(number)),
    "MEMOIZE": lambda machine, _: machine.remember_next(),
    "GLOBAL": lambda machine, name: machine.push(Name(_dotted(name))),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.take(2)),
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
_MEMOS = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_LIGHT = {"POP", "DUP", "APPEND", "SETITEM", "APPENDS", "ADDITEMS", "SETITEMS", "GET", "BINGET", "LONG_BINGET"}
_WEIGHTS = dict.fromkeys(_STEPS.keys() - _LIGHT, _CONTAINER) | dict.fromkeys(_MEMOS, _MEMO)


def _dotted(name: str) -> str:
    return name.replace(" ", ".", 1)


def _text(value: Any) -> str:
    """Give the text of a name that may have been read as a value."""
    if isinstance(value, Name):
        return value.text
    if isinstance(value, Blob):
        return value.head if isinstance(value.head, str) else repr(value.head)
    return f"what {value.name} gives" if isinstance(value, Made) else type(value).__name__
