"""Killed at any moment, what writes to a sealed file leaves the old one or the new one, whole."""

import os
import random
import signal
import time
import warnings

import numpy as np
import pytest

from modelpriv import sealing
from modelpriv.errors import SealedFileWarning
from modelpriv.keys import Identity, Keyring, SigningKey

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def for_ever(path, keys, newer, others, ada, author):
    """Change the keys of a file back and forth, in each of the ways that there are, until killed."""
    while True:
        sealing.rekey(path, key=keys, new_key=keys, sign_with=author)
        sealing.rewrap(path, key=keys, add=ada.recipient)
        sealing.rewrap(path, key=keys, remove=ada.recipient.id)
        sealing.dump(np.zeros(200_000), path, key=keys, recipients=[ada.recipient], sign_with=author)
        sealing.rekey(path, identity=ada, new_key=keys, trusted_signers=[author.signer])
        sealing.dump(np.zeros(200_000), path, key=keys, passphrase="an example")
        sealing.rewrap(path, key=keys, add=others)
        sealing.rewrap(path, key=keys, remove=others.primary)
        sealing.rekey(path, key=keys, new_key=keys)
        sealing.rewrap(path, key=newer, add=newer)
        sealing.dump(np.zeros(200_000), path, key=keys)


def test_twenty_kills(tmp_path, keyring):
    """Twenty times a process that dumps, rewraps and rekeys is killed, and each time the file opens."""
    path, others, chance = tmp_path / "model.mpriv", Keyring.generate(), random.Random(20)
    ada, author = Identity.generate("x25519"), SigningKey.generate()
    sealing.dump(np.zeros(200_000), path, key=keyring)
    sealing.set_trusted(signers=[author.signer])
    for _ in range(20):
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # of a fork beside threads, which the child does not need
            child = os.fork()
        if child == 0:
            try:
                for_ever(path, keyring, keyring.rotate(), others, ada, author)
            finally:
                os._exit(1)  # not reached but by an error, which then shows as the exit status
        time.sleep(chance.uniform(0.005, 0.1))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SealedFileWarning)  # of a slot that was being written
            assert len(sealing.load(path, key=keyring)) == 200_000
