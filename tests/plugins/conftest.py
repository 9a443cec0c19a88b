"""Places in a real S3 server, and a line to it that can be spoilt."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from loanhub.testing.servers import S3Server
from tests.plugins import storms


@pytest.fixture(scope="session")
def bucket(seaweed: S3Server) -> str:
    """One bucket for all: the first put into a new one takes seconds."""
    return seaweed.bucket()


@pytest.fixture
def address(bucket: str) -> str:
    """A place of one's own in the bucket."""
    return f"s3://{bucket}/test-{secrets.token_hex(4)}/vault"


@pytest.fixture
def line(seaweed: S3Server) -> Iterator[storms.Line]:
    """A line to the server."""
    with storms.bad_line(seaweed.endpoint) as line:
        yield line
