# SPDX-License-Identifier: Apache-2.0
"""For tests in which the program has no descriptor left."""

import pytest
from support import build_options

# To look at an object whose type is not in its cache, this sanitizer makes a pipe, and takes it for wrong without one.
takes_all_descriptors = pytest.mark.skipif(
    "undefined" in build_options()["b_sanitize"], reason="the sanitizer needs descriptors to look at objects"
)
