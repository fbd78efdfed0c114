"""Issuing by a profile that issues to a template: the device's name and the end of validity fit, or not."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hri.ca.profiles import Profile
from hri.ca.signer import Signer
from hri.ca.to_template import TemplateCertificate, issue_to_template
from hri.compressed import Sources, Validity
from hri.compressed.conversion import subject_text
from hri.errors import ConfigurationError, PolicyRefusal


def issue_by_profile(
    profile: Profile,
    device_id: str,
    *,
    issuer: x509.Certificate,
    key: Signer,
    sources: Sources,
    start: datetime,
    signer_id: bytes,
) -> TemplateCertificate:
    """Sign a device certificate that begins at `start`, a whole hour; the template gives the device's id.

    Raises PolicyRefusal (CompressedError among them) and ConfigurationError.
    """
    template = profile.template
    if template is None:
        raise ValueError("the profile has no template")
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(
            "template-issuer", "templates are for issuing CAs with a P-256 key", "issue from another CA"
        )
    named = template.device_id_from
    given = subject_text(named, sources).decode() if named is not None else None
    if given != device_id:
        raise PolicyRefusal(
            "device-id-not-to-template",
            f"the template {template.name} names this device {given}, not {device_id!r}",
            "leave --device-id out for hri-device, or give the chip's serial number for hri-element",
        )
    validity = Validity(start, template.validity_years)
    end = issuer.not_valid_after_utc
    if template.validity_years and validity.not_after(template.not_after) > end:
        raise ConfigurationError(
            "outlives-authority",
            f"{template.validity_years} years are more than the issuing CA has left",
            "shorten certificate.validity_days, or make a new authority",
        )
    return issue_to_template(
        template, issuer=issuer, key=key, sources=sources, validity=validity, signer_id=signer_id
    )
