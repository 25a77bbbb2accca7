"""What the contracts about the tree have in common."""

from collections.abc import Iterator

import pytest

from tests.contracts import sources


@pytest.fixture(scope="package", autouse=True)
def _trees() -> Iterator[None]:
    """Keep the parsed files for the contracts, and not for the tests after them."""
    yield
    sources.forget()
