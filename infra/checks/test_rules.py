"""The template breaks no rule; and for every rule there are templates that only this rule refuses."""

import copy
import tomllib

import pytest
from contract import FUNCTIONS, QUEUES
from expand import SOURCE, expand, read
from reading import Template
from rules import RULES, broken

SECRET = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"


@pytest.fixture(scope="session")
def expanded():
    return expand(read())


class Change:
    """One way to spoil the template."""

    def __init__(self, rule, *path, to=None, drop=False, add=None):
        self.rule, self.path, self.to, self.drop, self.add = rule, path, to, drop, add

    def apply(self, expanded):
        *way, last = self.path
        at = expanded
        for step in way:
            at = at[step]
        if self.drop:
            del at[last]
        elif self.add is not None:
            at[last].append(self.add)
        else:
            at[last] = self.to

    def __str__(self):
        return f"{self.rule}: {'.'.join(map(str, self.path))}"


def of(name, *path):
    return ("Resources", name, "Properties", *path)


def statement(sid, actions, resource, **more):
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource, **more}


def statements(name):
    return of(f"{name}Role", "Policies", 0, "PolicyDocument", "Statement")


def secret(kind, stage="${Stage}"):
    return {"Fn::Sub": f"{SECRET}{stage}/*/{kind}-??????"}


def numbered(name, sid):
    """The place of a statement in its role."""
    return [s["Sid"] for s in Template(expand(read())).role(name)["Policies"][0]["PolicyDocument"]["Statement"]].index(sid)


SEAL = (*statements("OrderPlacement"), numbered("OrderPlacement", "SealPrivateKeys"))
READ_SSLCOM = (*statements("OrderCheck"), numbered("OrderCheck", "ReadSslcomSecrets"))
TABLE_OF_API = (*statements("Api"), numbered("Api", "UseTable"))
SEND_OF_API = (*statements("Api"), numbered("Api", "QueueImports"))
TAKE = (*statements("PfxImport"), numbered("PfxImport", "TakeMessages"))
LETTERS = (*statements("Reconcile"), numbered("Reconcile", "ReadDeadLetters"))
ENVIRONMENT = of("ApiFunction", "Environment", "Variables")
CONTEXT_CONDITION = {
    "StringEquals": {"kms:EncryptionContext:stage": {"Ref": "Stage"}},
    "Null": {"kms:EncryptionContext:integration": "false"},
    "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["stage", "integration"]},
}
KEY_OF_ALL = ("Resources", "DataKey", "Properties", "KeyPolicy", "Statement", 0)
SCHEDULE = of("Sweep", "Target")

CHANGES = [
    Change("the_functions_are_those_of_the_contract", "Resources", "ExtraFunction", to={
        "Type": "AWS::Lambda::Function",
        "Properties": {"Tags": [{"Key": "application", "Value": "intune-smime"}, {"Key": "stage", "Value": {"Ref": "Stage"}}]},
    }),
    Change("functions_are_arm64_on_al2023", *of("ApiFunction", "Architectures"), to=["x86_64"]),
    Change("functions_are_arm64_on_al2023", *of("ApiFunction", "Runtime"), to="provided.al2"),
    Change("functions_are_built_by_cargo_lambda_from_their_own_binary",
           "Resources", "PfxImportFunction", "Metadata", "BuildProperties", "Binary", to="order-check"),
    Change("functions_are_built_by_cargo_lambda_from_their_own_binary", *of("ApiFunction", "Code", "S3Key"), to="."),
    Change("every_variable_is_set", *ENVIRONMENT, "STOP_BUYING", drop=True),
    Change("every_variable_is_set", *ENVIRONMENT, "QUEUE_URL_ORDER_CHECK", to={"Ref": "PfxImportQueue"}),
    Change("every_variable_is_set", *ENVIRONMENT, "CLIENT_SECRET", to="hunter2"),
    Change("every_variable_is_set",
           *of("ReconcileFunction", "Environment", "Variables", "DEAD_LETTER_URL_PFX_IMPORT"), drop=True),
    Change("a_function_that_queues_for_itself_is_allowed_to", *of("UserImportFunction", "RecursiveLoop"), drop=True),
    Change("nothing_has_reserved_concurrency", *of("OrderPlacementFunction", "ReservedConcurrentExecutions"), to=1),
    Change("http_functions_end_before_the_gateway", *of("OrderWebhookFunction", "Timeout"), to=30),
    Change("request_timeouts_end_30_seconds_before_the_function", *of("OrderPlacementFunction", "Timeout"), to=389),
    Change("request_timeouts_end_30_seconds_before_the_function", *of("ReconcileFunction", "Timeout"), to=60),
    Change("tracing_is_active", *of("ReconcileFunction", "TracingConfig"), to={"Mode": "PassThrough"}),
    Change("functions_log_json_to_a_group_of_their_own", *of("ApiFunction", "LoggingConfig", "LogFormat"), to="Text"),
    Change("functions_log_json_to_a_group_of_their_own",
           *of("ApiFunction", "LoggingConfig", "LogGroup"), to={"Ref": "OrderCheckLogs"}),
    Change("logs_are_kept_for_a_set_time", *of("HttpAccessLogs", "RetentionInDays"), drop=True),
    # Roles
    Change("each_function_has_a_role_of_its_own",
           *of("ApiFunction", "Role"), to={"Fn::GetAtt": ["OrderPlacementRole", "Arn"]}),
    Change("each_function_has_a_role_of_its_own",
           *of("ApiRole", "AssumeRolePolicyDocument", "Statement", 0, "Principal"), to={"AWS": "*"}),
    Change("no_managed_policy_is_used", *of("ApiRole", "ManagedPolicyArns"),
           to=["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]),
    Change("statements_allow_and_say_what_for", *SEND_OF_API, "Sid", to="send_1"),
    Change("statements_allow_and_say_what_for", *SEND_OF_API, "Effect", to="Deny"),
    Change("no_action_has_a_wildcard", *statements("Sweep"), add=statement("KeepNothing", ["logs:*"], [])),
    Change("no_resource_is_a_wildcard_where_an_arn_exists",
           *statements("Api"), add=statement("ListStreams", ["kinesis:ListStreams"], "*")),
    Change("no_resource_is_a_wildcard_where_an_arn_exists",
           *READ_SSLCOM, "Resource", to=[{"Fn::Sub": f"{SECRET}${{Stage}}/*/sslcom*"}]),
    Change("a_function_writes_to_its_own_log_only",
           *statements("OrderCheck"), 0, "Resource", to={"Fn::GetAtt": ["ApiLogs", "Arn"]}),
    Change("a_function_writes_to_its_own_log_only", *statements("OrderCheck"), 0, "Action", add="logs:DeleteLogStream"),
    Change("the_table_is_used_item_by_item", *TABLE_OF_API, "Action", add="dynamodb:Scan"),
    Change("the_table_is_used_item_by_item", *TABLE_OF_API, "Resource", to={"Fn::GetAtt": ["Archive", "Arn"]}),
    Change("a_function_sends_only_to_the_next_queues", *SEND_OF_API, "Resource", to={"Fn::GetAtt": ["OrderCheckQueue", "Arn"]}),
    Change("a_function_sends_only_to_the_next_queues", *SEND_OF_API, drop=True),
    Change("a_worker_takes_from_its_own_queue_only", *TAKE, "Resource", to={"Fn::GetAtt": ["OrderCheckQueue", "Arn"]}),
    Change("a_worker_takes_from_its_own_queue_only", *LETTERS, "Action", add="sqs:DeleteMessage"),
    Change("who_reads_the_secret_of_one_vendor_does_not_read_the_others", *statements("UserImport"),
           add=statement("ReadSslcomSecrets", ["secretsmanager:GetSecretValue"], [secret("sslcom")])),
    Change("who_talks_to_a_vendor_reads_its_secret", *READ_SSLCOM, drop=True),
    Change("secrets_belong_to_the_stage_and_are_written_by_api_only",
           *READ_SSLCOM, "Action", add="secretsmanager:PutSecretValue"),
    Change("the_webhook_has_no_secret_and_no_key", *statements("OrderWebhook"),
           add=statement("ReadEntraSecrets", ["secretsmanager:GetSecretValue"], [secret("entra")])),
    Change("the_webhook_has_no_secret_and_no_key", *statements("OrderWebhook"),
           add=statement("OpenKeys", ["kms:Decrypt"], {"Fn::GetAtt": ["DataKey", "Arn"]}, Condition=CONTEXT_CONDITION)),
    Change("the_key_is_used_by_whom_it_is_for", *SEAL, "Action", add="kms:Encrypt"),
    Change("the_key_is_used_by_whom_it_is_for", *statements("OrderCheck"),
           add=statement("OpenKeys", ["kms:Decrypt"], {"Fn::GetAtt": ["DataKey", "Arn"]}, Condition=CONTEXT_CONDITION)),
    Change("the_key_is_used_with_its_encryption_context_only", *SEAL, "Condition", drop=True),
    Change("the_key_is_used_with_its_encryption_context_only", *SEAL, "Condition", "Null", drop=True),
    # Queues
    Change("a_message_is_hidden_for_six_timeouts", *of("OrderPlacementQueue", "VisibilityTimeout"), to=2879),
    Change("a_message_is_hidden_for_six_timeouts",
           *of("OrderCheckFunctionMessages", "MaximumBatchingWindowInSeconds"), to=5),
    Change("a_message_is_tried_five_times", *of("UserImportQueue", "RedrivePolicy", "maxReceiveCount"), to=1),
    Change("a_message_is_tried_five_times", *of("UserImportQueue", "RedrivePolicy"), drop=True),
    Change("dead_letters_are_kept_for_14_days", *of("SweepDeadLetters", "MessageRetentionPeriod"), drop=True),
    Change("dead_letters_may_go_back_to_their_queue_only",
           *of("UserImportDeadLetters", "RedriveAllowPolicy"), to={"redrivePermission": "allowAll"}),
    Change("queues_are_encrypted", *of("OrderCheckQueue", "SqsManagedSseEnabled"), to=False),
    Change("a_failed_record_fails_alone", *of("PfxImportFunctionMessages", "FunctionResponseTypes"), drop=True),
    Change("workers_at_the_same_time_are_limited", *of("PfxImportFunctionMessages", "ScalingConfig"), drop=True),
    Change("batches_have_the_size_that_their_function_is_made_for", *of("OrderPlacementFunctionMessages", "BatchSize"), to=10),
    # Data
    Change("the_table_pays_per_request_and_can_be_put_back", *of("Table", "PointInTimeRecoverySpecification"), drop=True),
    Change("the_table_pays_per_request_and_can_be_put_back", *of("Table", "BillingMode"), to="PROVISIONED"),
    Change("the_table_pays_per_request_and_can_be_put_back", *of("Table", "DeletionProtectionEnabled"), to=False),
    Change("the_table_pays_per_request_and_can_be_put_back", *of("Table", "TimeToLiveSpecification"), drop=True),
    Change("the_table_has_the_keys_of_its_access_patterns", *of("Table", "GlobalSecondaryIndexes", 5), drop=True),
    Change("the_table_has_the_keys_of_its_access_patterns",
           *of("Table", "GlobalSecondaryIndexes", 0, "Projection", "ProjectionType"), to="ALL"),
    Change("what_holds_data_outlives_the_stack_without_a_name", "Resources", "Table", "UpdateReplacePolicy", drop=True),
    Change("what_holds_data_outlives_the_stack_without_a_name", "Resources", "DataKey", "DeletionPolicy", to="Delete"),
    Change("what_holds_data_outlives_the_stack_without_a_name", *of("Table", "TableName"), to="smime"),
    Change("what_holds_data_outlives_the_stack_without_a_name", "Resources", "Secret",
           to={"Type": "AWS::SecretsManager::Secret", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
               "Properties": {"Name": "production/1/entra"}}),
    Change("keys_rotate_and_belong_to_the_account", *of("DataKey", "EnableKeyRotation"), to=False),
    Change("keys_rotate_and_belong_to_the_account", *KEY_OF_ALL, "Principal", to={"AWS": "*"}),
    Change("keys_rotate_and_belong_to_the_account", "Resources", "DataKeyAlias", drop=True),
    # HTTP
    Change("only_listed_routes_exist", *of("HealthRoute", "RouteKey"), to="GET /metrics"),
    Change("only_listed_routes_exist", "Resources", "ReadyRoute", drop=True),
    Change("only_listed_routes_exist", *of("HookRoute", "Target"), to={"Fn::Sub": "integrations/${ApiIntegration}"}),
    Change("only_listed_routes_are_public", *of("ApiRoute", "AuthorizationType"), to="NONE"),
    Change("only_listed_routes_are_public", *of("ApiRoute", "AuthorizerId"), to={"Ref": "Another"}),
    Change("only_listed_routes_are_public", *of("OauthStartRoute"), to={
        "ApiId": {"Ref": "HttpApi"}, "RouteKey": "GET /oauth/start", "AuthorizationType": "JWT",
        "AuthorizerId": {"Ref": "HttpAuthorizer"}, "Target": {"Fn::Sub": "integrations/${OauthCallbackIntegration}"},
    }),
    Change("tokens_are_those_of_the_sign_in_app",
           *of("HttpAuthorizer", "JwtConfiguration", "Audience"), to=[{"Ref": "JwtAudience"}, "anybody"]),
    Change("tokens_are_those_of_the_sign_in_app",
           *of("HttpAuthorizer", "IdentitySource"), to=["$request.querystring.token"]),
    Change("functions_get_payload_2", *of("ApiIntegration", "PayloadFormatVersion"), to="1.0"),
    Change("requests_are_throttled", *of("HttpStage", "DefaultRouteSettings", "ThrottlingRateLimit"), drop=True),
    Change("access_logs_hold_no_path", *of("HttpStage", "AccessLogSettings", "Format"),
           to='{"routeKey":"$context.routeKey","path":"$context.path"}'),
    Change("access_logs_hold_no_path", *of("HttpStage", "AccessLogSettings"), drop=True),
    Change("only_this_api_may_call_the_http_functions", *of("ApiPermission", "SourceArn"), drop=True),
    Change("only_this_api_may_call_the_http_functions", *of("ApiPermission", "FunctionName"), to={"Ref": "OrderPlacementFunction"}),
    Change("a_domain_has_its_certificate", "Rules", "DomainNeedsCertificate", drop=True),
    Change("a_domain_has_its_certificate", "Resources", "HttpDomainMapping", "Condition", drop=True),
    # Schedule
    Change("the_sweep_runs_every_minute", *of("Sweep", "ScheduleExpression"), to="rate(5 minutes)"),
    Change("the_sweep_runs_every_minute", *SCHEDULE, "DeadLetterConfig", drop=True),
    Change("the_schedule_may_start_reconcile_and_nothing_else", *statements("Sweep"), 0, "Resource",
           to=[{"Fn::GetAtt": ["ReconcileFunction", "Arn"]}, {"Fn::GetAtt": ["OrderPlacementFunction", "Arn"]}]),
    # Alarms
    Change("every_queue_of_dead_letters_has_an_alarm", "Resources", "PfxImportDeadLettersAlarm", drop=True),
    Change("every_queue_of_dead_letters_has_an_alarm", *of("SweepDeadLettersAlarm", "Threshold"), to=10),
    Change("every_queue_has_an_alarm_for_its_age", "Resources", "OrderCheckAgeAlarm", drop=True),
    Change("every_function_has_alarms_for_errors_and_throttles", "Resources", "OrderPlacementErrorsAlarm", drop=True),
    Change("every_function_has_alarms_for_errors_and_throttles", "Resources", "OauthCallbackThrottlesAlarm", drop=True),
    Change("what_the_application_counts_has_alarms", "Resources", "OrdersSurplusAlarm", drop=True),
    Change("what_the_application_counts_has_alarms", *of("OrdersUnsureAlarm", "Threshold"), to=1),
    Change("alarms_go_to_the_topic_and_silence_is_good", *of("OrdersUnsureAlarm", "AlarmActions"), drop=True),
    Change("somebody_hears_when_the_sweep_does_not_run", *of("SweepMissingAlarm", "TreatMissingData"), to="notBreaching"),
    Change("alarms_go_to_the_topic_and_silence_is_good", *of("ApiErrorsAlarm", "TreatMissingData"), drop=True),
    Change("the_topic_is_encrypted_with_a_key_that_cloudwatch_may_use", *of("AlarmTopic", "KmsMasterKeyId"), to="alias/aws/sns"),
    Change("the_topic_is_encrypted_with_a_key_that_cloudwatch_may_use", *of("AlarmKey", "KeyPolicy", "Statement", 1), drop=True),
    Change("a_subscription_is_made_only_for_an_address", "Resources", "AlarmSubscription", "Condition", drop=True),
    Change("the_dashboard_shows_everything", *of("Dashboard", "DashboardBody"), to={"Fn::Sub": "{}"}),
    # The rest
    Change("everything_is_tagged", *of("OrderCheckQueue", "Tags"), drop=True),
    Change("parameters_say_how_to_mend_them", "Parameters", "AlarmEmail", "ConstraintDescription", drop=True),
    Change("outputs_are_those_that_others_read", "Outputs", "QueueUrlPfxImport", drop=True),
]  # fmt: skip


def test_the_template_breaks_no_rule(expanded):
    assert broken(Template(expanded)) == {}


def newly_broken(expanded, spoilt):
    """What the change breaks; a template that is not good itself fails one test only."""
    before = broken(Template(expanded))
    return {name: found for name, found in broken(Template(spoilt)).items() if found != before.get(name)}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_is_refused_by_its_rule_alone(expanded, change):
    spoilt = copy.deepcopy(expanded)
    change.apply(spoilt)
    found = newly_broken(expanded, spoilt)
    assert list(found) == [change.rule], found


def test_a_secret_of_another_stage_is_refused_by_its_rule_alone(expanded):
    spoilt = copy.deepcopy(expanded)
    resources = spoilt["Resources"]["OrderCheckRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    resources[READ_SSLCOM[-1]]["Resource"][1] = {"Fn::Sub": SECRET + "production/1/sslcom"}
    assert list(newly_broken(expanded, spoilt)) == ["secrets_belong_to_the_stage_and_are_written_by_api_only"]


def test_every_rule_refuses_something():
    assert {change.rule for change in CHANGES} == set(RULES)


def test_a_function_or_a_queue_that_is_missing_is_named_and_nothing_falls_over(expanded):
    for name in [f"{function}Function" for function in FUNCTIONS] + [f"{queue}Queue" for queue in QUEUES]:
        spoilt = copy.deepcopy(expanded)
        del spoilt["Resources"][name]
        assert broken(Template(spoilt)), name


def test_every_stage_is_tagged_and_checked_and_production_asks_first():
    stages = tomllib.loads(SOURCE.with_name("samconfig.toml").read_text(encoding="utf-8"))
    assert stages["default"]["validate"]["parameters"]["lint"] is True
    declared = set(read()["Parameters"])
    for stage in ("dev", "production"):
        assert stages[stage]["validate"]["parameters"]["lint"] is True
        assert stages[stage]["build"]["parameters"] == {"cached": True, "parallel": True}
        deploy = stages[stage]["deploy"]["parameters"]
        assert deploy["capabilities"] == "CAPABILITY_IAM"
        assert deploy["confirm_changeset"] is (stage == "production")
        assert deploy["tags"] == ["application=intune-smime", f"stage={stage}"]
        given = dict(override.split("=", 1) for override in deploy["parameter_overrides"])
        assert given["Stage"] == stage
        assert set(given) <= declared
