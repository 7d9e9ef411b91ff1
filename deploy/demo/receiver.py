#!/usr/bin/env python3
"""Receives webhooks and prints them: receiver.py PORT SECRET. Verifies as standardwebhooks.com says, with nothing but Python."""
import base64, hashlib, hmac, http.server, json, sys

port, key = int(sys.argv[1]), base64.b64decode(sys.argv[2].removeprefix("whsec_"))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        verified = any(hmac.compare_digest(expected, one) for one in self.headers["webhook-signature"].split())
        self.send_response(204 if verified else 401)
        self.end_headers()
        event = json.loads(body)
        print("verified" if verified else "REFUSED", event["type"], event["subject"], json.dumps(event["data"]), flush=True)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
