"""What a registry can read of a model sealed with ``scope="parameters"``: its class and hyper-parameters."""

import inspect
import math
from typing import Any

SCOPES = ("estimator", "parameters")


def describe(estimator: Any) -> dict[str, Any]:
    """Give the class and the hyper-parameters of an estimator, for JSON, and nothing that it learnt.

    Numbers, texts, and lists and dicts of them appear as they are; anything else, such as a nested estimator or an
    array, appears as the name of its class.
    """
    parameters = estimator.get_params(deep=True)
    return {
        "class": _name(type(estimator)),
        "parameters": {name: _plain(value) for name, value in sorted(parameters.items())},
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()  # JSON in UTF-8 cannot say a lone surrogate
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(_plain(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, float):
        return str(value)
    return f"<{_name(value if inspect.isclass(value) or inspect.isroutine(value) else type(value))}>"


def _name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', None)}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"
