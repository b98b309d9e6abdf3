# SPDX-License-Identifier: Apache-2.0
# Sourced: where the sources of this clone are.

# Prints SOURCE_URL if that is set, else the web address of the clone's origin, without credentials; else nothing.
source_url() {
    if [ -n "${SOURCE_URL:-}" ]; then
        echo "$SOURCE_URL"
        return
    fi
    local origin
    origin=$(git -C "${1:-$(dirname "${BASH_SOURCE[0]}")}" remote get-url origin 2>/dev/null) || return 0
    # git@HOST:PATH and ssh://git@HOST/PATH are the same place as https://HOST/PATH.
    sed -nE -e 's,\.git/?$,,' \
        -e 's,^(https?|ssh)://([^/@]*@)?([^/]+/.+)$,\1://\3,' \
        -e 's,^([^/@:]+@)?([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+):([^/].*)$,https://\2/\4,' \
        -e 's,^ssh://([^/:]+)(:[0-9]+)?/,https://\1/,' \
        -e '\,^https?://,p' <<<"$origin"
}
