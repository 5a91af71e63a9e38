"""An operator of the emulated account, for tests: each line of standard input is a call of AWS, each line of standard output
its answer.

    {"service": "sqs", "call": "send_message", "arguments": {...}}   ->   {"answer": {...}} or {"error": "AccessDenied", "says": "..."}
"""

import base64
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

clients = {}


def client(service):
    if service not in clients:
        config = Config(retries={"total_max_attempts": 1}, read_timeout=600)
        clients[service] = boto3.client(service, config=config)
    return clients[service]


def written(value):
    """What JSON has no form for: a body is read, bytes become base64, a time its text."""
    if hasattr(value, "read"):
        return value.read().decode("utf-8", "replace")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def answer(request):
    arguments = request.get("arguments") or {}
    if "code" in request:
        with open(request["code"], "rb") as file:
            arguments["ZipFile"] = file.read()
    try:
        return {"answer": getattr(client(request["service"]), request["call"])(**arguments)}
    except ClientError as error:
        return {"error": error.response["Error"]["Code"], "says": error.response["Error"].get("Message", "")}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line)), default=written), flush=True)
