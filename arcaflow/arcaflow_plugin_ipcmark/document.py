# SPDX-License-Identifier: Apache-2.0
"""From the text that ipcmark writes to the types of the schema."""

import json
from typing import Any

from arcaflow_plugin_sdk import schema
from arcaflow_plugin_sdk.schema import ConstraintException

from arcaflow_plugin_ipcmark.schema_outputs import ResultDocument

_document_schema = schema.build_object_schema(ResultDocument)


_HEAD = 120


class BadDocument(Exception):
    """The message says what is wrong with it, and where."""


def parse(text: str) -> tuple[ResultDocument, list[str]]:
    """The document, and the places of fields that this plugin does not know, which it leaves out.

    Raises BadDocument.
    """
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadDocument(f"not JSON: {error}; it begins with {_head(text)!r}") from error
    if not isinstance(raw, dict):
        raise BadDocument(f"a JSON object was expected, not {type(raw).__name__}")
    for result in raw.get("results") or []:
        if isinstance(result, dict):
            result["status"], result["failure_reason"] = _status(result.get("status"))
    unknown: list[str] = []
    _drop_unknown(_document_schema.objects[_document_schema.root], raw, "", unknown)
    try:
        return _document_schema.unserialize(_without_nulls(raw)), unknown
    except ConstraintException as error:
        raise BadDocument(str(error)) from error


def _head(text: str) -> str:
    """The beginning, in a line."""
    words = " ".join(text[: 2 * _HEAD].split())
    return words if len(words) <= _HEAD else words[:_HEAD] + "…"


def _status(status: Any) -> tuple[Any, str | None]:
    """'Success', or {'Failure': reason} as 'Failure' with the reason beside it."""
    if isinstance(status, dict) and set(status) == {"Failure"}:
        return "Failure", str(status["Failure"])
    return status, None


def _drop_unknown(kind: schema.AbstractType, value: Any, path: str, unknown: list[str]) -> None:
    """Takes what the schema has no field for out of `value`, and notes where it was."""
    if isinstance(kind, schema.RefType):
        kind = _document_schema.objects[kind.id]
    if isinstance(kind, schema.ObjectType) and isinstance(value, dict):
        for name in sorted(set(value) - set(kind.properties)):
            unknown.append(f"{path}.{name}" if path else name)
            del value[name]
        for name in value:
            _drop_unknown(kind.properties[name].type, value[name], f"{path}.{name}" if path else name, unknown)
    elif isinstance(kind, schema.ListType) and isinstance(value, list):
        for item in value:
            _drop_unknown(kind.items, item, f"{path}[]", unknown)
    elif isinstance(kind, schema.MapType) and isinstance(value, dict):
        for item in value.values():
            _drop_unknown(kind.values, item, f"{path}{{}}", unknown)


def _without_nulls(value: Any) -> Any:
    """The engine's types have no null: a field that is not set is not there."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
