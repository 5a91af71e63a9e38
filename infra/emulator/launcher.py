"""Starts MiniStack with what its CloudFormation and Lambda layers lack for template.yaml, each gap in a function of its own.

It lives as long as its standard input is open. Then it ends, and every process that it started with it: whoever holds
the other end of the pipe may end in any way, and nothing is left running.
"""

import base64
import hashlib
import hmac
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import types

MINISTACK = "1.5.33"


def refuse_another_version():
    """The gaps below are filled from the inside, which holds for one version only."""
    found = importlib.metadata.version("ministack")
    if found != MINISTACK:
        sys.exit(f"ministack {found} is installed, and this launcher knows {MINISTACK}: install requirements-emulator.txt, "
                 "or look at every function of launcher.py and change its MINISTACK")


def end_with_standard_input():
    """A test that is killed cannot clean up; the end of its pipe is what always reaches us."""

    def wait():
        while os.read(0, 4096):
            pass
        os.killpg(0, signal.SIGKILL)

    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    threading.Thread(target=wait, daemon=True).start()


def expire_items_of_tables():
    """The provisioner of AWS::DynamoDB::Table drops TimeToLiveSpecification, so that no item would ever expire."""
    from ministack.services import dynamodb
    from ministack.services.cloudformation import provisioners

    handler = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    create = handler["create"]

    def create_with_time_to_live(logical_id, properties, stack):
        name, attributes = create(logical_id, properties, stack)
        wanted = properties.get("TimeToLiveSpecification")
        if wanted:
            dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": wanted})
        return name, attributes

    handler["create"] = create_with_time_to_live


def read_concurrency_as_a_number():
    """A MaximumConcurrency that comes from a parameter stays a text, and the poller of the queues fails at comparing it."""
    from ministack.services.cloudformation import provisioners

    handler = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]

    def with_numbers(properties):
        scaling = properties.get("ScalingConfig")
        return {**properties, "ScalingConfig": {name: int(value) for name, value in scaling.items()}} if scaling else properties

    create, update = handler["create"], handler["update"]
    handler["create"] = lambda logical_id, properties, stack: create(logical_id, with_numbers(properties), stack)
    handler["update"] = lambda physical_id, old, new, stack: update(physical_id, with_numbers(old), with_numbers(new), stack)


def show_what_functions_write():
    """Lines of a function are kept for its log group and shown only for some failures; here every line is in our output."""
    from ministack.core.lambda_runtime import ProvidedWorker

    pump = ProvidedWorker._pump_output

    class Shown:
        def __init__(self, stream, function):
            self.stream, self.function = stream, function

        def readline(self):
            line = self.stream.readline()
            if line:
                print(f"{self.function}: {line.decode('utf-8', 'replace').rstrip()}", flush=True)
            return line

        def close(self):
            self.stream.close()

    ProvidedWorker._pump_output = lambda self, stream, queue: pump(self, Shown(stream, self.func_name), queue)


def run_arm64_bootstraps():
    """The deployed functions are arm64; where the machine is not, qemu-user runs them, so that what is deployed is tested."""
    from ministack.core import lambda_runtime

    emulated = ["/usr/bin/qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]

    def popen(arguments, *rest, **named):
        if isinstance(arguments, list) and arguments[0].endswith("/bootstrap") and is_foreign(arguments[0]):
            arguments = emulated + arguments
        return subprocess.Popen(arguments, *rest, **named)

    lambda_runtime.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": popen})


def is_foreign(bootstrap):
    """Whether this is an arm64 program (ELF machine 0xB7) on another machine."""
    with open(bootstrap, "rb") as file:
        head = file.read(20)
    return platform.machine() != "aarch64" and head[:4] == b"\x7fELF" and head[18] == 0xB7


def allow_batches_by_the_action_of_one_message():
    """IAM has sqs:SendMessage for one message and for ten; here a batch would need an action that IAM does not know."""
    from ministack.core import iam_actions

    original = iam_actions._action_from_target

    def without_batch(headers):
        action = original(headers)
        batches = ("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
        return action.removesuffix("Batch") if action and action.endswith(batches) else action

    iam_actions._action_from_target = without_batch


def show_policies_the_encryption_context():
    """IAM is given no condition keys of KMS, so that every statement with one would deny."""
    from ministack.core import iam_actions

    original = iam_actions.request_tag_context

    def with_encryption_context(service, action, body, parameters):
        keys = dict(original(service, action, body, parameters) or {})
        if service == "kms":
            context = json.loads(body or b"{}").get("EncryptionContext") or {}
            keys |= {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
            if context:
                keys["kms:EncryptionContextKeys"] = list(context)
        return keys

    iam_actions.request_tag_context = with_encryption_context


def authenticate_wrapped_keys():
    """A wrapped key of which a bit changed unwraps to another key; KMS refuses it. A tag of 32 bytes is put behind it."""
    from ministack.core.responses import error_response_json
    from ministack.services import kms

    secret = os.urandom(32)
    generate, decrypt = kms._generate_data_key_common, kms._decrypt

    def tag(wrapped):
        return hmac.new(secret, wrapped, hashlib.sha256).digest()

    def generate_with_tag(*arguments, **named):
        key, plaintext, wrapped = generate(*arguments, **named)
        return (key, plaintext, wrapped) if key is None else (key, plaintext, wrapped + tag(wrapped))

    def decrypt_with_tag(data):
        blob = base64.b64decode(data.get("CiphertextBlob", ""))
        wrapped, found = blob[:-32], blob[-32:]
        if not hmac.compare_digest(found, tag(wrapped)):
            return error_response_json("InvalidCiphertextException", "", 400)
        return decrypt({**data, "CiphertextBlob": base64.b64encode(wrapped).decode()})

    kms._generate_data_key_common, kms._decrypt = generate_with_tag, decrypt_with_tag


def main():
    refuse_another_version()
    end_with_standard_input()
    expire_items_of_tables()
    read_concurrency_as_a_number()
    show_what_functions_write()
    run_arm64_bootstraps()
    allow_batches_by_the_action_of_one_message()
    show_policies_the_encryption_context()
    authenticate_wrapped_keys()
    from ministack.app import main as ministack

    ministack()


if __name__ == "__main__":
    main()
