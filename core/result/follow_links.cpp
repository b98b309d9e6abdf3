// SPDX-License-Identifier: Apache-2.0
#include "result/follow_links.hpp"

namespace ipcmark {

namespace fs = std::filesystem;

fs::path follow_links(const fs::path& path, std::error_code& error) {
    constexpr int most_links = 40; // as the kernel
    fs::path at = path;
    error.clear();
    for (int link = 0; link <= most_links; ++link) {
        std::error_code not_there;
        if (!fs::is_symlink(at, not_there))
            return at;
        const fs::path target = fs::read_symlink(at, error);
        if (error)
            return path;
        at = target.is_absolute() ? target : at.parent_path() / target;
    }
    error = std::make_error_code(std::errc::too_many_symbolic_link_levels);
    return path;
}

} // namespace ipcmark
