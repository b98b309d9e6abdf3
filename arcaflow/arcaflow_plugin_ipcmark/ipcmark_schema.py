# SPDX-License-Identifier: Apache-2.0
"""Everything that goes into the steps and comes out of them."""

from arcaflow_plugin_ipcmark.schema_inputs import *  # noqa: F403
from arcaflow_plugin_ipcmark.schema_outputs import *  # noqa: F403
from arcaflow_plugin_ipcmark.schema_results import *  # noqa: F403
