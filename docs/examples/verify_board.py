"""A test bench: is this really device-001 at this port, and is it still trusted?

python verify_board.py PORT DEVICE-ID        HRI_HOME names the CA's folder; no passphrase is needed
"""

import sys

from hri.authentication import authenticate
from hri.elements.board import BoardElement
from hri.errors import HriError
from hri.home import default_home
from hri.link import SerialLink

port, device_id = sys.argv[1:]
try:
    with default_home().context(unlocked=False) as context, SerialLink.open(port) as link:
        decision = authenticate(BoardElement(link), context, device_id=device_id)
except HriError as error:
    print(error.message, error.hint or "", sep="; ", file=sys.stderr)
    sys.exit(error.exit_status)  # 3: the cable, the board or the chip, and not the device's fault
print(device_id, "trusted" if decision else "not trusted", *(reason.detail for reason in decision.reasons))
sys.exit(0 if decision else 1)
