"""The commands that change a sealed model: who opens it, its key, and the keys of the steps inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelpriv import sealing
from modelpriv._cli.answers import Answer, UnreadableError, for_each
from modelpriv._cli.incoming import NEW_PASSPHRASE, ask, public, table, uri
from modelpriv._cli.parser import Parser, WrongCallError
from modelpriv.errors import ModelprivError
from modelpriv.keys import Identity, Keyring, Recipient, Signer, SigningKey
from modelpriv.keys.recipient import is_line
from modelpriv.models.repinning import repin

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]

_REWRAP = """\
Change who opens sealed models, in place: their bodies, signatures and ids stay. FILE is a sealed model, or a folder
that holds one, such as that of an MLflow model. With --key alone, each file moves to the primary key of the keyring,
and its older keys do not open it any more.

It cannot shut out anyone who could open the file before, because they may have kept its key or a copy: use rekey for
that. It does not reach the steps inside: use repin."""
_REKEY = """\
Write sealed models again under a fresh key, for other readers; nothing of them is run. FILE is a sealed model, or a
folder that holds one. Each file is replaced as a whole and gets a new id. With it you vouch for the model as it is, so
rekey only files that you would load. It cannot take back what others have read, or a copy that they kept."""
_REPIN = """\
Move every keyed step inside sealed models to the primary key of the keyring, without training again. FILE is a sealed
model that only this keyring opens, or a folder that holds one. The model is loaded, so its code runs; the predictions
on the rows of --sample, a Parquet or CSV file, must be the same before and after, else nothing changes and the exit
code is 1. It cannot move what a model learnt from tokens, pseudonyms or fakes: fit that model again."""


def add(parser: Parser) -> None:
    """Add the commands."""
    _add_rewrap(parser)
    _add_rekey(parser)
    _add_repin(parser)


def _add_rewrap(parser: Parser) -> None:
    rewrap = parser.add_command(
        "rewrap",
        _rewrap,
        _REWRAP,
        usage=(
            "FILE ... (--key URI | --identity URI | --passphrase) [--add-passphrase] [--json]\n"
            "         [--add READER ...] [--remove NAME ...]"
        ),
        examples=[
            "rewrap model.mpriv other.mpriv --key file:keys.json",
            "rewrap model.mpriv --key file:keys.json --add ada.recipient",
            "rewrap model.mpriv --key file:keys.json --remove passphrase",
        ],
    )
    _add_opening(rewrap)
    rewrap.add_argument("--add", nargs="+", metavar="READER", help="a keyring's URI, or a recipient's line or its file")
    rewrap.add_argument("--add-passphrase", action="store_true", help=f"another passphrase: {NEW_PASSPHRASE}, or asked")
    rewrap.add_argument(
        "--remove", nargs="+", metavar="NAME", help="what no longer opens it: key ids, recipients' ids, 'passphrase'"
    )


def _add_rekey(parser: Parser) -> None:
    rekey = parser.add_command(
        "rekey",
        _rekey,
        _REKEY,
        usage=(
            "FILE ... (--key URI | --identity URI | --passphrase) [--new-key URI] [--new-passphrase]\n"
            "         [--sign-with URI] [--json] [--new-recipients LINE ...] [--trusted-signers LINE ...]"
        ),
        examples=[
            "rekey model.mpriv --key file:old.json --new-key file:keys.json",
            "rekey model.mpriv --key file:keys.json --sign-with file:team.json --new-recipients ada.recipient",
        ],
    )
    _add_opening(rekey)
    rekey.add_argument("--new-key", type=uri("keyring"), metavar="URI", help="the keyring that opens it from now on")
    rekey.add_argument("--new-passphrase", action="store_true", help=f"a new passphrase: {NEW_PASSPHRASE}, or asked")
    rekey.add_argument("--new-recipients", nargs="+", type=public(Recipient), metavar="LINE", help="or their files")
    rekey.add_argument("--sign-with", type=uri("signing key"), metavar="URI", help="your signing key")
    _add_trusted(rekey)


def _add_repin(parser: Parser) -> None:
    repin_ = parser.add_command(
        "repin",
        _repin,
        _REPIN,
        usage="FILE ... --key URI [--sample FILE] [--allow-code] [--json] [--trusted-signers LINE ...]",
        examples=["repin model.mpriv --key file:keys.json --sample rows.parquet"],
    )
    repin_.add_argument("files", nargs="+", metavar="FILE", help="a sealed model, or a folder that holds one")
    repin_.add_argument("--key", required=True, type=uri("keyring"), metavar="URI", help="the rotated keyring")
    repin_.add_argument("--sample", metavar="FILE", help="rows that the model predicts: Parquet or CSV")
    repin_.add_argument("--allow-code", action="store_true", help="the file may bring its author's own classes")
    _add_trusted(repin_)


def _add_opening(parser: Parser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a sealed model, or a folder that holds one")
    parser.add_argument("--key", type=uri("keyring"), metavar="URI", help="the keyring that opens it now")
    parser.add_argument("--identity", type=uri("identity"), metavar="URI", help="the identity that opens it now")
    parser.add_argument(
        "--passphrase", action="store_true", help="a passphrase opens it: MODELPRIV_PASSPHRASE, or asked"
    )


def _add_trusted(parser: Parser) -> None:
    parser.add_argument(
        "--trusted-signers",
        nargs="+",
        default=(),
        type=public(Signer),
        metavar="LINE",
        help="the signers whose models you take: their lines, or the files of these",
    )


def _rewrap(given: argparse.Namespace) -> Answer:
    opener, changes = _opener(given), _changes(given)
    keys = opener.get("key")
    if keys is None and not changes:
        raise WrongCallError("say what to change: --add, --add-passphrase or --remove.")

    def act(path: str) -> tuple[str, dict[str, Any]]:
        sealing.rewrap(path, **opener, **(changes or _to_primary(path, opener["key"])))
        return _state(path)

    return for_each(given, act)


def _changes(given: argparse.Namespace) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if given.add:
        changes["add"] = [_reader(text) for text in given.add]
    if given.add_passphrase:
        changes["add_passphrase"] = ask("the models", NEW_PASSPHRASE, new=True)
    if given.remove:
        changes["remove"] = given.remove
    return changes


def _reader(text: str) -> Keyring | Recipient:
    """Read one that is added: the URI of a keyring, a recipient's line, or the file of that line."""
    if is_line(text):
        return Recipient(text)
    return Keyring.from_uri(text) if text.startswith(("env:", "file:", "keyring:")) else Recipient.load(text)


def _to_primary(path: str, keys: Keyring) -> dict[str, Any]:
    """Return the changes that move a file to a keyring's primary key."""
    named = {way.get("key_id") for way in sealing.inspect(path).stanzas}
    return {"add": keys, "remove": [key_id for key_id in keys.key_ids[1:] if key_id in named]}


def _rekey(given: argparse.Namespace) -> Answer:
    if not (given.new_key or given.new_passphrase or given.new_recipients):
        raise WrongCallError("say who opens the new file: --new-key, --new-passphrase or --new-recipients.")
    opener = _opener(given)
    ways = {
        "new_key": None if given.new_key is None else Keyring.from_uri(given.new_key),
        "new_passphrase": ask("the new models", NEW_PASSPHRASE, new=True) if given.new_passphrase else None,
        "new_recipients": given.new_recipients,
        "sign_with": None if given.sign_with is None else SigningKey.from_uri(given.sign_with),
    }

    def act(path: str) -> tuple[str, dict[str, Any]]:
        sealing.rekey(path, **opener, **ways, trusted_signers=given.trusted_signers, durable=True)
        return _state(path)

    return for_each(given, act)


def _repin(given: argparse.Namespace) -> Answer:
    keys = Keyring.from_uri(given.key)
    sample = None if given.sample is None else table(given.sample)

    def act(path: str) -> tuple[str, dict[str, Any]]:
        try:
            repin(path, key=keys, sample=sample, trusted_signers=given.trusted_signers, allow_code=given.allow_code)
        except (ModelprivError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - of the model's own code, whose words may hold cells
            raise UnreadableError(_not_taken(error)) from None
        return _state(path)

    return for_each(given, act)


def _not_taken(error: Exception) -> str:
    return (
        f"the model cannot be loaded, or does not take the rows of --sample ({type(error).__name__}): give rows with "
        "the columns that it was trained on, and run this where the model's own packages are installed."
    )


def _opener(given: argparse.Namespace) -> dict[str, Any]:
    """Return what opens the files now, as parameters."""
    if not (given.key or given.identity or given.passphrase):
        raise WrongCallError("say what opens the files now: --key, --identity or --passphrase.")
    found: dict[str, Any] = {}
    if given.key:
        found["key"] = Keyring.from_uri(given.key)
    if given.identity:
        found["identity"] = Identity.from_uri(given.identity)
    if given.passphrase:
        found["passphrase"] = ask("the models")
    return found


def _state(path: str) -> tuple[str, dict[str, Any]]:
    """Tell what a file is now, in words and as fields."""
    claims = sealing.inspect(path)
    opens = [way.get("key_id") or way.get("recipient") or way["type"] for way in claims.stanzas]
    needs = sorted({need["key_id"] for need in claims.needs})
    inside = f"; the steps inside need {', '.join(needs)}" if needs else ""
    return f"opens by {', '.join(opens)}{inside}.", {"file_id": claims.file_id, "opens": opens, "needs": needs}
