# SPDX-License-Identifier: Apache-2.0
# Sourced: makes podman usable on this machine, and finds or makes the base image.

default_base=docker.io/library/debian:trixie-slim
own_base=localhost/debian:trixie-slim
image_cache=${XDG_CACHE_HOME:-$HOME/.cache}/ipcmark
base_archive=$image_cache/debian-trixie-slim.tar

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Prints the base image. Where no registry can be reached, it is made from the packages of this machine's own mirror
# and kept for the next time.
base_image() {
    if [ -n "${BASE_IMAGE:-}" ]; then
        echo "$BASE_IMAGE"
    elif podman image exists "$default_base"; then
        echo "$default_base"
    elif podman image exists "$own_base"; then
        echo "$own_base"
    elif [ ! -e "$base_archive" ] && timeout 60 podman pull -q "$default_base" >/dev/null 2>&1; then
        echo "$default_base"
    else
        [ -e "$base_archive" ] || bootstrap_base >&2 || exit 1
        podman import -q "$base_archive" "$own_base" >&2 || die "podman cannot import $base_archive"
        echo "$own_base"
    fi
}

# In a subshell: its trap and its lock end with it. `set -e` does not hold where a caller asks `||`.
bootstrap_base() (
    [ "$(id -u)" -eq 0 ] && command -v debootstrap >/dev/null ||
        die "$default_base cannot be pulled; name another image in BASE_IMAGE, or run this as root with debootstrap"
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 !~ /-/ { print $3; exit }')
    [ -n "$mirror" ] || die "no Debian mirror is set up on this machine; name an image in BASE_IMAGE"
    mkdir -p "$image_cache" || die "cannot keep a base image in $image_cache"
    exec 9>"$image_cache/lock"
    flock 9
    [ ! -e "$base_archive" ] || exit 0 # made by another build while this one waited
    rm -rf "$image_cache"/bootstrap.* # of a build that was killed
    root=$(mktemp -d "$image_cache/bootstrap.XXXXXX") || die "cannot write in $image_cache"
    trap 'rm -rf "$root"' EXIT
    echo "making a base image from this machine's package mirror (once)"
    debootstrap --variant=minbase trixie "$root/tree" "$mirror" >"$root/log" 2>&1 9>&- ||
        { tail -n 20 "$root/log"; die "debootstrap failed"; }
    rm -rf "$root"/tree/var/cache/apt/* "$root"/tree/var/lib/apt/lists/*
    tar -C "$root/tree" -cf "$root/tar" . && mv "$root/tar" "$base_archive" || die "cannot write $base_archive"
)

# use_working_podman IMAGE: some machines are containers themselves and need other settings than podman's own.
use_working_podman() {
    command -v podman >/dev/null || die "podman is not installed"
    podman run --rm "$1" true >/dev/null 2>&1 && return
    CONTAINERS_CONF=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/nested-containers.conf
    export CONTAINERS_CONF
    local said
    said=$(podman run --rm "$1" true 2>&1) || die "podman cannot run containers here: $said"
}
