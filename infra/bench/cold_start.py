"""How long each function takes from the start of its process to its first answer, beside a Python function that makes the
same calls of AWS.

    cold_start.py FOLDER [--runs N]      FOLDER holds the nine built functions

Both get the same event from a Runtime API of our own and reach DynamoDB and SQS through real TLS at a server of our own,
whose authority is made for the run and stands among the usual roots, which both have to read. The two take turns, so that
both meet the same machine: only the ratio of one run says anything, and only on an idle machine, since a busy one costs the
shorter more. Exits with 1 if a function fails or takes more than a tenth of Python's time.
"""

import argparse
import datetime
import http.server
import importlib.util
import ipaddress
import json
import os
import pathlib
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import typing

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIMIT, AIM = 1 / 10, 1 / 20
WARM_UPS = 2
# No start takes as long as that, of either.
PATIENCE = 60
QUEUES = ["USER_IMPORT", "BATCH_ENROLLMENT", "ORDER_PLACEMENT", "ORDER_CHECK", "PFX_IMPORT"]
ID = "00000000-0000-0000-0000-000000000001"
REGION = "eu-central-1"


class Function(typing.NamedTuple):
    name: str
    # The services that its role may call.
    services: str
    event: dict
    # What the answer holds if the function did its work.
    expected: typing.Any


class Run(typing.NamedTuple):
    start: float
    response: float
    memory: float
    calls: dict
    answer: typing.Any

    @property
    def total(self):
        return self.start + self.response


class Failed(Exception):
    """A function did not do what it is measured for."""


def request(method, route, path, query=""):
    return {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "api.example", "content-type": "application/json", "x-forwarded-proto": "https"},
        "queryStringParameters": dict(part.split("=") for part in query.split("&") if part),
        "body": "{}" if method == "POST" else None,
        "isBase64Encoded": False,
        "requestContext": {
            "accountId": "111122223333",
            "apiId": "api",
            "domainName": "api.example",
            "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench"},
            "requestId": "request",
            "routeKey": f"{method} {route}",
            "stage": "$default",
            "time": "22/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1795305600000,
        },
    }


def message(queue, **fields):
    """An event with one message, about something that does not exist."""
    return {
        "Records": [
            {
                "messageId": "message",
                "receiptHandle": "receipt",
                "body": json.dumps({"v": 1, "integration": ID, **fields}),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:111122223333:{queue}",
                "awsRegion": REGION,
            }
        ]
    }


DONE = {"batchItemFailures": []}
FUNCTIONS = [
    Function("oauth-callback", "dynamodb secretsmanager kms",
             request("GET", "/oauth/start", "/oauth/start", "ticket=x"), {"statusCode": 409}),
    Function("api", "dynamodb secretsmanager sqs", request("GET", "/health", "/health"), {"statusCode": 200}),
    Function("order-webhook", "dynamodb sqs",
             request("POST", "/hooks/sslcom/{token}", "/hooks/sslcom/x"), {"statusCode": 204}),
    Function("user-import", "dynamodb secretsmanager sqs", message("user-import"), DONE),
    Function("batch-enrollment", "dynamodb secretsmanager sqs",
             message("batch-enrollment", do="plan", batch=ID), DONE),
    Function("order-placement", "dynamodb secretsmanager kms sqs", message("order-placement", do="one", enrollment=ID), DONE),
    Function("order-check", "dynamodb secretsmanager sqs", message("order-check", do="one", enrollment=ID), DONE),
    Function("pfx-import", "dynamodb secretsmanager kms", message("pfx-import", enrollment=ID), DONE),
    Function("reconcile", "dynamodb sqs", {}, None),
]


class Answering(http.server.BaseHTTPRequestHandler):
    """Keeps connections open and answers in one write, so that no acknowledgement is waited for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def received(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, body, headers):
        lines = [f"HTTP/1.1 {status} Answer", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)


class Server(http.server.ThreadingHTTPServer):
    """Serves until the block is left. A client that is killed is no error."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)

    def __enter__(self):
        # Ending a server waits for as long as it sleeps.
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        pass

    @property
    def port(self):
        return self.server_address[1]


class Aws(Server):
    """DynamoDB and SQS that hold nothing, over TLS. Remembers who asked for what."""

    SERVICES = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs"}

    def __init__(self, context):
        super().__init__(AwsRequest)
        self.context = context
        self.calls = []

    def get_request(self):
        connection, address = super().get_request()
        # The handshake happens at the first read, in the connection's own thread.
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address


class AwsRequest(Answering):
    # What the SDKs insist on; all else may be left out of an answer.
    EMPTY = {"Query": {"Items": [], "Count": 0, "ScannedCount": 0}, "BatchGetItem": {"Responses": {}}}

    def do_POST(self):
        arguments = json.loads(self.received())
        prefix, _, operation = self.headers.get("X-Amz-Target", "").partition(".")
        service = self.server.SERVICES.get(prefix, "unknown")
        self.server.calls.append((service, operation, arguments))
        body = json.dumps(self.EMPTY.get(operation, {})).encode()
        self.answer(400 if service == "unknown" else 200, body, {"Content-Type": "application/x-amz-json-1.0"})


class Runtime(Server):
    """The Runtime API for one process: one event, and then nothing more."""

    def __init__(self, event, aws):
        super().__init__(RuntimeRequest)
        self.event = json.dumps(event).encode()
        self.aws = aws
        self.asked = self.answered = None
        self.calls_at_start = 0
        self.outcome = None
        self.ended = threading.Event()


class RuntimeRequest(Answering):
    def do_GET(self):
        now, runtime = time.perf_counter(), self.server
        if runtime.asked is not None:
            # The process is ended while it waits.
            runtime.ended.wait(PATIENCE)
            self.rfile.read(1)
            return
        runtime.asked, runtime.calls_at_start = now, len(runtime.aws.calls)
        self.answer(200, runtime.event, {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            "Lambda-Runtime-Deadline-Ms": int((time.time() + 29) * 1000),
            "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{REGION}:111122223333:function:bench",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
        })

    def do_POST(self):
        body, runtime = self.received(), self.server
        runtime.answered = time.perf_counter()
        runtime.outcome = (self.path.rsplit("/", 1)[1], body)
        self.answer(202, b"", {})
        runtime.ended.set()


def name_of(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate(subject, key, issuer, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def authority(folder):
    """Makes an authority and a server's certificate; answers the authority's file and what the server needs."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    key_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    signing = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
    usages = [(x509.BasicConstraints(True, None), True), (signing, True), (key_id, False)]
    root = certificate("Bench authority", authority_key, "Bench authority", authority_key, usages)
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)
    leaf = certificate("Bench", server_key, "Bench authority", authority_key,
                       [(x509.BasicConstraints(False, None), True), (address, False), (by, False)])
    key = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    # Among the roots that everybody has: reading them is a part of every start.
    usual = pathlib.Path(importlib.util.find_spec("botocore").origin).with_name("cacert.pem")
    (folder / "authority.pem").write_bytes(root + usual.read_bytes())
    (folder / "server.pem").write_bytes(key + leaf)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return folder / "authority.pem", context


def environment(function, aws, trusted):
    """What the template and Lambda would set. Nothing of the caller's is inherited."""
    endpoint = f"https://127.0.0.1:{aws.port}"
    queues = {f"{kind}_URL_{name}": f"{endpoint}/111122223333/{name}" for kind in ("QUEUE", "DEAD_LETTER") for name in QUEUES}
    return queues | {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "STAGE": "bench",
        "TABLE_NAME": "bench",
        "DATA_KEY_ARN": f"arn:aws:kms:{REGION}:111122223333:key/bench",
        "PUBLIC_URL": "https://api.example",
        "DEPLOYMENT": json.dumps({"sslcom": {"base_url": "https://sws-test.sslpki.com"}}),
        "STOP_BUYING": "false",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        # rustls reads the one, boto3 the other.
        "SSL_CERT_FILE": str(trusted),
        "AWS_CA_BUNDLE": str(trusted),
    }


def peak_memory(process):
    """In MiB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def ended(runtime, process):
    """Waits for the answer, but not for a process that died."""
    until = time.monotonic() + PATIENCE
    while not runtime.ended.wait(0.5):
        if process.poll() is not None or time.monotonic() > until:
            return False
    return True


def run(command, event, variables, aws, log):
    """One process, from its start to its first answer."""
    aws.calls.clear()
    with Runtime(event, aws) as runtime, open(log, "wb") as output:
        variables = variables | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.port}"}
        begun = time.perf_counter()
        process = subprocess.Popen(command, env=variables, cwd=log.parent, stdout=output, stderr=output)
        try:
            answered = ended(runtime, process)
            memory = peak_memory(process) if answered and process.poll() is None else 0
        finally:
            process.kill()
            process.wait()
    if runtime.asked is None or not answered or runtime.outcome[0] != "response":
        raise Failed(f"{command[-1]}: {runtime.outcome or 'no answer'}\n{log.read_text(errors='replace')[-2000:]}")
    calls = {"start": aws.calls[:runtime.calls_at_start], "event": aws.calls[runtime.calls_at_start:]}
    return Run(runtime.asked - begun, runtime.answered - runtime.asked, memory, calls, json.loads(runtime.outcome[1]))


def is_expected(answer, expected):
    if isinstance(expected, dict) and isinstance(answer, dict):
        return all(answer.get(name) == value for name, value in expected.items())
    return answer == expected


def names(calls):
    return {phase: [call[:2] for call in made] for phase, made in calls.items()}


class Pair:
    """A function and the Python function that does its work."""

    def __init__(self, function, programs, folder, aws, trusted):
        self.function = function
        self.rust = [str(programs / function.name)]
        self.python = [sys.executable, "-m", "awslambdaric", "python_function.handle"]
        self.log = folder / "output"
        self.aws = aws
        self.variables = environment(function, aws, trusted)
        self.kept = []
        self.problem = None

    def take_turns(self, is_kept):
        """A function that failed once is not asked again; the others are measured all the same."""
        if self.problem is None:
            try:
                self.take_one(is_kept)
            except Failed as problem:
                self.problem = str(problem)

    def take_one(self, is_kept):
        rust = run(self.rust, self.function.event, self.variables, self.aws, self.log)
        if not is_expected(rust.answer, self.function.expected):
            raise Failed(f"{self.function.name} answered {rust.answer}\n{self.log.read_text(errors='replace')[-2000:]}")
        if not rust.calls["start"] or any(service == "unknown" for service, _, _ in rust.calls["event"]):
            raise Failed(f"{self.function.name} did not reach the server as expected: {names(rust.calls)}")
        told = {"SERVICES": self.function.services, "WORK": json.dumps(rust.calls), "ANSWER": json.dumps(rust.answer)}
        python = run(self.python, self.function.event, self.variables | told, self.aws, self.log)
        if names(python.calls) != names(rust.calls):
            raise Failed(f"{self.function.name} and Python do different work: {names(rust.calls)}, {names(python.calls)}")
        if is_kept:
            self.kept.append((rust, python))

    def result(self):
        def median(of):
            return statistics.median(of(rust, python) for rust, python in self.kept)

        if self.problem is not None:
            return {"function": self.function.name, "problem": self.problem}
        calls = self.kept[-1][0].calls
        return {
            "function": self.function.name,
            "init_ms": round(median(lambda rust, _: rust.start) * 1000, 2),
            "response_ms": round(median(lambda rust, _: rust.response) * 1000, 2),
            "total_ms": round(median(lambda rust, _: rust.total) * 1000, 2),
            "python_ms": round(median(lambda _, python: python.total) * 1000, 2),
            "ratio": round(median(lambda rust, python: rust.total / python.total), 4),
            "memory_mib": round(median(lambda rust, _: rust.memory), 1),
            "python_memory_mib": round(median(lambda _, python: python.memory), 1),
            "calls": len(calls["start"]) + len(calls["event"]),
        }


def measure(programs, runs):
    with tempfile.TemporaryDirectory(prefix="cold-start-") as made:
        folder = pathlib.Path(made)
        # A copy, so that its compiled form is not left beside the source.
        shutil.copy(pathlib.Path(__file__).with_name("python_function.py"), folder)
        trusted, context = authority(folder)
        with Aws(context) as aws:
            pairs = [Pair(function, programs, folder, aws, trusted) for function in FUNCTIONS]
            for turn in range(WARM_UPS + runs):
                for pair in pairs:
                    pair.take_turns(is_kept=turn >= WARM_UPS)
            return [pair.result() for pair in pairs]


def row(of):
    if "problem" in of:
        return f"{of['function']:18}  FAILED"
    return (
        f"{of['function']:18}{of['init_ms']:8.1f}{of['response_ms']:10.1f}{of['total_ms']:8.1f}{of['python_ms']:9.1f}"
        f"{'1/%.1f' % (1 / of['ratio']):>8}{of['memory_mib']:9.1f}{of['python_memory_mib']:9.1f}{of['calls']:7}"
    )


def report(results, runs):
    """Prints the table, what failed, and one line of JSON; answers whether every function keeps within the limit."""
    print(f"{'function':18}{'init':>8}{'response':>10}{'total':>8}{'Python':>9}"
          f"{'ratio':>8}{'memory':>9}{'Python':>9}{'calls':>7}")
    for of in results:
        print(row(of))
    failed = [of for of in results if "problem" in of]
    worst = max((of["ratio"] for of in results if "ratio" in of), default=None)
    is_met = {name: not failed and worst <= bound for name, bound in (("limit", LIMIT), ("aim", AIM))}
    print(f"medians of {runs} runs, in ms and MiB", end="")
    for name, bound in (("limit", LIMIT), ("aim", AIM)):
        print(f"; {name} 1/{1 / bound:.0f} {'met' if is_met[name] else 'NOT MET'}", end="")
    print()
    for of in failed:
        print(f"FAILED  {of['function']}: {of['problem']}")
    print(json.dumps({"runs": runs, "worst_ratio": worst, "limit_met": is_met["limit"], "aim_met": is_met["aim"],
                      "functions": results}))
    return is_met["limit"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    arguments.add_argument("folder", type=lambda given: pathlib.Path(given).resolve())
    arguments.add_argument("--runs", type=int, default=9)
    given = arguments.parse_args()
    sys.exit(0 if report(measure(given.folder, given.runs), given.runs) else 1)


if __name__ == "__main__":
    main()
