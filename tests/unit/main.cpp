// SPDX-License-Identifier: Apache-2.0
// Catch2 v3 brings its own main (catch2-with-main); v2 makes it here.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
// Its signal handlers allocate, which ThreadSanitizer reports of a handler. At a time-out's SIGTERM that report would
// be all there is to read, and where the signal comes in the middle of another report, the end: they share a lock.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CATCH_CONFIG_NO_POSIX_SIGNALS
#endif
#elif defined(__SANITIZE_THREAD__)
#define CATCH_CONFIG_NO_POSIX_SIGNALS
#endif
#include <catch2/catch.hpp>
#endif
