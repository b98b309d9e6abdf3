# SPDX-License-Identifier: Apache-2.0
"""Names and patterns that the schema files share."""

import re

from arcaflow_plugin_sdk import schema

# A module's id: what `ipcmark list` shows. Any module that is found on the module path may be named, not only our own.
MECHANISM = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
# CPU numbers and ranges.
CPU_LIST = re.compile(r"^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$")


def doc(name: str, description: str):
    """The name and the description that every field of a schema has, for use in Annotated[type, *doc(…)]."""
    return schema.name(name), schema.description(description)
