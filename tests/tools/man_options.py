# SPDX-License-Identifier: Apache-2.0
"""Reads the options out of a verb's help; prints them as man/ipcmark.1 has them: man_options.py ipcmark VERB"""

import re
import subprocess
import sys

_OPTION = re.compile(r"^ {2}(?: {4})?(-\S.*?)(?: {2,}(\S.*))?$")


def options_of_help(text):
    """heading → help of every option: '-s, --size SIZE...' → 'Message sizes…'"""
    options = {}
    heading = None
    for line in text.splitlines():
        if match := _OPTION.match(line):
            heading = match[1]
            options[heading] = match[2] or ""
        elif heading and line.startswith(" " * 20):
            options[heading] = f"{options[heading]} {line.strip()}".strip()
        else:
            heading = None
    return options


def as_roff(options):
    """The lines of a man page for these options."""

    def escaped(text):
        return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")

    def marked(heading):
        text = re.sub(r"(--?[a-zA-Z][-a-zA-Z]*)", r"<B>\1<R>", heading)
        text = re.sub(r"(?<= )(\[?)([A-Z][^\s.\]]*)", r"\1<I>\2<R>", text)
        return re.sub(r"<([BIR])>", r"\\f\1", escaped(text))

    return "".join(f".TP\n{marked(heading)}\n{escaped(help)}\n" for heading, help in options.items())


if __name__ == "__main__":
    text = subprocess.run([*sys.argv[1:], "--help"], capture_output=True, text=True, check=True).stdout
    print(as_roff(options_of_help(text)), end="")
