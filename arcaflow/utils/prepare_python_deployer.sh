#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the plugin where the engine's Python deployer looks for it. By itself that deployer can only install from the
# root of a repository on a web server; this plugin is in a folder of one.
#
# usage: utils/prepare_python_deployer.sh [WORKDIR [PYTHON]]     as in config-python.yaml; default /tmp/ipcmark-arcaflow
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
workdir=${1:-/tmp/ipcmark-arcaflow}
python=${2:-python3}
version=$("$python" -c 'import platform; print(platform.python_version().replace(".", "-"))')
venv=$workdir/arcaflow-plugin-ipcmark/venv

mkdir -p "$workdir"
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install -q "$root"
# The engine numbers its connectors: one to ask for the schema, and one for each step that runs.
for number in {1..20}; do
    mkdir -p "$workdir/connector_${version}_$number"
    ln -sfn "$workdir/arcaflow-plugin-ipcmark" \
        "$workdir/connector_${version}_$number/arcaflow-plugin-ipcmark_latest"
done
echo "installed in $workdir; the engine needs ipcmark on PATH or named by IPCMARK_BINARY"
