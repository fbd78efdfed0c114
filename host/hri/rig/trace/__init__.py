"""What went over a bus: recorded, decoded into an ATECC608's commands, drawn, and replayed to a driver.

``docs/bus-trace.md`` has the file format and examples.
"""

from hri.rig.trace.decoding import Decoder, decode
from hri.rig.trace.file import load
from hri.rig.trace.model import Header, Power, Trace, TraceError, Transaction, Transfer, Wake
from hri.rig.trace.recorder import collecting, recording
from hri.rig.trace.steps import Elsewhere, Exchange, PowerLoss, Step, Stray, Unanswered, Waking, Word

__all__ = (
    "Decoder",
    "Elsewhere",
    "Exchange",
    "Header",
    "Power",
    "PowerLoss",
    "Step",
    "Stray",
    "Trace",
    "TraceError",
    "Transaction",
    "Transfer",
    "Unanswered",
    "Wake",
    "Waking",
    "Word",
    "collecting",
    "decode",
    "load",
    "recording",
)
