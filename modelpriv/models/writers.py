"""Methods of estimators that write the model, and so would write it in plain text through a wrapper."""

from __future__ import annotations

from typing import Any, NoReturn

from modelpriv.errors import LockedError

__all__ = ["refuse_writer", "writes"]

# How libraries begin the names of such methods: save_model (XGBoost, CatBoost), save, save_weights, export (Keras),
# save_params (skorch), dump_model (LightGBM's booster), to_onnx, to_pickle, download_mojo (H2O), write (Spark).
_BEGINNINGS = ("save", "dump", "export", "to_onnx", "to_pickle", "to_json", "to_yaml", "to_file", "to_disk", "to_bytes")
_MORE = ("serialize", "download_", "persist", "store_", "write")


def writes(name: str) -> bool:
    """Return whether a method of this name writes a model."""
    return name.startswith(_BEGINNINGS + _MORE)


class _Refused:
    """A method that exists, so that the caller learns why it cannot be called."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise LockedError(self._message)


def refuse_writer(wrapper: object, inner: object, name: str) -> _Refused:
    """Return what takes the place of a method that writes: a function that says what to do instead."""
    return _Refused(
        f"{name} would write the inner {type(inner).__name__} in plain text. Write it sealed with "
        f"modelpriv.dump(model, path). For plain text, call {name} of the {type(wrapper).__name__}'s estimator_."
    )
