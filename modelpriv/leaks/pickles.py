"""Reading a pickle without unpickling it: the same steps, but what would be imported and called only gets its name.

`pickletools` decodes the opcodes' arguments and runs nothing. The arrays that joblib writes between the opcodes are
measured and passed over.
"""

from __future__ import annotations

import pickletools
import warnings
from typing import Any, NamedTuple

from modelpriv.leaks.joblib_arrays import WRAPPER, pass_array, shape_of
from modelpriv.leaks.machine import Machine
from modelpriv.leaks.outline import Blob, NotReadError
from modelpriv.leaks.stream import CUT, Stream, of_text

_DEEPEST = 50  # pickles within pickles, as joblib writes arrays of objects
_LONGEST_NUMBER = 64  # bytes
_LONGEST_LITERAL = 1000  # digits
_MOST_STEPS = 8_000_000  # in one file: an outline of so many values takes about 500 MiB
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_NO_PICKLE = "it is cut or damaged, or no pickle"


class PickleRead(NamedTuple):
    """What a pickle would make, what it holds without using it, and why it was not read to its end."""

    root: Any
    unused: list[Any]
    reason: str | None = None

    @property
    def is_pickle(self) -> bool:
        """Whether it may be a pickle: it was read to its end, or is too large for that."""
        return self.reason not in {CUT, _NO_PICKLE}


def read_pickle(stream: Stream) -> PickleRead:
    """Read one pickle, and give what it would make as an outline; it never raises."""
    reader = _Opcodes(stream)
    try:
        # pickletools warns of hostile texts.
        with warnings.catch_warnings(action="ignore"):
            root, reason = reader.read(), None
    except NotReadError as refusal:
        root, reason = None, str(refusal)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        root, reason = None, _NO_PICKLE  # hostile pickles fail in more ways than one
    return PickleRead(root, [item for machine in reader.machines for item in machine.unused()], reason)


class _Opcodes:
    """Feeds machines with opcodes: one machine, and one more for each array of objects that joblib wrote."""

    def __init__(self, stream: Stream) -> None:
        self.machines: list[Machine] = []
        self._stream, self._depth, self._steps = stream, 0, 0

    def read(self) -> Any:
        """Read one pickle."""
        if self._depth > _DEEPEST:
            raise NotReadError("pickles are nested too deeply in it")
        machine = Machine()
        self.machines.append(machine)
        self._depth += 1
        while (name := self._step(machine)) != "STOP":
            if name == "BUILD":
                self._pass_array(machine)
        self._depth -= 1
        return machine.take(1)[0]

    def _step(self, machine: Machine) -> str:
        """Do the next step, and return its name."""
        opcode = _OPCODES[self._stream.exactly(1)]
        self._steps += machine.weight(opcode.name)
        if self._steps > _MOST_STEPS:
            raise NotReadError("it holds more values than are looked into")
        machine.step(opcode.name, self._argument(opcode))
        return opcode.name

    def _argument(self, opcode: pickletools.OpcodeInfo) -> Any:
        """Read an opcode's argument: of a long one its outline."""
        if opcode.name in _COUNTED:
            kind, width = _COUNTED[opcode.name]
            return self._counted(kind, int.from_bytes(self._stream.exactly(width), "little"))
        if opcode.name in _LITERALS:
            return self._literal(opcode)
        if opcode.arg is None:
            return None
        return opcode.arg.reader(self._stream)  # type: ignore[arg-type]  # it needs read and readline

    def _counted(self, kind: str, length: int) -> Any:
        if kind != "numbers":
            return self._stream.blob(kind, length)
        if length > _LONGEST_NUMBER:
            return self._stream.blob(kind, length)
        return int.from_bytes(self._stream.exactly(length), "little", signed=True)

    def _literal(self, opcode: pickletools.OpcodeInfo) -> Any:
        """Read what protocol 0 writes as a line."""
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise NotReadError(_NO_PICKLE)
        if _LITERALS[opcode.name] == "numbers":
            if len(line) > _LONGEST_LITERAL:
                return Blob("numbers", len(line) - 1, line[:80])
            return opcode.arg.reader(Stream(iter([line])))  # type: ignore[union-attr, arg-type]
        if opcode.name == "UNICODE":
            return of_text(line[:-1].decode("raw-unicode-escape", errors="surrogatepass"))
        return of_text(opcode.arg.reader(Stream(iter([line]))))  # type: ignore[union-attr, arg-type]

    def _pass_array(self, machine: Machine) -> None:
        """Pass over the array that joblib writes behind its wrapper; an array of objects is a pickle of its own."""
        made = machine.stack[-1]
        if getattr(made, "name", None) != WRAPPER or len(made.states) != 1:
            return
        shape = shape_of(made)
        made.added += [self.read()] if shape is None else pass_array(self._stream, *shape)


# How many bytes hold the length, little-endian.
_COUNTED = {
    "SHORT_BINSTRING": ("bytes", 1),
    "BINSTRING": ("bytes", 4),
    "SHORT_BINBYTES": ("bytes", 1),
    "BINBYTES": ("bytes", 4),
    "BINBYTES8": ("bytes", 8),
    "BYTEARRAY8": ("bytes", 8),
    "SHORT_BINUNICODE": ("text", 1),
    "BINUNICODE": ("text", 4),
    "BINUNICODE8": ("text", 8),
    "LONG1": ("numbers", 1),
    "LONG4": ("numbers", 4),
}
_LITERALS = {"INT": "numbers", "LONG": "numbers", "FLOAT": "numbers", "STRING": "text", "UNICODE": "text"}
