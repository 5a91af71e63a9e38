"""How the rules read an expanded template: resources by type, what a value names, and the statements of a role."""

import json
import re


def target(value):
    """The logical id that a value names: of a Ref, a GetAtt, or the first of a Sub."""
    if not isinstance(value, dict):
        return None
    if "Ref" in value:
        return value["Ref"]
    if "Fn::GetAtt" in value:
        got = value["Fn::GetAtt"]
        return got[0] if isinstance(got, list) else got.split(".")[0]
    if "Fn::Sub" in value and isinstance(value["Fn::Sub"], str):
        named = [name for name in re.findall(r"\$\{([A-Za-z0-9]+)[.}]", value["Fn::Sub"])]
        return named[0] if named else None
    return None


def listed(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text(value):
    """A value as text, for looking into it."""
    return value if isinstance(value, str) else json.dumps(value)


class Statement:
    def __init__(self, function, raw):
        self.function = function
        self.raw = raw
        self.sid = raw.get("Sid")
        self.actions = listed(raw.get("Action"))
        self.resources = listed(raw.get("Resource"))
        self.condition = raw.get("Condition") or {}

    def of(self, service):
        return any(action.startswith(service + ":") for action in self.actions)

    def targets(self):
        return {target(resource) for resource in self.resources}

    def __str__(self):
        return f"{self.function}, statement {self.sid or '(without a Sid)'}"


class Template:
    def __init__(self, expanded):
        self.raw = expanded
        self.resources = expanded["Resources"]

    def properties(self, name):
        return self.resources.get(name, {}).get("Properties") or {}

    def of(self, kind):
        """Logical id -> properties, of every resource of a type."""
        return {name: raw.get("Properties") or {} for name, raw in self.resources.items() if raw["Type"] == kind}

    def function(self, name):
        return self.properties(f"{name}Function")

    def role(self, name):
        return self.properties(f"{name}Role")

    def statements(self, name):
        """The statements of the role of a function, or of the schedule."""
        return [
            Statement(name, raw)
            for policy in self.role(name).get("Policies") or []
            for raw in listed(policy["PolicyDocument"]["Statement"])
        ]

    def roles(self):
        return [name.removesuffix("Role") for name in self.of("AWS::IAM::Role")]

    def mapping(self, queue):
        """The event source mapping of a queue."""
        for properties in self.of("AWS::Lambda::EventSourceMapping").values():
            if target(properties.get("EventSourceArn")) == f"{queue}Queue":
                return properties
        return {}

    def alarms(self, namespace, metric):
        """The alarms of a metric: dimension value's logical id -> properties."""
        return {
            target(dimension["Value"]): properties
            for properties in self.of("AWS::CloudWatch::Alarm").values()
            if (properties.get("Namespace"), properties.get("MetricName")) == (namespace, metric)
            for dimension in properties.get("Dimensions") or []
        }
