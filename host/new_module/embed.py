# SPDX-License-Identifier: Apache-2.0
"""Writes the files named on the command line (LANGUAGE:NAME=PATH) into a C++ source, for `ipcmark new-module`."""

import sys
from pathlib import Path

# Compilers take string literals of 64 KiB at least, and put neighbours together.
CHUNK = 8000


def literal(text):
    chunks = [text[i : i + CHUNK] for i in range(0, len(text), CHUNK)]
    return "\n        ".join(f'R"~~({chunk})~~"' for chunk in chunks)


def main():
    output, *files = sys.argv[1:]
    lines = [
        '#include "host/new_module/templates.hpp"',
        "namespace ipcmark::host {",
        "std::span<const TemplateFile> module_templates() {",
        "    static constexpr TemplateFile files[] = {",
    ]
    for entry in files:
        language, rest = entry.split(":", 1)
        name, path = rest.split("=", 1)
        lines.append(f'        {{"{language}", "{name}",\n        {literal(Path(path).read_text())}}},')
    lines += ["    };", "    return files;", "}", "} // namespace ipcmark::host", ""]
    Path(output).write_text("\n".join(lines))


main()
