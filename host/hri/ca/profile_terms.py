"""What a profile may say beyond usages and names: policies, addresses, a chip's own name, no end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from hri.ca.hardware_name import hardware_module_name
from hri.errors import ConfigurationError, PolicyRefusal

_ANY_POLICY = x509.ObjectIdentifier("2.5.29.32.0")
_URL = re.compile(r"https?://[!-~]+")


@dataclass(frozen=True, slots=True)
class MoreTerms:
    """`endless`: notAfter is 99991231235959Z (IEEE 802.1AR section 8.7), which outlives the CA.

    `subject_serial`: the subject has a serialNumber, the device id. `hardware_type`: the maker's OID for the
    chip, which with the chip's serial number becomes the hardwareModuleName. `issuing_ca` names the CA.
    """

    endless: bool = False
    subject_serial: bool = False
    hardware_type: x509.ObjectIdentifier | None = None
    policies: tuple[x509.ObjectIdentifier, ...] = ()
    ocsp_url: str | None = None
    ca_issuers_url: str | None = None
    issuing_ca: str | None = None

    def check(self) -> None:
        """Raise ConfigurationError for what no certificate can say."""
        for what, url in (("ocsp_url", self.ocsp_url), ("ca_issuers_url", self.ca_issuers_url)):
            if url is not None and not _URL.fullmatch(url):
                raise ConfigurationError("bad-configuration", f"{what}: is no http URL", "write http://...")

    def check_policies(self, issuing: x509.Certificate) -> None:
        """Raise ConfigurationError for a policy that chains through this CA are not accepted for."""
        try:
            found = issuing.extensions.get_extension_for_class(x509.CertificatePolicies).value
        except x509.ExtensionNotFound:
            return
        allowed = {policy.policy_identifier for policy in found}
        if _ANY_POLICY not in allowed and not allowed.issuperset(self.policies):
            words = ", ".join(sorted(policy.dotted_string for policy in allowed))
            raise ConfigurationError(
                "policy-not-of-ca",
                "the profile names a certificate policy that its issuing CA is not for",
                f"use of {words}, or another issuing CA",
            )

    def extensions(self) -> list[x509.ExtensionType]:
        """Return the extensions, none of them critical."""
        found: list[x509.ExtensionType] = []
        if self.policies:
            found.append(
                x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in self.policies])
            )
        access = [
            x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
            for method, url in (
                (AuthorityInformationAccessOID.OCSP, self.ocsp_url),
                (AuthorityInformationAccessOID.CA_ISSUERS, self.ca_issuers_url),
            )
            if url is not None
        ]
        if access:
            found.append(x509.AuthorityInformationAccess(access))
        return found

    def names(self, element_serial: bytes | None) -> list[x509.GeneralName]:
        """Return the chip's name where one is wanted. Raises PolicyRefusal for a device without a chip."""
        if self.hardware_type is None:
            return []
        if not element_serial:
            raise PolicyRefusal(
                "no-hardware-serial",
                "the profile names the device's chip, and no chip of it is on record",
                "provision the device, or use a profile without hardware_type",
            )
        return [hardware_module_name(self.hardware_type, element_serial)]


NO_MORE = MoreTerms()


def oid(text: str, where: str) -> x509.ObjectIdentifier:
    """Read an OID of the configuration. Raises ConfigurationError."""
    try:
        return x509.ObjectIdentifier(text)
    except ValueError as error:
        raise ConfigurationError(
            "bad-configuration", f"{where}: {text[:60]!r} is no OID", "write 1.3.6.1.4.1.99999.1"
        ) from error
