"""What each function is measured against: the same calls of AWS, made by Python. It runs under awslambdaric.

`SERVICES` names the services whose clients the role needs, `WORK` the calls that the Rust function was seen to make, and
`ANSWER` what it answered; so this one does neither more nor less than that.
"""

import json
import os
import re

import boto3
import cryptography.hazmat.primitives.asymmetric.rsa  # noqa: F401  The functions build keys and PFX files.
import cryptography.hazmat.primitives.serialization.pkcs12  # noqa: F401
import cryptography.x509  # noqa: F401

CLIENTS = {service: boto3.client(service) for service in os.environ["SERVICES"].split()}
WORK = json.loads(os.environ["WORK"])
ANSWER = json.loads(os.environ["ANSWER"])


def method(operation):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


def do(calls):
    for service, operation, arguments in calls:
        getattr(CLIENTS[service], method(operation))(**arguments)


do(WORK["start"])


def handle(_event, _context):
    do(WORK["event"])
    return ANSWER
