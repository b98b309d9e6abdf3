// SPDX-License-Identifier: Apache-2.0
#include "run/hex.hpp"

#include <ipcmark/run.hpp>

#include <iterator>

#include <boost/algorithm/hex.hpp>

namespace ipcmark {

std::string to_hex(const std::string& bytes) {
    std::string text;
    boost::algorithm::hex_lower(bytes.begin(), bytes.end(), std::back_inserter(text));
    return text;
}

std::string from_hex(const std::string& text) {
    std::string bytes;
    try {
        boost::algorithm::unhex(text.begin(), text.end(), std::back_inserter(bytes));
    } catch (const boost::algorithm::hex_decode_error&) {
        throw RunError("a control message has an address that is not hexadecimal");
    }
    return bytes;
}

} // namespace ipcmark
