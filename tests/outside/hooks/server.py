"""A receiver of hooks: verifies each request with the library of Standard Webhooks, writes a line of JSON about it, and answers as the file `answer` says."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

folder, key = Path(sys.argv[1]), sys.argv[2]


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            Webhook(key).verify(body, dict(self.headers))
            verified = True
        except WebhookVerificationError as error:
            verified = str(error)
        # First what was said, so that whoever is answered finds it.
        line = {"verified": verified, "id": self.headers["webhook-id"], "at": self.headers["webhook-timestamp"], "body": json.loads(body)}
        with open(folder / "requests", "a") as requests:
            requests.write(json.dumps(line) + "\n")
        status, headers = json.loads((folder / "answer").read_text())
        if verified is not True:
            status, headers = 401, {}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        said = f"refused: {self.path} {self.headers['Authorization']}".encode() if status >= 400 else b""
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
print(server.server_address[1], flush=True)
server.serve_forever()
