"""The live keyrings of this process: which one a reference means."""

import gc
import threading

import pytest

from modelpriv.keys import Keyring, opening, registry


def test_a_live_keyring_is_found(keyring):
    """A keyring that something holds is found by its fingerprints."""
    assert registry.find(keyring.fingerprints) is keyring


def test_nothing_is_found_once_it_is_gone():
    """A keyring that nothing holds any more is not found."""
    keyring = Keyring.generate()
    wanted = keyring.fingerprints
    del keyring
    gc.collect()
    assert registry.find(wanted) is None


def test_the_check_value_counts(keyring):
    """A keyring with the same key id but another check value is another keyring."""
    assert registry.find([(keyring.primary, bytes(16))]) is None


def test_the_primary_must_be_held(keyring):
    """A keyring without the primary key of what is wanted does not do, though it holds an older one."""
    rotated = keyring.rotate()
    wanted = rotated.fingerprints
    del rotated
    gc.collect()
    assert registry.find(wanted) is None


def test_the_keyring_with_most_keys_is_taken(keyring):
    """Among keyrings that hold the primary, the one with most of the other keys is taken."""
    middle = keyring.rotate()
    newest = middle.rotate()
    fewer = middle.retire(keyring.primary)
    assert registry.find(middle.fingerprints) is middle
    wanted = middle.fingerprints
    del middle
    gc.collect()
    assert registry.find(wanted) is newest
    assert fewer.primary == wanted[0][0]


def test_among_equals_the_same_primary_is_taken(keyring):
    """Among keyrings that hold all that is wanted, the one that writes with the same key is taken."""
    rotated = keyring.rotate()
    assert registry.find(keyring.fingerprints) is keyring
    assert registry.find(rotated.fingerprints) is rotated


def test_the_opening_keyring_comes_first(keyring):
    """While a file is being opened its keyring comes before any other live one, and not after that."""
    opener = Keyring.from_secret(keyring.export_secret())
    with opening(opener):
        assert registry.find(keyring.fingerprints) is opener
    assert registry.find(keyring.fingerprints) is keyring


def test_the_innermost_file_comes_first(keyring):
    """A file within a file is asked before the file around it, and that one where the inner does not hold the key."""
    outer, inner = Keyring.from_secret(keyring.export_secret()), Keyring.from_secret(keyring.export_secret())
    with opening(outer):
        with opening(inner):
            assert registry.find(keyring.fingerprints) is inner
        with opening(Keyring.generate()):
            assert registry.find(keyring.fingerprints) is outer


def test_a_file_that_no_keyring_opened(keyring):
    """A file that a passphrase opened changes nothing."""
    with opening(None):
        assert registry.find(keyring.fingerprints) is keyring


def test_opening_ends_with_an_error(keyring):
    """An error in the block ends it too."""
    opener = Keyring.from_secret(keyring.export_secret())
    with pytest.raises(LookupError), opening(opener):
        raise LookupError
    assert registry.find(keyring.fingerprints) is keyring


def test_other_threads_do_not_see_what_is_opened(keyring):
    """What one thread opens is no keyring of another thread's file."""
    opener, found = Keyring.from_secret(keyring.export_secret()), []
    with opening(opener):
        thread = threading.Thread(target=lambda: found.append(registry.find(keyring.fingerprints)))
        thread.start()
        thread.join()
    assert found == [keyring]


def test_many_threads():
    """Keyrings are made, found and dropped by many threads at once."""
    failed = []

    def work():
        for _ in range(50):
            mine = Keyring.generate()
            if registry.find(mine.fingerprints) is not mine:
                failed.append(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
