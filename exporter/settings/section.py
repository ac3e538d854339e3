"""What all sections of the settings have in common."""

from collections.abc import Mapping
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from exporter.settings.faults import SectionError


class Section(BaseModel):
    """A mapping in the configuration file: frozen, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_default=False,
    )


class Item(Section):
    """One of a list of mappings; a key is given with a value, or not at all."""

    @model_validator(mode="before")
    @classmethod
    def _no_empty_key(cls, given: Any) -> Any:
        # A template that leaves `vm:` empty must not widen a target to the whole namespace.
        for key in cls.model_fields if isinstance(given, Mapping) else ():
            if given.get(key, "") is None:
                raise SectionError(key, "is empty. Give it a value, or remove the key")
        return given

    @model_serializer(mode="wrap")
    def _only_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}
