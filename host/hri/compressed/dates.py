"""The dates of a compressed certificate: a whole hour, and a number of whole years (H)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from .errors import CompressedError, malformed

# Format 0 has five bits for the years since 2000 and five for those until the end; 1 and 2 have seven (H).
_BITS = {0: 5, 1: 7, 2: 7}
FORMATS = tuple(_BITS)
_EPOCH = 2000


class TimeForm(StrEnum):
    """How a date is written in the certificate (RFC 5280 section 4.1.2.5)."""

    UTC = "utc"
    GENERALIZED = "generalized"

    @property
    def length(self) -> int:
        """Octets of the value: YYMMDDhhmmssZ or YYYYMMDDhhmmssZ."""
        return 13 if self is TimeForm.UTC else 15

    @property
    def last(self) -> datetime:
        """The last date of the form, which stands for "no end" (RFC 5280 section 4.1.2.5; H for UTCTime)."""
        return datetime(2049 if self is TimeForm.UTC else 9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    def written(self, moment: datetime) -> bytes:
        """Return the value of a date; raises CompressedError for a year that UTCTime does not reach."""
        if self is TimeForm.GENERALIZED:
            return moment.strftime("%Y%m%d%H%M%SZ").encode("ascii")
        if not 1950 <= moment.year <= 2049:
            raise _unfit(f"the year {moment.year} cannot be written as UTCTime, as the template has it")
        return moment.strftime("%y%m%d%H%M%SZ").encode("ascii")


@dataclass(frozen=True, slots=True)
class Validity:
    """From `not_before` (aware, UTC, a whole hour) for `years` whole years; 0 years means no end.

    Raises CompressedError for a date with minutes or seconds, and for the 29th of February where the last
    year has none.
    """

    not_before: datetime
    years: int

    def __post_init__(self) -> None:
        start = self.not_before
        if start.tzinfo is None or start.utcoffset():
            raise ValueError("the dates of a certificate are UTC")
        if start.minute or start.second or start.microsecond:
            raise _unfit(f"{start:%Y-%m-%d %H:%M:%S} is not a whole hour, and minutes are not stored")
        if self.years < 0:
            raise _unfit("the end lies before the beginning")
        if self.years:
            _plus_years(start, self.years)

    @classmethod
    def between(cls, not_before: datetime, not_after: datetime, form: TimeForm) -> Validity:
        """Return the validity of a certificate's two dates; raises CompressedError for one not of years."""
        if not_after == form.last:
            return cls(not_before, 0)
        years = not_after.year - not_before.year
        if years < 1 or not_after != _plus_years(not_before, years):
            raise _unfit(
                f"{not_before:%Y-%m-%d %H:%M:%S} to {not_after:%Y-%m-%d %H:%M:%S} is no number of whole years"
            )
        return cls(not_before, years)

    @classmethod
    def decode(cls, dates: bytes, extension: int, format_version: int) -> Validity:
        """Read 3 bytes of dates and the upper four bits of the last byte; raises CompressedError."""
        word = int.from_bytes(dates, "big")
        year, years = word >> 19, word & 0x1F
        if _bits(format_version) == 7:
            year |= extension >> 6 << 5
            years |= (extension >> 4 & 3) << 5
        try:
            start = datetime(_EPOCH + year, word >> 15 & 0xF, word >> 10 & 0x1F, word >> 5 & 0x1F, tzinfo=UTC)
        except ValueError as error:
            raise malformed(f"its date is none ({error})") from error
        return cls(start, years)

    def encode(self, format_version: int) -> tuple[bytes, int]:
        """Return 3 bytes of dates and the last byte's date bits; raises CompressedError out of range."""
        limit = 1 << _bits(format_version)
        year, start = self.not_before.year - _EPOCH, self.not_before
        if not 0 <= year < limit:
            raise _unfit(
                f"the year {start.year} is not one of {_EPOCH} to {_EPOCH + limit - 1}, "
                f"which format {format_version} reaches"
            )
        if self.years >= limit:
            raise _unfit(f"{self.years} years are more than the {limit - 1} of format {format_version}")
        word = (year & 0x1F) << 19 | start.month << 15 | start.day << 10 | start.hour << 5 | self.years & 0x1F
        return word.to_bytes(3, "big"), year >> 5 << 6 | self.years >> 5 << 4

    def not_after(self, form: TimeForm) -> datetime:
        """Return the end, in the form in which the certificate writes it."""
        return _plus_years(self.not_before, self.years) if self.years else form.last


def _plus_years(start: datetime, years: int) -> datetime:
    try:
        return start.replace(year=start.year + years)
    except ValueError as error:
        raise _unfit(f"{start.year + years} has no 29th of February") from error


def _bits(format_version: int) -> int:
    try:
        return _BITS[format_version]
    except KeyError:
        raise malformed(f"format {format_version} is unknown") from None


def _unfit(message: str) -> CompressedError:
    return CompressedError(
        "date-not-representable",
        message,
        "use a whole hour, whole years, and years that the format reaches",
    )
