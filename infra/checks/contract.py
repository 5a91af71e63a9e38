"""What the template is held against: the functions, and what each may be asked, told and allowed."""

QUEUES = ("UserImport", "BatchEnrollment", "OrderPlacement", "OrderCheck", "PfxImport")
HTTP = ("OauthCallback", "Api", "OrderWebhook")
FUNCTIONS = (*HTTP, *QUEUES, "Reconcile")

ROUTES = {
    "ANY /api/{proxy+}": "Api",
    "GET /": "Api",
    "GET /connected": "Api",
    "GET /console.css": "Api",
    "GET /console.js": "Api",
    "GET /icon.svg": "Api",
    "GET /openapi.json": "Api",
    "GET /health": "Api",
    "GET /health/ready": "Api",
    "GET /oauth/start": "OauthCallback",
    "GET /oauth/callback": "OauthCallback",
    "GET /hooks/sslcom/{token}": "OrderWebhook",
    "POST /hooks/sslcom/{token}": "OrderWebhook",
}
PUBLIC_ROUTES = set(ROUTES) - {"ANY /api/{proxy+}"}

SENDS_TO = {
    "OauthCallback": set(),
    "Api": {"UserImport", "BatchEnrollment", "OrderPlacement"},
    "OrderWebhook": {"OrderCheck"},
    "UserImport": {"UserImport"},
    "BatchEnrollment": {"BatchEnrollment"},
    "OrderPlacement": {"OrderCheck"},
    "OrderCheck": {"PfxImport"},
    "PfxImport": set(),
    "Reconcile": set(QUEUES),
}
KEY_ACTIONS = {
    "OauthCallback": {"kms:GenerateDataKey", "kms:Decrypt"},
    "OrderPlacement": {"kms:GenerateDataKey", "kms:Decrypt"},
    "PfxImport": {"kms:Decrypt"},
}
SECRETS_READ = {
    "OauthCallback": {"entra"},
    # Preflight tries both vendors, and both secrets are typed in here.
    "Api": {"entra", "sslcom"},
    "UserImport": {"entra"},
    "BatchEnrollment": {"entra"},
    "OrderPlacement": {"sslcom"},
    "OrderCheck": {"sslcom"},
    "PfxImport": {"entra"},
}
READS_BOTH_VENDORS = {"Api"}
TABLE_ACTIONS = {
    f"dynamodb:{action}"
    for action in (
        "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem",
    )
}  # fmt: skip
INDEXES = {"list-1": ("p1", "s1"), "list-2": ("p2", "s2"), "list-3": ("p3", "s3"), "list-4": ("p4", "s4"),
           "list-5": ("p5", "s5"), "due": ("pd", "sd")}  # fmt: skip

BATCH_SIZES = {"UserImport": 1, "BatchEnrollment": 1, "OrderPlacement": 1, "OrderCheck": 10, "PfxImport": 10}
# Seconds; what DEPLOYMENT means where it says nothing else (infra/local/example.toml).
PURCHASE_ANSWER_TIMEOUT = 300
ANSWER_TIMEOUT = 60
PURCHASE_WINDOW = 60

METRICS_WITH_ALARM = ("OrdersUnsure", "OrdersSurplus", "SecretExpiresSoon", "BacklogAgeSeconds")
METRICS_SHOWN = (*METRICS_WITH_ALARM, "OrdersPlaced", "PfxImported", "StepsFailed", "VendorLatency", "VendorThrottled")

# What an access log may hold. $context.path, rawPath and the like are missing on purpose: paths and queries carry tokens.
ACCESS_LOG_VARIABLES = {
    f"$context.{name}"
    for name in (
        "requestTimeEpoch", "requestId", "routeKey", "status", "responseLength", "responseLatency", "integrationLatency",
        "integrationStatus", "integrationErrorMessage", "authorizer.error", "error.responseType",
    )
}  # fmt: skip

TAGGED_TYPES = {
    "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::IAM::Role",
    "AWS::Logs::LogGroup", "AWS::SNS::Topic", "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage",
    "AWS::ApiGatewayV2::DomainName",
}  # fmt: skip
PHYSICAL_NAMES = {"AWS::DynamoDB::Table": "TableName", "AWS::SecretsManager::Secret": "Name"}


def kebab(name):
    return "".join("-" + c.lower() if c.isupper() else c for c in name).lstrip("-")


def constant(name):
    return kebab(name).replace("-", "_").upper()


def variables(function):
    """The environment of a function: name -> the logical id that its value names, or None for a parameter or a choice."""
    told = {"STAGE": "Stage", "TABLE_NAME": "Table", "DATA_KEY_ARN": "DataKey", "DEPLOYMENT": "Deployment",
            "STOP_BUYING": "StopBuying", "PUBLIC_URL": None}  # fmt: skip
    told |= {f"QUEUE_URL_{constant(queue)}": f"{queue}Queue" for queue in QUEUES}
    if function == "Reconcile":
        told |= {f"DEAD_LETTER_URL_{constant(queue)}": f"{queue}DeadLetters" for queue in QUEUES}
    return told


OUTPUTS = {"ApiUrl", "PublicUrl", "TableName", "DataKeyArn"} | {
    f"{kind}{queue}" for kind in ("QueueUrl", "DeadLetterUrl") for queue in QUEUES
}
