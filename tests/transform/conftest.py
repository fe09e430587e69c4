"""A stage of payloads to read."""

from tests.stage.conftest import _alone, stage

__all__ = ["_alone", "stage"]
