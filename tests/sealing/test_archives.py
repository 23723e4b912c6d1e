"""Unsigned files are archives for skops: none unfolds into far more than its own length."""

import io
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import skops.io

from modelpriv import sealing
from modelpriv.errors import SealedFileError
from modelpriv.keys import Identity
from modelpriv.sealing.format import buffers

Parts = runpy.run_path(str(Path(__file__).with_name("insider.py")))["Parts"]
ADA = Identity.generate("x25519")
MIB = 2**20


def sealed(archive):
    """An archive sealed by someone who has only the recipient's public key."""
    parts = Parts(sealing.dumps({}, recipients=[ADA.recipient]), identity=ADA)
    return parts.write(b"".join(buffers.lay_out([memoryview(archive)], [])))


def load(archive):
    return sealing.loads(sealed(archive), identity=ADA, trusted_types=["a"])


def rewritten(archive, change, compression=zipfile.ZIP_STORED):
    """An archive whose members another function gives: by name and content, to new contents."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(out, "w", compression) as target:
        for member in source.infolist():
            target.writestr(member.filename, change(member.filename, source.read(member)))
    return out.getvalue()


def bomb(mebibytes):
    """A small archive that holds an array of so many MiB."""
    out = io.BytesIO()
    np.savez_compressed(out, format=b"csr", shape=(1, 1), data=np.zeros(mebibytes * MIB, np.uint8))
    return out.getvalue()


def sparse(count=1):
    """What skops writes of sparse matrices: an archive in the archive for each."""
    return skops.io.dumps([scipy.sparse.random(50, 50, random_state=number, format="csr") for number in range(count)])


def test_a_sparse_matrix_is_read():
    """A sparse matrix, whose member skops compresses, is read like anything else."""
    matrix = scipy.sparse.csr_array(np.tile(np.eye(40), (40, 1)))
    data = sealed(skops.io.dumps([matrix]))
    (back,) = sealing.loads(data, identity=ADA, trusted_types=["scipy.sparse._csr.csr_array"])
    np.testing.assert_array_equal(back.toarray(), matrix.toarray())


@pytest.mark.parametrize("name", [".npz", ".npy"])
@pytest.mark.parametrize(("count", "mebibytes"), [(1, 300), (4, 40)])
def test_an_array_that_unfolds(name, count, mebibytes, traced_peak):
    """A member that unfolds to more than is accepted, alone or with others, is refused before it does."""
    hostile = rewritten(sparse(count), lambda named, held: bomb(mebibytes) if named.endswith(".npz") else held)
    hostile = hostile.replace(b".npz", name.encode())
    assert len(hostile) < 2 * MIB
    data = sealed(hostile)

    def refused():
        with pytest.raises(SealedFileError, match="skops cannot read"):
            sealing.loads(data, identity=ADA, trusted_types=["a"])

    assert traced_peak(refused) < 20 * MIB


def test_a_compressed_archive():
    """An archive that is compressed itself is refused: we write none."""
    with pytest.raises(SealedFileError, match="skops cannot read"):
        load(rewritten(sparse(), lambda _, held: held, zipfile.ZIP_DEFLATED))


def test_members_that_overlap():
    """An archive whose members claim more bytes than it has is refused."""
    archive = rewritten(sparse(), lambda _, held: held)
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        entries = len(source.infolist())
        start = source.start_dir
    directory = archive[start : archive.index(b"PK\5\6", start)]
    many = 500
    end = archive.index(b"PK\5\6", start)
    tail = bytearray(archive[end:])
    tail[8:10] = tail[10:12] = (entries * many).to_bytes(2, "little")
    tail[12:16] = (len(directory) * many).to_bytes(4, "little")
    with pytest.raises(SealedFileError, match="skops cannot read"):
        load(archive[:start] + directory * many + bytes(tail))
