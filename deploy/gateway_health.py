"""Health check inside the gateway's container: its own /readyz answers, at the port and with the TLS that are set.

Standard library only: it runs every ten seconds, and the service's own settings take half a second to load.
"""

import http.client
import os
import ssl
import sys
import tomllib
from pathlib import Path

ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - none is bound here
TIMEOUT_S = 8


def main() -> None:
    config = os.environ.get("DEEPHAR_CONFIG")
    in_file = tomllib.loads(Path(config).read_text()) if config else {}

    def setting(name: str, default: object) -> str:
        return os.environ.get(f"DEEPHAR_{name.upper()}") or str(in_file.get(name, default))

    host = setting("host", "")
    address = "127.0.0.1" if host in ANY_ADDRESS else host
    port = int(setting("http_port", 8080))
    connection: http.client.HTTPConnection
    if setting("tls_certificate", ""):
        # It asks itself: whether others may trust the certificate is not the question.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(address, port, timeout=TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        sys.exit(answer.read().decode(errors="replace"))


if __name__ == "__main__":
    main()
