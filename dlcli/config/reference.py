"""Every key of a config described: as JSON Schema for editors, and as a table."""

from typing import Any

import msgspec

from dlcli.config.augmentation import Augmentation
from dlcli.config.messages import describe_allowed, shown
from dlcli.config.schema import Config, key_types, to_builtins
from dlcli.config.yaml_loader import settings_of
from dlcli.data.registry import DATASETS


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a config, for editors (https://json-schema.org)."""
    schema = msgspec.json.schema(Config)
    properties = schema["$defs"]["Config"]["properties"]
    properties["dataset"]["examples"] = list(DATASETS)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def reference() -> str:
    """The config reference as a Markdown table: key, default, allowed values, meaning."""
    rows = ["| key | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    defaults = settings_of(to_builtins(Config(augmentation=Augmentation())), "")
    for key, kind in key_types().items():
        description = msgspec.json.schema(kind).get("description", "")
        default = defaults[key].value if key in defaults else None
        rows.append(f"| `{key}` | `{shown(default)}` | {describe_allowed(kind)} | {description} |")
    return "\n".join(rows) + "\n"
