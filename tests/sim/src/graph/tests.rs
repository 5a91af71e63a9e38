mod directory;
mod records;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::behaviour::{Limits, RetryAfter};
use crate::{
    faults::{Fault, Wait},
    graph::profiles::Profile,
    microsoft::{
        client::Client,
        fixture::{RECORDS, World},
    },
};

#[tokio::test]
async fn without_a_good_token_nothing_is_shown() {
    let mut world = World::with_people(1).await;
    let url = format!("{}/v1.0/users", world.microsoft.graph_base_url());
    let answer = world.client.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(answer.headers().contains_key("www-authenticate"));
    for token in ["", "x.y.z", "eyJhbGciOiJub25lIn0.e30."] {
        world.client.token = token.to_owned();
        let answer = world.client.get("/v1.0/users").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "InvalidAuthenticationToken"));
    }
    world.behave(|behaviour| behaviour.access_token_lifetime = Duration::ZERO);
    let client = Client::connect(&world.microsoft, &world.organisation).await;
    let answer = client.get("/v1.0/users").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body["error"]["message"].as_str().unwrap().contains("expired"));
}

#[tokio::test]
async fn each_role_opens_its_own_resources() {
    let world = World::with_people(1).await;
    let tenant = world.microsoft.first_tenant();
    let group = tenant.directory().add_group("g", &[]);
    let members = format!("/v1.0/groups/{group}/transitiveMembers/microsoft.graph.user?$count=true");
    let user = format!("/v1.0/users/{}", world.person(0).id);
    let record = world.record(&world.person(0));
    for (roles, status) in [
        (&["User.Read.All"][..], [200, 200, 200, 403, 403, 403]),
        (&["User.Read.All", "GroupMember.Read.All"], [200, 200, 200, 200, 403, 403]),
        (&["DeviceManagementConfiguration.Read.All"], [403, 403, 403, 403, 200, 403]),
        (&["DeviceManagementConfiguration.ReadWrite.All"], [403, 403, 403, 403, 200, 201]),
    ] {
        let mut app = tenant.app(&world.organisation.client_id).unwrap();
        app.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        tenant.register(app);
        let client = Client::connect(&world.microsoft, &world.organisation).await;
        let answers = [
            client.get("/v1.0/users").await,
            client.get(&user).await,
            client.get("/v1.0/users/delta").await,
            client.get_with(&members, &[("ConsistencyLevel", "eventual")]).await,
            client.get(RECORDS).await,
            client.post(RECORDS, &record).await,
        ];
        assert_eq!(answers.each_ref().map(|answer| answer.status.as_u16()), status, "{roles:?}");
        for answer in answers.iter().filter(|answer| answer.status == 403) {
            assert_eq!(answer.code(), "Authorization_RequestDenied");
        }
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_echoes_the_clients() {
    let world = World::with_people(1).await;
    let mine = "8f3c2a10-6d0b-4a2e-9d57-0d2f1f1c0001";
    for path in ["/v1.0/users", "/v1.0/users/nobody", "/v1.0/nothing"] {
        let answer = world.client.get_with(path, &[("client-request-id", mine)]).await;
        assert_eq!(answer.headers["client-request-id"], mine);
        assert!(!answer.headers["request-id"].is_empty());
        if answer.status != 200 {
            let inner = &answer.body["error"]["innerError"];
            assert_eq!(inner["client-request-id"], mine);
            assert_eq!(inner["request-id"], answer.headers["request-id"].to_str().unwrap());
        }
    }
}

#[tokio::test]
async fn the_documented_limits_throttle_device_management_in_every_notation() {
    let world = World::with_people(1).await;
    let limits = Limits { writes: 1, calls: 2, ..Limits::DOCUMENTED };
    world.behave(|behaviour| behaviour.limits = Some(limits));
    assert_eq!(world.client.get(RECORDS).await.status, 200);
    assert_eq!(world.client.get(RECORDS).await.status, 200);
    let limited = async |notation| {
        world.behave(|behaviour| behaviour.retry_after = notation);
        let answer = world.client.get(RECORDS).await;
        assert_eq!(answer.status, 429);
        let header = |name| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (header("retry-after"), header("x-ms-retry-after-ms"))
    };
    let (seconds, _) = limited(RetryAfter::Seconds).await;
    assert!((1..=20).contains(&seconds.unwrap().parse::<u64>().unwrap()));
    assert!(limited(RetryAfter::Date).await.0.unwrap().ends_with("GMT"));
    let (none, milliseconds) = limited(RetryAfter::Milliseconds).await;
    assert!(none.is_none() && milliseconds.unwrap().parse::<u64>().unwrap() <= 20_000);
    assert_eq!(limited(RetryAfter::Absent).await, (None, None));
    assert_eq!(world.client.get("/v1.0/users").await.status, 200);
}

#[tokio::test]
async fn faults_are_planned_and_calls_are_counted_by_name() {
    let world = World::with_people(1).await;
    world.microsoft.faults().next("graph.users", Fault::Throttle(Wait::Seconds(3)));
    world.microsoft.faults().next("entra.jwks", Fault::FailBefore(503));
    assert_eq!(world.client.get("/v1.0/users").await.status, 429);
    assert_eq!(world.client.get("/v1.0/users").await.status, 200);
    let base = world.microsoft.entra_base_url();
    let keys = format!("{base}/{}/discovery/v2.0/keys", world.organisation.tenant_id);
    assert_eq!(world.client.http.get(&keys).send().await.unwrap().status(), 503);
    assert_eq!(world.client.http.get(&keys).send().await.unwrap().status(), 200);
    let calls = ["graph.users", "entra.jwks", "entra.token", "graph.user"];
    assert_eq!(calls.map(|name| world.microsoft.calls(name)), [2, 2, 1, 0]);
}

#[tokio::test]
async fn connectors_and_profiles_are_what_the_administrator_set_up() {
    let world = World::with_people(1).await;
    let connectors = "/beta/deviceManagement/ndesConnectors";
    let answer = world.client.get(connectors).await;
    assert_eq!(answer.value()[0]["state"], "active");
    world.microsoft.connector().stop();
    let stopped = world.client.get(connectors).await;
    assert_eq!(stopped.value()[0]["state"], "inactive");
    assert_eq!(stopped.value()[0]["id"], answer.value()[0]["id"]);
    let last: Timestamp = stopped.value()[0]["lastConnectionDateTime"].as_str().unwrap().parse().unwrap();
    assert!(last <= Timestamp::now());

    let profiles = "/beta/deviceManagement/deviceConfigurations";
    let with_purpose = |all: &[Value]| -> Vec<Value> {
        let kept =
            all.iter().filter(|each| each["@odata.type"].as_str().unwrap().ends_with("ImportedPFXCertificateProfile"));
        kept.map(|each| each["intendedPurpose"].clone()).collect()
    };
    world.behave(|behaviour| behaviour.page_size = 2);
    let all = world.client.all(profiles, &[]).await;
    assert_eq!(with_purpose(&all), ["unassigned", "smimeEncryption", "smimeSigning"]);
    assert_eq!(all.len(), 4, "other configurations are in the list too");
    world.microsoft.first_tenant().set_profiles(vec![Profile::new(
        "iPhones",
        super::profiles::Platform::Ios,
        super::record::Purpose::SmimeSigning,
    )]);
    assert_eq!(with_purpose(&world.client.all(profiles, &[]).await), ["smimeSigning"]);
}
