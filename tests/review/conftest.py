"""A stage, and a session against a look-alike of TMDB."""

from tests.stage.conftest import _alone, bucket, connect, s3, stage

__all__ = ["_alone", "bucket", "connect", "s3", "stage"]
