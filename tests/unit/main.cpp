// SPDX-License-Identifier: Apache-2.0
// Catch2 v3 brings its own main (catch2-with-main); v2 makes it here.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
