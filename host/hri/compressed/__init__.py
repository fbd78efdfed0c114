"""Compressed certificates: 72 bytes of a chip's slot and a template, for a whole X.509 certificate.

A room of its own, not one of `elements/atecc`: the CA issues to a template without knowing any chip, and a
chip's chain is read without knowing any CA. The format is Microchip's "compressed certificate", which the
public variant pages (O) name and the vendor's public headers and host-side calculations (H) lay out.
"""

from .certificate import CompressedCertificate, CompressedError
from .conversion import Sources, compress, rebuild
from .dates import Validity
from .layout import Field, FieldKind, Layout
from .serial_number import SerialSource
from .slots import pad_public_key, unpad_public_key
from .template import Template, load_template, shipped_templates

__all__ = [
    "CompressedCertificate",
    "CompressedError",
    "Field",
    "FieldKind",
    "Layout",
    "SerialSource",
    "Sources",
    "Template",
    "Validity",
    "compress",
    "load_template",
    "pad_public_key",
    "rebuild",
    "shipped_templates",
    "unpad_public_key",
]
