"""Health check inside the Triton container: its gRPC port answers.

The container lives in the gateway's network. When the gateway's container starts again it gets a new network, and this
one is left behind in a dead one, without routes, where nobody finds Triton. Then Triton is ended, and Docker starts it
again in the gateway's new network.
"""

import os
import signal
import socket
from pathlib import Path

routes = Path("/proc/net/route").read_text().splitlines()[1:]  # the first line names the columns
if not routes:
    os.kill(1, signal.SIGTERM)
socket.create_connection(("127.0.0.1", 8001), timeout=8).close()
