"""The rules of template.yaml. Each is a function over the expanded template that yields a sentence for every breach."""

import re

from contract import (
    ACCESS_LOG_VARIABLES, ANSWER_TIMEOUT, BATCH_SIZES, FUNCTIONS, HTTP, INDEXES, KEY_ACTIONS, METRICS_SHOWN,
    METRICS_WITH_ALARM, OUTPUTS, PHYSICAL_NAMES, PUBLIC_ROUTES, PURCHASE_ANSWER_TIMEOUT, PURCHASE_WINDOW, QUEUES,
    READS_BOTH_VENDORS, ROUTES, SECRETS_READ, SENDS_TO, TABLE_ACTIONS, TAGGED_TYPES, kebab, variables,
)  # fmt: skip
from reading import listed, target, text

RULES = {}


def rule(function):
    RULES[function.__name__] = function
    return function


def broken(template):
    """Rule -> its sentences, of every rule that the template breaks."""
    found = {name: list(check(template)) for name, check in RULES.items()}
    return {name: sentences for name, sentences in found.items() if sentences}


# ---- Functions


@rule
def the_functions_are_those_of_the_contract(t):
    found = {name.removesuffix("Function") for name in t.of("AWS::Lambda::Function")}
    for name in found ^ set(FUNCTIONS):
        yield f"{name}: {'has no function' if name in FUNCTIONS else 'is not in infra/checks/contract.py'}"


@rule
def functions_are_arm64_on_al2023(t):
    for name in FUNCTIONS:
        f = t.function(name)
        if f.get("Architectures") != ["arm64"]:
            yield f"{name}: not arm64"
        if (f.get("Runtime"), f.get("Handler")) != ("provided.al2023", "bootstrap"):
            yield f"{name}: not the bootstrap on provided.al2023"


@rule
def functions_are_built_by_cargo_lambda_from_their_own_binary(t):
    for name in FUNCTIONS:
        metadata = t.resources.get(f"{name}Function", {}).get("Metadata") or {}
        binary = (metadata.get("BuildProperties") or {}).get("Binary")
        if metadata.get("BuildMethod") != "rust-cargolambda" or binary != kebab(name):
            yield f"{name}: not built by rust-cargolambda from the binary {kebab(name)}"
        # Functions are no default members of the workspace, so that cargo finds the binary from its own folder only.
        if (t.function(name).get("Code") or {}).get("S3Key") != f"functions/{kebab(name)}":
            yield f"{name}: not built in functions/{kebab(name)}"


@rule
def every_variable_is_set(t):
    for name in FUNCTIONS:
        told = (t.function(name).get("Environment") or {}).get("Variables") or {}
        for variable, source in variables(name).items():
            if variable not in told or (source and target(told[variable]) != source):
                yield f"{name}: {variable} does not name {source or 'anything'}"
        for variable in told.keys() - variables(name).keys():
            yield f"{name}: {variable} is not in the contract of the environment"


@rule
def a_function_that_queues_for_itself_is_allowed_to(t):
    for name in QUEUES:
        if name in SENDS_TO[name] and t.function(name).get("RecursiveLoop") != "Allow":
            yield f"{name}: Lambda ends it after about 16 rounds, because RecursiveLoop is not Allow"


@rule
def nothing_has_reserved_concurrency(t):
    for name in FUNCTIONS:
        if "ReservedConcurrentExecutions" in t.function(name):
            yield f"{name}: has reserved concurrency; MaximumConcurrency of its queue is what limits it"


@rule
def http_functions_end_before_the_gateway(t):
    for name in HTTP:
        if not t.function(name).get("Timeout", 3) <= 29:
            yield f"{name}: runs longer than the 29 s that an HTTP API waits"


@rule
def request_timeouts_end_30_seconds_before_the_function(t):
    for name in (*QUEUES, "Reconcile"):
        slowest = PURCHASE_ANSWER_TIMEOUT + PURCHASE_WINDOW if name == "OrderPlacement" else ANSWER_TIMEOUT
        if not t.function(name).get("Timeout", 3) >= slowest + 30:
            yield f"{name}: a request of {slowest} s may be cut off by the function's end"


@rule
def tracing_is_active(t):
    for name in FUNCTIONS:
        if t.function(name).get("TracingConfig") != {"Mode": "Active"}:
            yield f"{name}: no active tracing"


@rule
def functions_log_json_to_a_group_of_their_own(t):
    for name in FUNCTIONS:
        logging = t.function(name).get("LoggingConfig") or {}
        if logging.get("LogFormat") != "JSON" or target(logging.get("LogGroup")) != f"{name}Logs":
            yield f"{name}: does not log as JSON to {name}Logs"


@rule
def logs_are_kept_for_a_set_time(t):
    for name, group in t.of("AWS::Logs::LogGroup").items():
        if target(group.get("RetentionInDays")) != "LogRetentionDays":
            yield f"{name}: its retention is not the parameter LogRetentionDays"


# ---- Roles


@rule
def each_function_has_a_role_of_its_own(t):
    for name in FUNCTIONS:
        if t.function(name).get("Role") != {"Fn::GetAtt": [f"{name}Role", "Arn"]}:
            yield f"{name}: its role is not {name}Role"
        if not t.role(name):
            yield f"{name}: {name}Role is not written in the template"
        trusted = [s.get("Principal") for s in listed((t.role(name).get("AssumeRolePolicyDocument") or {}).get("Statement"))]
        if trusted != [{"Service": "lambda.amazonaws.com"}]:
            yield f"{name}: its role trusts somebody else than Lambda"


@rule
def no_managed_policy_is_used(t):
    for name in t.roles():
        if t.role(name).get("ManagedPolicyArns"):
            yield f"{name}: a managed policy says more than is needed, and may change"


@rule
def statements_allow_and_say_what_for(t):
    for name in t.roles():
        sids = [statement.sid for statement in t.statements(name)]
        for statement in t.statements(name):
            if not re.fullmatch(r"([A-Z][a-z0-9]*){2,}", statement.sid or "") or sids.count(statement.sid) > 1:
                yield f"{statement}: needs a Sid of its own, in UpperCamelCase"
            if statement.raw.get("Effect") != "Allow" or {"NotAction", "NotResource"} & statement.raw.keys():
                yield f"{statement}: does not simply allow actions on resources"


@rule
def no_action_has_a_wildcard(t):
    for name in t.roles():
        for statement in t.statements(name):
            for action in statement.actions:
                if "*" in action or "?" in action:
                    yield f"{statement}: {action}"


@rule
def no_resource_is_a_wildcard_where_an_arn_exists(t):
    """X-Ray's two actions know no resource. A secret's name has an integration in its middle; indexes belong to one table."""
    pattern = r"^\S*:secret:\$\{Stage\}/\*/(entra|sslcom)(-\?{6})?$|^\$\{Table\.Arn\}/index/\*$"
    for name in t.roles():
        for statement in t.statements(name):
            if all(action in ("xray:PutTraceSegments", "xray:PutTelemetryRecords") for action in statement.actions):
                continue
            for resource in statement.resources:
                written = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
                if ("*" in text(written) or "?" in text(written)) and not re.match(pattern, text(written)):
                    yield f"{statement}: {text(resource)}"


@rule
def a_function_writes_to_its_own_log_only(t):
    for name in FUNCTIONS:
        logs = [statement for statement in t.statements(name) if statement.of("logs")]
        allowed = {action for statement in logs for action in statement.actions}
        groups = [resource for statement in logs for resource in statement.resources]
        if allowed != {"logs:CreateLogStream", "logs:PutLogEvents"} or groups != [{"Fn::GetAtt": [f"{name}Logs", "Arn"]}]:
            yield f"{name}: does not write to {name}Logs and nowhere else"


@rule
def the_table_is_used_item_by_item(t):
    """No Scan, no administration."""
    for name in FUNCTIONS:
        for statement in t.statements(name):
            if statement.of("dynamodb") and (not set(statement.actions) <= TABLE_ACTIONS or statement.targets() != {"Table"}):
                yield f"{statement}: more than items of the table"


@rule
def a_function_sends_only_to_the_next_queues(t):
    for name in FUNCTIONS:
        sends = [s for s in t.statements(name) if "sqs:SendMessage" in s.actions]
        found = {queue for statement in sends for queue in statement.targets()}
        if found != {f"{queue}Queue" for queue in SENDS_TO[name]}:
            yield f"{name}: sends to {sorted(map(str, found))}, not to {sorted(SENDS_TO[name])}"


@rule
def a_worker_takes_from_its_own_queue_only(t):
    for name in FUNCTIONS:
        expected = {}
        if name in QUEUES:
            own = f"{name}Queue"
            expected = {f"sqs:{action}": {own} for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")}
        if name == "Reconcile":
            expected = {"sqs:ReceiveMessage": {f"{queue}DeadLetters" for queue in QUEUES}}
        found = {}
        for statement in t.statements(name):
            for action in statement.actions:
                if action.startswith("sqs:") and action != "sqs:SendMessage":
                    found[action] = found.get(action, set()) | statement.targets()
        if found != expected:
            yield f"{name}: takes {found}, not {expected}"


def secrets(t, name, *actions):
    """Which kinds of secret a function may do one of the actions with."""
    return {
        kind
        for statement in t.statements(name)
        if set(statement.actions) & set(actions)
        for resource in statement.resources
        for kind in ("entra", "sslcom")
        if f"/{kind}" in text(resource)
    }


@rule
def who_reads_the_secret_of_one_vendor_does_not_read_the_others(t):
    for name in FUNCTIONS:
        read = secrets(t, name, "secretsmanager:GetSecretValue")
        if len(read) > 1 and name not in READS_BOTH_VENDORS:
            yield f"{name}: whoever talks to Graph must not be able to buy"


@rule
def who_talks_to_a_vendor_reads_its_secret(t):
    for name, kinds in SECRETS_READ.items():
        for kind in kinds - secrets(t, name, "secretsmanager:GetSecretValue"):
            yield f"{name}: cannot read the secret {kind}"


@rule
def secrets_belong_to_the_stage_and_are_written_by_api_only(t):
    writing = {f"secretsmanager:{action}" for action in ("PutSecretValue", "CreateSecret", "TagResource")}
    for name in FUNCTIONS:
        for statement in t.statements(name):
            if not statement.of("secretsmanager"):
                continue
            allowed = writing | {"secretsmanager:GetSecretValue"} if name == "Api" else {"secretsmanager:GetSecretValue"}
            if not set(statement.actions) <= allowed:
                yield f"{statement}: does more with secrets than it may"
            if not all(":secret:${Stage}/" in text(resource) for resource in statement.resources):
                yield f"{statement}: secrets of another stage"


@rule
def the_webhook_has_no_secret_and_no_key(t):
    for statement in t.statements("OrderWebhook"):
        if statement.of("secretsmanager") or statement.of("kms"):
            yield f"{statement}: what the whole internet can call reads no secret and opens no key"


@rule
def the_key_is_used_by_whom_it_is_for(t):
    for name in set(FUNCTIONS) - {"OrderWebhook"}:
        statements = [statement for statement in t.statements(name) if statement.of("kms")]
        allowed = {action for statement in statements for action in statement.actions}
        targets = set().union(*(statement.targets() for statement in statements))
        if allowed != KEY_ACTIONS.get(name, set()) or not targets <= {"DataKey"}:
            yield f"{name}: may {sorted(allowed)} with {sorted(map(str, targets))}"


@rule
def the_key_is_used_with_its_encryption_context_only(t):
    needed = {
        "StringEquals": {"kms:EncryptionContext:stage": {"Ref": "Stage"}},
        "Null": {"kms:EncryptionContext:integration": "false"},
        "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["stage", "integration"]},
    }
    for name in t.roles():
        for statement in t.statements(name):
            if statement.of("kms") and statement.condition != needed:
                yield f"{statement}: not bound to the stage and an integration"


# ---- Queues


@rule
def a_message_is_hidden_for_six_timeouts(t):
    for name in QUEUES:
        window = t.mapping(name).get("MaximumBatchingWindowInSeconds", 0)
        needed = 6 * t.function(name).get("Timeout", 3) + window
        if not t.properties(f"{name}Queue").get("VisibilityTimeout", 30) >= needed:
            yield f"{name}: hidden for less than 6 x time-out + window = {needed} s"


@rule
def a_message_is_tried_five_times(t):
    for name in QUEUES:
        policy = t.properties(f"{name}Queue").get("RedrivePolicy") or {}
        if policy.get("maxReceiveCount") != 5 or target(policy.get("deadLetterTargetArn")) != f"{name}DeadLetters":
            yield f"{name}: after five receives a message does not become a dead letter"


@rule
def dead_letters_are_kept_for_14_days(t):
    for name in (*QUEUES, "Sweep"):
        if t.properties(f"{name}DeadLetters").get("MessageRetentionPeriod") != 14 * 86400:
            yield f"{name}: dead letters are not kept for 14 days"


@rule
def dead_letters_may_go_back_to_their_queue_only(t):
    for name in QUEUES:
        policy = t.properties(f"{name}DeadLetters").get("RedriveAllowPolicy") or {}
        own = text(t.properties(f"{name}Queue").get("QueueName", {}).get("Fn::Sub", "?"))
        sources = [text(source.get("Fn::Sub", "")) for source in policy.get("sourceQueueArns") or []]
        if policy.get("redrivePermission") != "byQueue" or len(sources) != 1 or not sources[0].endswith(":" + own):
            yield f"{name}: dead letters are not tied to their queue"


@rule
def queues_are_encrypted(t):
    for name, queue in t.of("AWS::SQS::Queue").items():
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name}: not encrypted"


@rule
def a_failed_record_fails_alone(t):
    for name in QUEUES:
        if t.mapping(name).get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one failed record fails its whole batch"


@rule
def workers_at_the_same_time_are_limited(t):
    for name in QUEUES:
        if not (t.mapping(name).get("ScalingConfig") or {}).get("MaximumConcurrency"):
            yield f"{name}: no MaximumConcurrency"


@rule
def batches_have_the_size_that_their_function_is_made_for(t):
    for name, size in BATCH_SIZES.items():
        if t.mapping(name).get("BatchSize") != size:
            yield f"{name}: batches of {t.mapping(name).get('BatchSize')}, not of {size}"


# ---- Data


@rule
def the_table_pays_per_request_and_can_be_put_back(t):
    table = t.properties("Table")
    if table.get("BillingMode") != "PAY_PER_REQUEST":
        yield "Table: not on demand"
    if (table.get("PointInTimeRecoverySpecification") or {}).get("PointInTimeRecoveryEnabled") is not True:
        yield "Table: no point-in-time recovery"
    if table.get("TimeToLiveSpecification") != {"AttributeName": "ttl", "Enabled": True}:
        yield "Table: ttl does not clean up"
    if text(table.get("DeletionProtectionEnabled")) != text({"Fn::If": ["IsDeletionProtected", True, False]}):
        yield "Table: deletion protection does not follow the stage's parameter"


@rule
def the_table_has_the_keys_of_its_access_patterns(t):
    def keys(described):
        return tuple(key["AttributeName"] for key in described.get("KeySchema") or [])

    table = t.properties("Table")
    indexes = table.get("GlobalSecondaryIndexes") or []
    if keys(table) != ("pk", "sk") or {index["IndexName"]: keys(index) for index in indexes} != INDEXES:
        yield "Table: keys or indexes are not those of infra/checks/contract.py"
    if any(index.get("Projection") != {"ProjectionType": "KEYS_ONLY"} for index in indexes):
        yield "Table: an index holds more than keys"


@rule
def what_holds_data_outlives_the_stack_without_a_name(t):
    kept = {"Table", "DataKey"} | set(t.of("AWS::SecretsManager::Secret"))
    for name in kept:
        resource = t.resources.get(name) or {}
        if (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) != ("Retain", "Retain"):
            yield f"{name}: would be deleted with the stack, or replaced"
        if PHYSICAL_NAMES.get(resource.get("Type")) in t.properties(name):
            yield f"{name}: has a physical name, so that after a deletion the stack could not be created again"


@rule
def keys_rotate_and_belong_to_the_account(t):
    for name, key in t.of("AWS::KMS::Key").items():
        if key.get("EnableKeyRotation") is not True:
            yield f"{name}: no rotation"
        for statement in listed((key.get("KeyPolicy") or {}).get("Statement")):
            principal = statement.get("Principal")
            if principal in ("*", {"AWS": "*"}):
                yield f"{name}: its policy lets everybody in"
    if "DataKey" not in {target(alias.get("TargetKeyId")) for alias in t.of("AWS::KMS::Alias").values()}:
        yield "DataKey: no alias"


# ---- HTTP


def integrations(t):
    return {
        name: (target(properties.get("IntegrationUri")) or "").removesuffix("Function")
        for name, properties in t.of("AWS::ApiGatewayV2::Integration").items()
    }


@rule
def only_listed_routes_exist(t):
    leads_to = integrations(t)
    found = {r.get("RouteKey"): leads_to.get(target(r.get("Target"))) for r in t.of("AWS::ApiGatewayV2::Route").values()}
    for key in found.keys() | ROUTES.keys():
        if found.get(key) != ROUTES.get(key):
            yield f"{key}: leads to {found.get(key)}, not to {ROUTES.get(key)}"


@rule
def only_listed_routes_are_public(t):
    for route in t.of("AWS::ApiGatewayV2::Route").values():
        open_to_all = route.get("AuthorizationType", "NONE") == "NONE"
        if open_to_all and route["RouteKey"].split(" ")[-1].startswith("/api"):
            yield f"{route['RouteKey']}: needs no token"
        if not open_to_all and (route["AuthorizationType"], target(route.get("AuthorizerId"))) != ("JWT", "HttpAuthorizer"):
            yield f"{route['RouteKey']}: is not guarded by the JWT authorizer"
        if not open_to_all and route["RouteKey"] in PUBLIC_ROUTES:
            yield f"{route['RouteKey']}: cannot be reached by those it is for"


@rule
def tokens_are_those_of_the_sign_in_app(t):
    authorizers = t.of("AWS::ApiGatewayV2::Authorizer")
    configured = {"Issuer": {"Ref": "JwtIssuer"}, "Audience": [{"Ref": "JwtAudience"}]}
    for name, authorizer in authorizers.items():
        if authorizer.get("AuthorizerType") != "JWT" or authorizer.get("JwtConfiguration") != configured:
            yield f"{name}: issuer and audience are not the parameters"
        if authorizer.get("IdentitySource") != ["$request.header.Authorization"]:
            yield f"{name}: a token may come from elsewhere than the header Authorization"


@rule
def functions_get_payload_2(t):
    for name, integration in t.of("AWS::ApiGatewayV2::Integration").items():
        if (integration.get("IntegrationType"), integration.get("PayloadFormatVersion")) != ("AWS_PROXY", "2.0"):
            yield f"{name}: not a proxy with payload 2.0"


@rule
def requests_are_throttled(t):
    for name, stage in t.of("AWS::ApiGatewayV2::Stage").items():
        settings = stage.get("DefaultRouteSettings") or {}
        if not (settings.get("ThrottlingRateLimit") and settings.get("ThrottlingBurstLimit")):
            yield f"{name}: not throttled"


@rule
def access_logs_hold_no_path(t):
    for name, stage in t.of("AWS::ApiGatewayV2::Stage").items():
        settings = stage.get("AccessLogSettings") or {}
        found = set(re.findall(r"\$context(?:\.[A-Za-z]+)+", settings.get("Format", "")))
        if target(settings.get("DestinationArn")) != "HttpAccessLogs" or "$context.routeKey" not in found:
            yield f"{name}: no access log with the route's key"
        for variable in found - ACCESS_LOG_VARIABLES:
            yield f"{name}: logs {variable}, which may carry a token or a person"


@rule
def only_this_api_may_call_the_http_functions(t):
    permissions = {target(p.get("FunctionName")): p for p in t.of("AWS::Lambda::Permission").values()}
    for name in set(permissions) - {f"{name}Function" for name in HTTP}:
        yield f"{name}: may be called by API Gateway"
    for name in HTTP:
        permission = permissions.get(f"{name}Function") or {}
        source = text((permission.get("SourceArn") or {}).get("Fn::Sub", ""))
        if permission.get("Principal") != "apigateway.amazonaws.com" or not source.endswith(":${HttpApi}/*"):
            yield f"{name}: no permission for this API only"


@rule
def a_domain_has_its_certificate(t):
    parameters = ("DomainName", "CertificateArn")
    for needed, given in (parameters, parameters[::-1]):
        asserted = [
            text(r.get("Assertions")) for r in (t.raw.get("Rules") or {}).values() if f'"{given}"' in text(r.get("RuleCondition"))
        ]
        if not any(f'"{needed}"' in assertion for assertion in asserted):
            yield f"{given}: may be given without {needed}"
    for kind in ("AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping"):
        for name in t.of(kind):
            if t.resources[name].get("Condition") != "HasDomain":
                yield f"{name}: is made without a domain, too"


# ---- Schedule


@rule
def the_sweep_runs_every_minute(t):
    schedules = list(t.of("AWS::Scheduler::Schedule").values())
    if [schedule.get("ScheduleExpression") for schedule in schedules] != ["rate(1 minute)"]:
        yield "Sweep: not one schedule, every minute"
    for goal in (schedule.get("Target") or {} for schedule in schedules):
        if target(goal.get("Arn")) != "ReconcileFunction" or target(goal.get("RoleArn")) != "SweepRole":
            yield "Sweep: does not start reconcile by its own role"
        if not goal.get("RetryPolicy") or target((goal.get("DeadLetterConfig") or {}).get("Arn")) != "SweepDeadLetters":
            yield "Sweep: no retry, or no place for what could not be started"


@rule
def the_schedule_may_start_reconcile_and_nothing_else(t):
    allowed = {(action, goal) for s in t.statements("Sweep") for action in s.actions for goal in s.targets()}
    if allowed != {("lambda:InvokeFunction", "ReconcileFunction"), ("sqs:SendMessage", "SweepDeadLetters")}:
        yield f"Sweep: may do {sorted(map(str, allowed))}"


# ---- Alarms


def fires_above(alarm, threshold):
    return alarm.get("ComparisonOperator") == "GreaterThanThreshold" and alarm.get("Threshold") == threshold


@rule
def every_queue_of_dead_letters_has_an_alarm(t):
    alarms = t.alarms("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    for name in (*QUEUES, "Sweep"):
        if not fires_above(alarms.get(f"{name}DeadLetters", {}), 0):
            yield f"{name}: a dead letter alarms nobody"


@rule
def every_queue_has_an_alarm_for_its_age(t):
    alarms = t.alarms("AWS/SQS", "ApproximateAgeOfOldestMessage")
    for name in QUEUES:
        if f"{name}Queue" not in alarms:
            yield f"{name}: nobody hears that messages wait"


@rule
def every_function_has_alarms_for_errors_and_throttles(t):
    for metric in ("Errors", "Throttles"):
        alarms = t.alarms("AWS/Lambda", metric)
        for name in FUNCTIONS:
            if not fires_above(alarms.get(f"{name}Function", {}), 0):
                yield f"{name}: no alarm for {metric}"


@rule
def what_the_application_counts_has_alarms(t):
    for metric in METRICS_WITH_ALARM:
        alarm = t.alarms("IntuneSmime", metric).get("Stage") or {}
        if [dimension["Name"] for dimension in alarm.get("Dimensions") or []] != ["stage"]:
            yield f"{metric}: no alarm on the metric of this stage"
        elif metric != "BacklogAgeSeconds" and not fires_above(alarm, 0):
            yield f"{metric}: the first one does not alarm"


@rule
def alarms_go_to_the_topic_and_silence_is_good(t):
    for name, alarm in t.of("AWS::CloudWatch::Alarm").items():
        if [target(action) for action in alarm.get("AlarmActions") or []] != ["AlarmTopic"]:
            yield f"{name}: does not go to the topic"
        if name != "SweepMissingAlarm" and alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name}: is not quiet while nothing happens"


@rule
def somebody_hears_when_the_sweep_does_not_run(t):
    alarm = t.alarms("AWS/Lambda", "Invocations").get("ReconcileFunction") or {}
    fires = (alarm.get("ComparisonOperator"), alarm.get("Threshold"), alarm.get("Statistic"), alarm.get("TreatMissingData"))
    if fires != ("LessThanThreshold", 1, "Sum", "breaching"):
        yield "SweepMissingAlarm: does not fire when the sweep was not invoked"


@rule
def the_topic_is_encrypted_with_a_key_that_cloudwatch_may_use(t):
    if target(t.properties("AlarmTopic").get("KmsMasterKeyId")) != "AlarmKey":
        yield "AlarmTopic: not encrypted with AlarmKey"
    services = [
        (statement.get("Principal") or {}).get("Service")
        for statement in listed((t.properties("AlarmKey").get("KeyPolicy") or {}).get("Statement"))
        if {"kms:Decrypt", "kms:GenerateDataKey*"} <= set(listed(statement.get("Action")))
    ]
    if services != ["cloudwatch.amazonaws.com"]:
        yield "AlarmKey: CloudWatch cannot use it, and no alarm would arrive"


@rule
def a_subscription_is_made_only_for_an_address(t):
    for name, subscription in t.of("AWS::SNS::Subscription").items():
        if t.resources[name].get("Condition") != "HasAlarmEmail" or target(subscription.get("Endpoint")) != "AlarmEmail":
            yield f"{name}: does not depend on AlarmEmail"


@rule
def the_dashboard_shows_everything(t):
    shown = text([properties.get("DashboardBody") for properties in t.of("AWS::CloudWatch::Dashboard").values()])
    needed = [f"${{{name}Function}}" for name in FUNCTIONS] + [f"${{{name}Queue.QueueName}}" for name in QUEUES]
    for name in [*needed, *METRICS_SHOWN]:
        if name not in shown:
            yield f"Dashboard: does not show {name}"


# ---- The rest


@rule
def everything_is_tagged(t):
    for name, resource in t.resources.items():
        if resource["Type"] not in TAGGED_TYPES:
            continue
        tags = t.properties(name).get("Tags") or {}
        if isinstance(tags, list):
            tags = {tag["Key"]: tag["Value"] for tag in tags}
        if tags.get("application") != "intune-smime" or target(tags.get("stage")) != "Stage":
            yield f"{name}: not tagged with application and stage"


@rule
def parameters_say_how_to_mend_them(t):
    for name, parameter in t.raw["Parameters"].items():
        if not parameter.keys() & {"AllowedPattern", "AllowedValues", "MinValue"} or not parameter.get("Description"):
            yield f"{name}: takes anything, or says nothing"
        if not re.fullmatch(rf"{name} is .*\.", parameter.get("ConstraintDescription", "")):
            yield f"{name}: its ConstraintDescription is no sentence '{name} is ….'"


@rule
def outputs_are_those_that_others_read(t):
    for name in OUTPUTS - t.raw["Outputs"].keys():
        yield f"{name}: no such output"
