"""Devices of a file put on record, to be provisioned later."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hri.audit.entry import Act
from hri.context import Context
from hri.device_files import FileFormat
from hri.device_rows import Problem, read_rows
from hri.errors import PolicyRefusal
from hri.registry import Imported
from hri.registry.device_import import ImportConflict

_SHOWN = 20


def import_devices(
    context: Context,
    data: bytes,
    form: FileFormat,
    *,
    renamed: Mapping[str, str] | None = None,
    ignore_unknown: bool = False,
) -> Imported:
    """Register the devices of a file, all or none; a file that was imported before changes nothing.

    Certificates in it are passed over: this registry vouches for what it issued and logged itself.

    Raises BadRows, PolicyRefusal (something does not go with what is on record), StorageError.
    """
    kind = context.config.secure_element.type
    rows = read_rows(data, form, element_type=kind, renamed=renamed, ignore_unknown=ignore_unknown)
    act = Act("import", details={"sha256": hashlib.sha256(data).digest(), "devices": len(rows)})
    try:
        return context.registry.import_devices(rows, context.now(), act=act, recorder=context.recorder)
    except ImportConflict as refused:
        problems = [Problem(one.line, one.column, one.why) for one in refused.conflicts]
        shown = "; ".join(map(str, problems[:_SHOWN]))
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise PolicyRefusal(
            refused.code,
            f"nothing was imported: {shown}{more}",
            "take these rows out of the file, or correct them; an import changes nothing that is on record",
        ) from refused
