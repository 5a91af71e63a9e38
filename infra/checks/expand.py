"""Expands template.yaml offline, as CloudFormation's SAM transform does. Needs no account and no build.

    expand.py SOURCE TARGET     writes the expanded template as JSON
"""

import copy
import json
import os
import sys
from pathlib import Path

# The translator makes a client when it is imported, and that one wants to know where.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

SOURCE = Path(__file__).resolve().parents[2] / "template.yaml"


class NoManagedPolicies:
    """The translator asks for AWS's managed policies; the template uses none."""

    def load(self):
        return {}


def read(path=SOURCE):
    """The template as it is written, with intrinsic functions in their long form."""
    return yaml_parse(Path(path).read_text(encoding="utf-8"))


def expand(source):
    """The template as CloudFormation sees it. What would be uploaded is replaced by an address."""
    source = copy.deepcopy(source)
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://bucket/{resource['Properties']['CodeUri']}"
    expanded = transform(source, {"AWS::Region": "eu-central-1"}, NoManagedPolicies())
    # Through JSON, so that it is plain dictionaries and lists.
    return json.loads(json.dumps(expanded))


if __name__ == "__main__":
    expanded = expand(read(sys.argv[1]))
    target = Path(sys.argv[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(expanded, indent=1) + "\n", encoding="utf-8")
