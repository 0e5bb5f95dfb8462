"""Dataclasses from JSON and back, checked by the type hints of their fields.

pydantic would do the same, but importing it makes `import emotone; load()` take 1.3 times as long.
"""

from __future__ import annotations

import dataclasses
import math
import types
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from emotone.errors import ModelFileError


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def build(kind: Any, content: Any) -> Any:
    """A dataclass from a JSON object, which has exactly its keys.

    Raises:
        ModelFileError: a key is missing or unknown, or a value does not fit.
    """
    require(isinstance(content, dict), f"an entry of {kind.__name__} is not a JSON object")
    known = {one.name: one for one in dataclasses.fields(kind)}
    unknown = sorted(set(content) - set(known))
    require(not unknown, f"unknown keys {unknown} in {kind.__name__}; expected {', '.join(known)}")
    values = {name: _value(name, _hints(kind)[name], value) for name, value in content.items()}
    missing = [
        name
        for name, one in known.items()
        if name not in content and one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    ]
    require(not missing, f"keys {missing} are missing in {kind.__name__}")
    return kind(**values)


def _value(name: str, kind: Any, value: Any) -> Any:
    """A JSON value as a field of a type holds it; whether it fits is checked by the dataclass itself."""
    if get_origin(kind) is types.UnionType:
        return None if value is None else _value(name, get_args(kind)[0], value)
    if get_origin(kind) is tuple:
        require(isinstance(value, list), f"{name} is not a list")
        return tuple(_value(name, get_args(kind)[0], part) for part in value)
    return build(kind, value) if dataclasses.is_dataclass(kind) else value


def check_types(entry: Any) -> None:
    """Check the fields of a dataclass by their type hints.

    Raises:
        ModelFileError: a value of another type, or a number that is not finite.
    """
    kind: Any = type(entry)
    hints = _hints(kind)
    for one in dataclasses.fields(entry):
        value = getattr(entry, one.name)
        require(_fits(hints[one.name], value), f"{one.name} = {value!r}; expected {one.type}")
        for number in value if isinstance(value, tuple) else (value,):
            require(
                not isinstance(number, float) or math.isfinite(number),
                f"{one.name} = {number}; expected a finite number",
            )


def _fits(kind: Any, value: Any) -> bool:
    if get_origin(kind) is types.UnionType:
        return value is None or _fits(get_args(kind)[0], value)
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_fits(get_args(kind)[0], part) for part in value)
    if kind in (int, float):
        return isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, get_origin(kind) or kind)


def require(holds: bool, message: str) -> None:
    """Raise a `ModelFileError` unless a condition holds."""
    if not holds:
        raise ModelFileError(f"model metadata: {message}")
