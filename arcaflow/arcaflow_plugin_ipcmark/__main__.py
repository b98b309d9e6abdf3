# SPDX-License-Identifier: Apache-2.0
"""`python -m arcaflow_plugin_ipcmark`: how the engine's Python deployer starts the plugin."""

from arcaflow_plugin_ipcmark.ipcmark_plugin import main

if __name__ == "__main__":
    main()
