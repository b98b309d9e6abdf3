// SPDX-License-Identifier: Apache-2.0
// The same as C++, which has its own rules of alignment and of what a constant expression is.
#include "layout.c"
