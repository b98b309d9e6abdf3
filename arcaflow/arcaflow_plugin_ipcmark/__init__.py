# SPDX-License-Identifier: Apache-2.0
"""Arcaflow plugin that measures inter-process communication with ipcmark."""
