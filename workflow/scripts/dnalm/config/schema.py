"""The configuration against its JSON schema, each fault as one clear line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from dnalm.errors import UserError


def check_schema(
    config: Mapping[str, Any], schema: str | Path, where: Callable[[Iterable[object]], str]
) -> None:
    """Checks types, values and keys.

    Raises:
        UserError: the first fault, with file, line and, for an unknown key, the nearest valid one.
    """
    import jsonschema

    validator = jsonschema.Draft202012Validator(yaml.safe_load(Path(schema).read_text(encoding="utf-8")))
    # A mistyped key is the cause when a required one is missing too, so it is told first.
    faults = sorted(
        validator.iter_errors(config),
        key=lambda fault: (
            fault.validator != "additionalProperties",
            [str(part) for part in fault.absolute_path],
        ),
    )
    if faults:
        raise _describe(faults[0], where)
    if not ("species" in config or "tasks" in config):  # published tasks are of no species
        raise UserError(where([]), "the key 'species' is missing", "Add it; see config/README.md.")


def _describe(fault: Any, where: Callable[[Iterable[object]], str]) -> UserError:
    keys = list(fault.absolute_path)
    if fault.validator in ("oneOf", "anyOf"):
        narrower = [
            inner
            for inner in fault.context
            if inner.validator in ("additionalProperties", "pattern", "enum")
            and len(inner.absolute_path) >= len(keys)
            and isinstance(fault.instance, (dict, list))
        ]
        known = [inner for inner in narrower if inner.validator == "additionalProperties"]
        if known:
            best = min(
                known, key=lambda inner: len(set(inner.instance) - set(inner.schema.get("properties", {})))
            )
            return _describe(best, where)
        choices = [_expectation(branch) for branch in fault.validator_value]
        return UserError(
            where(keys), f"found {fault.instance!r}, expected {' or '.join(choices)}", "See config/README.md."
        )
    if fault.validator == "additionalProperties":
        valid = sorted(fault.schema.get("properties", {}))
        unknown = sorted(set(fault.instance) - set(valid), key=str)[0]
        near = difflib.get_close_matches(str(unknown), valid, n=1, cutoff=0.5)
        remedy = f"Did you mean '{near[0]}'?" if near else f"Valid keys: {', '.join(valid)}."
        return UserError(where([*keys, unknown]), f"unknown key '{unknown}'", remedy)
    if fault.validator == "required":
        missing = fault.message.split("'")[1]
        return UserError(where(keys), f"the key '{missing}' is missing", "Add it; see config/README.md.")
    if fault.validator == "pattern":
        return UserError(
            where(keys),
            f"found {fault.instance!r}, expected the form {fault.validator_value}",
            "Names hold letters, digits and _; regions are contig:start-end.",
        )
    return UserError(
        where(keys),
        f"found {fault.instance!r}, expected {_expectation(fault.schema)}",
        "See config/README.md.",
    )


def _expectation(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "required" in schema:
        return "a mapping with " + ", ".join(schema["required"])
    words = {
        "string": "text",
        "array": "a list",
        "object": "a mapping",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
    }
    text = words.get(schema.get("type", ""), "another value")
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "at least"), ("maximum", "at most"), ("exclusiveMaximum", "below"))
        if key in schema
    ]
    return " ".join([text, *bounds])
