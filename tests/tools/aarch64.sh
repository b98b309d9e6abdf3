# SPDX-License-Identifier: Apache-2.0
# Sourced by ./dev: everything compiled for aarch64, and run in emulation. Needs Debian's cross compiler and qemu-user;
# the libraries come from Debian's arm64 archive into a folder of the build, so the machine itself stays as it is.

aarch64_build=build-aarch64
aarch64_root=$PWD/$aarch64_build/root

# An apt that knows of arm64 only and keeps all its state in the build folder.
aarch64_apt() {
    local state=$PWD/$aarch64_build/apt
    mkdir -p "$state"/lists/partial "$state"/archives/partial
    touch "$state/status"
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=false \
        -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" -o Dir::Cache="$state" \
        -o Dir::Cache::archives="$state/archives" -o Debug::NoLocking=1 "$@"
}

aarch64_libraries() {
    [ ! -f "$aarch64_root/complete" ] || return 0
    local packages=(libc6-dev libstdc++-12-dev) line archive
    while IFS= read -r line; do
        case $line in lib* | catch2 | zlib*) packages+=("${line%% *}") ;; esac
    done < <(listed_packages run)
    aarch64_apt update || return 1
    aarch64_apt install -y --download-only "${packages[@]}" || return 1
    mkdir -p "$aarch64_root"
    for archive in "$aarch64_build"/apt/archives/*.deb; do
        dpkg -x "$archive" "$aarch64_root" || return 1
    done
    touch "$aarch64_root/complete"
}

aarch64_cross_file() {
    cat <<END
[binaries]
c = 'aarch64-linux-gnu-gcc'
cpp = 'aarch64-linux-gnu-g++'
ar = 'aarch64-linux-gnu-gcc-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'
[properties]
sys_root = '$aarch64_root'
pkg_config_libdir = '$aarch64_root/usr/lib/aarch64-linux-gnu/pkgconfig:$aarch64_root/usr/share/pkgconfig'
boost_root = '$aarch64_root/usr'
[built-in options]
c_args = ['--sysroot=$aarch64_root']
cpp_args = ['--sysroot=$aarch64_root']
c_link_args = ['--sysroot=$aarch64_root']
cpp_link_args = ['--sysroot=$aarch64_root']
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
END
}

# The kernel starts aarch64 programs by qemu, workers included, in a user namespace of this run alone (Linux 6.7).
aarch64_run() {
    QEMU_LD_PREFIX=$aarch64_root unshare --user --map-root-user --mount bash -c '
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
        zeros="\x00\x00\x00\x00\x00\x00\x00\x00"
        printf %s ":aarch64:M::\x7fELF\x02\x01\x01\x00$zeros\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00${zeros//00/ff}\xfe\xff\xff\xff:$(command -v qemu-aarch64):F" \
            >/proc/sys/fs/binfmt_misc/register
        exec "$@"' bash "$@"
}

aarch64() {
    mkdir -p "$aarch64_build"
    say "aarch64: libraries"
    quietly aarch64-libraries aarch64_libraries
    aarch64_cross_file >"$aarch64_build/cross.ini"
    configure "$aarch64_build/meson" --cross-file "$aarch64_build/cross.ini" --buildtype=release
    say "aarch64: building in $aarch64_build/meson"
    quietly aarch64-build ninja -C "$aarch64_build/meson"
    say "aarch64: a run in emulation (its figures mean nothing)"
    aarch64_run "$aarch64_build/meson/host/ipcmark" run -m all -i 500 -w 50
    local module
    for module in uds shm tcp pmq; do
        say "aarch64: check $module"
        aarch64_run "$aarch64_build/meson/host/ipcmark" check "$module" --quiet --only 'messages.*' 'sizes.*' 'duplex.*'
    done
}
