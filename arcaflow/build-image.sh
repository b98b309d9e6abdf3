#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the container image of the plugin, also where no image registry can be reached.
#
# usage: arcaflow/build-image.sh [--environment] [ARGUMENTS OF podman build…]
#
# --environment  build nothing; print the variables that podman needs on this machine, one NAME=VALUE a line
# IMAGE          environment: name of the image; default localhost/arcaflow-plugin-ipcmark:latest
# BASE_IMAGE     environment: the base image; default: Debian 13 slim
# SOURCE_URL     environment: where the sources are, for the image's label; default: the origin of this clone, if it is
#                on the web
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=utils/containers.sh
source "$here/utils/containers.sh"
# shellcheck source=utils/source_url.sh
source "$here/utils/source_url.sh"
image=${IMAGE:-localhost/arcaflow-plugin-ipcmark:latest}

command -v podman >/dev/null || die "podman is not installed"
base=$(base_image)
use_working_podman "$base"
if [ "${1:-}" = --environment ]; then
    [ -z "${CONTAINERS_CONF:-}" ] || echo "CONTAINERS_CONF=$CONTAINERS_CONF"
    exit
fi

# A machine that checks certificates against a bundle of its own: pip needs it inside the build too. Not at the same
# path, which is where the package of certificates writes.
certificates=()
if [ -n "${PIP_CERT:-}" ]; then
    certificates=(--volume "$PIP_CERT:/run/certificates.crt:ro" --build-arg PIP_CERT=/run/certificates.crt)
fi
# As a label of the call: older builders take the Containerfile's label from the cache whatever the argument is now.
source=$(source_url)
podman build --network=host --build-arg "BASE_IMAGE=$base" --build-arg "SOURCE_URL=$source" "${certificates[@]}" \
    --label "org.opencontainers.image.source=$source" -t "$image" -f "$here/Containerfile" "$@" "$here/.."
