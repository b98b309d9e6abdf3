# SPDX-License-Identifier: Apache-2.0
"""Every public header compiles alone, without a warning, in each language and compiler that it is meant for."""

import shutil
import subprocess

import pytest
from support import SOURCE_ROOT

INCLUDE = SOURCE_ROOT / "core" / "include"
C_HEADERS = sorted(path.relative_to(INCLUDE) for path in (INCLUDE / "ipcmark").rglob("*.h"))
CPP_HEADERS = sorted(path.relative_to(INCLUDE) for path in (INCLUDE / "ipcmark").rglob("*.hpp"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror"]

COMPILERS = {
    "gcc": {"c": "gcc", "c++": "g++"},
    "clang": {"c": "clang", "c++": "clang++"},
    "clang-14": {"c": "clang-14", "c++": "clang++-14"},
}
PRESENT = [name for name, programs in COMPILERS.items() if shutil.which(programs["c++"])]

A_MODULE = """
#include <ipcmark/module.h>
static const ipcmark_descriptor descriptor = {sizeof(ipcmark_descriptor)%s};
IPCMARK_DEFINE_MODULE("pipe", "1.0.0", &descriptor);
"""


def compile_alone(compiler, language, standard, source, *flags):
    program = COMPILERS[compiler][language]
    done = subprocess.run(
        [program, f"-std={standard}", *WARNINGS, *flags, f"-I{INCLUDE}", "-fsyntax-only", "-x", language, "-"],
        input=source,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_compilers_and_headers():
    assert PRESENT and len(C_HEADERS) >= 4 and len(CPP_HEADERS) >= 8


@pytest.mark.parametrize("compiler", PRESENT)
@pytest.mark.parametrize(("language", "standard"), [("c", "c11"), ("c", "c17"), ("c++", "c++17"), ("c++", "c++20")])
@pytest.mark.parametrize("header", C_HEADERS, ids=str)
def test_c_header(compiler, language, standard, header):
    # Twice: a header must bear to be included again.
    compile_alone(compiler, language, standard, f"#include <{header}>\n" * 2)


@pytest.mark.parametrize("compiler", PRESENT)
@pytest.mark.parametrize(("language", "standard"), [("c", "c11"), ("c++", "c++17"), ("c++", "c++20")])
def test_the_macro_that_defines_a_module(compiler, language, standard):
    compile_alone(compiler, language, standard, A_MODULE % "", "-Wno-missing-field-initializers")


@pytest.mark.parametrize("compiler", PRESENT)
@pytest.mark.parametrize("header", CPP_HEADERS, ids=str)
def test_cpp_header(compiler, header):
    compile_alone(compiler, "c++", "c++20", f"#include <{header}>\n" * 2, "-D_GNU_SOURCE")
