#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Python that the tests run on: of the environment that ./dev makes, where there is one by now, else the system's.
venv=$(dirname "$0")/../../.venv/bin/python3
if [ -x "$venv" ]; then
    exec "$venv" "$@"
fi
exec python3 "$@"
