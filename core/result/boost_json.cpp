// SPDX-License-Identifier: Apache-2.0
// The one place where Boost.JSON is compiled, so that nothing of Boost is needed at run time.
#include <boost/json/src.hpp>
