"""An orchestrator over HTTP as somebody else wrote it: the standard library, and nothing of lab2mqtt.

``python http_client.py BASE_URL [CA_FILE]``. It takes one JSON object a line, each in a thread of its own:

    {"id": 7, "method": "POST", "path": "/execute/mix", "body": {"r": 1}, "headers": {}, "text": "or raw"}

and prints for each ``{"id": 7, "status": 200, "body": …}``.
"""

from concurrent.futures import ThreadPoolExecutor
import json
import ssl
import sys
import threading
import urllib.error
import urllib.request

_PRINTING = threading.Lock()


def ask(base_url, context, asked):
    """Make one request, and print its answer."""
    body = asked["text"].encode() if "text" in asked else None
    headers = asked.get("headers", {})
    if "body" in asked:
        body = json.dumps(asked["body"]).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(
        base_url + asked["path"], data=body, headers=headers, method=asked.get("method", "GET")
    )
    try:
        with urllib.request.urlopen(request, timeout=asked.get("timeout", 60), context=context) as answer:
            status, said = answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        status, said = refusal.code, refusal.read()
    with _PRINTING:
        print(json.dumps({"id": asked["id"], "status": status, "body": json.loads(said)}), flush=True)


def main(base_url, ca_file=None):
    """Do what the lines say until there are no more."""
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    with ThreadPoolExecutor(64) as threads:
        done = [threads.submit(ask, base_url, context, json.loads(line)) for line in sys.stdin]
    for one in done:
        one.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
