"""What a reader who knows the key of a file can do: take it apart, and write it again with other parts."""

import io
from hashlib import sha256

from modelpriv._core import json
from modelpriv.keys import stanzas
from modelpriv.sealing import serializers
from modelpriv.sealing.format import buffers, floe, layout, signature, slots


class Parts:
    """The parts of a file as someone has them who knows its key: to be changed, and written again."""

    def __init__(self, data, **opening):
        self.prelude = layout.Prelude.read(data, len(data))
        ends = [layout.PRELUDE, self.prelude.manifest, self.prelude.slot, self.prelude.slot, self.prelude.body]
        parts, rest = [], data
        for length in ends:
            parts.append(rest[:length])
            rest = rest[length:]
        _, self.manifest, self.slot, _, self.body = parts
        self.trailer = rest
        self.stanzas = slots.read(self.slot)[1]
        self.context = slots.wrap_context(self.manifest, json.load(self.manifest)["origin"])
        self.file_key = stanzas.unwrap(self.stanzas, context=self.context, **opening)

    def plaintext(self):
        """Decrypt the body."""
        source = io.BytesIO(self.body)
        digest = sha256(self.manifest).digest()
        message = floe.Message(slots.derive(self.file_key, "body"), digest, header=source.read(floe.HEADER))
        out = bytearray(floe.plaintext_length(len(self.body)))
        floe.Reader(message, len(self.body), source).readinto(memoryview(out))
        return out

    def write(self, plaintext=None, *, trailer=None, ways=None, sign_with=None):
        """Write the file again with the same key and manifest, with other contents, stanzas or signature."""
        trailer = self.trailer if trailer is None else trailer
        if plaintext is not None:
            out = io.BytesIO()
            message = floe.Message(slots.derive(self.file_key, "body"), sha256(self.manifest).digest())
            with floe.Writer(message, len(plaintext), out.write) as writer:
                writer.write(memoryview(plaintext))
            self.body = out.getvalue()
        if sign_with is not None:
            trailer = signature.write(sign_with, self.manifest, self.digest())
        prelude = layout.Prelude(len(self.manifest), len(self.body), len(trailer), self.prelude.slot)
        slot = slots.write(self.file_key, ways or self.stanzas, prelude=prelude, manifest=self.manifest)
        return bytes(prelude) + self.manifest + 2 * slot + self.body + trailer

    def digest(self):
        """Give the digest of the body: SHA-256 over the SHA-256 of its header and of each segment."""
        size = floe.SEGMENT + floe.OVERHEAD
        cut = [self.body[: floe.HEADER]]
        cut += [self.body[at : at + size] for at in range(floe.HEADER, len(self.body), size)]
        return sha256(b"".join(sha256(part).digest() for part in cut)).digest()


def pickled(obj):
    return b"".join(buffers.lay_out(*serializers.take_apart(obj, serializers.BY_REFERENCE)))
