# SPDX-License-Identifier: Apache-2.0
import pytest
from witness import Witness


@pytest.fixture
def witness(tmp_path):
    return Witness(tmp_path)
