"""What an error carries with it: its words, and everything in the errors that it was raised from or beside."""

_CARRIERS = ("requests", "urllib3", "hvac", "botocore", "http", "keyring", "pkcs11")


def carried(error):
    """Give all texts and bytes that can be reached from an error, but for the frames of its traceback, as one text."""
    found, seen, left = [], set(), [error]
    while left:
        thing = left.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, str | bytes | bytearray):
            found.append(repr(thing))
        elif isinstance(thing, dict):
            left += [*thing, *thing.values()]
        elif isinstance(thing, list | tuple | set | frozenset):
            left += thing
        elif isinstance(thing, BaseException):
            left += [thing.__cause__, thing.__context__, *thing.args, *vars(thing).values(), str(thing)]
            left += [getattr(thing, name, None) for name in ("object", "doc", "request", "response")]
        elif type(thing).__module__.startswith(_CARRIERS):
            left += vars(thing).values() if hasattr(thing, "__dict__") else ()
    return "\n".join(found)
