//! What an emulator does not do: answers that are lost, transactions that meet, requests that are only done in part.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{super::transaction::Written, *};

/// Answers each request with the next of a script.
struct Script {
    table: Table,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

type Reply = Box<dyn FnOnce(&[(String, Value)]) -> (u16, Value) + Send>;

impl Script {
    async fn of(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(VecDeque::from(replies)));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(endpoint)
            .build();
        Self { table: Table::new(Client::from_conf(config), "table"), requests }
    }

    fn operations(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(operation, _)| operation.clone()).collect()
    }
}

async fn serve(
    stream: TcpStream,
    script: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut operation, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line == "\r\n" {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "x-amz-target" => operation = value.rsplit('.').next().unwrap_or_default().to_owned(),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let (status, answer) = {
            let mut seen = seen.lock().unwrap();
            seen.push((operation, serde_json::from_slice(&body).unwrap()));
            let reply = script.lock().unwrap().pop_front().expect("no more requests than the script has replies");
            reply(&seen)
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(format!("{head}{answer}").as_bytes()).await.ok()?;
    }
}

fn always(status: u16, answer: Value) -> Reply {
    Box::new(move |_| (status, answer))
}

fn cancelled(codes: [&str; 2]) -> Reply {
    let reasons: Vec<_> = codes.iter().map(|code| json!({ "Code": code })).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    always(400, json!({ "__type": kind, "message": "cancelled", "CancellationReasons": reasons }))
}

fn refused() -> Reply {
    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    always(400, json!({ "__type": kind, "message": "The conditional request failed" }))
}

fn some_row() -> Item {
    item(Key::new("p", "s"), [("holder", string("7"))])
}

#[tokio::test]
async fn a_transaction_that_meets_another_one_is_tried_again() {
    let replies = vec![cancelled(["None", "TransactionConflict"]), always(200, json!({}))];
    let script = Script::of(replies).await;
    let parts = vec![script.table.put_part(some_row(), Condition::is_new()).unwrap(); 2];
    assert!(matches!(script.table.transact(parts).await.unwrap(), Written::Done));
    assert_eq!(script.operations().len(), 2);
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_told_by_its_place_and_not_tried_again() {
    let script = Script::of(vec![cancelled(["TransactionConflict", "ConditionalCheckFailed"])]).await;
    let parts = vec![script.table.put_part(some_row(), Condition::is_new()).unwrap(); 2];
    let Written::Refused(places) = script.table.transact(parts).await.unwrap() else { panic!("it was refused") };
    assert_eq!(places, [1]);
}

#[tokio::test]
async fn a_write_that_was_won_before_its_answer_was_lost_is_recognised() {
    let stored_as_sent: Reply = Box::new(|seen| (200, json!({ "Item": seen[0].1["Item"] })));
    let script = Script::of(vec![refused(), stored_as_sent]).await;
    assert!(script.table.put_if(some_row(), Condition::is_new()).await.unwrap());
    assert_eq!(script.operations(), ["PutItem", "GetItem"]);
}

#[tokio::test]
async fn a_write_that_somebody_else_won_is_lost() {
    let of_another = json!({ "Item": { "pk": { "S": "p" }, "sk": { "S": "s" }, "mark": { "S": "another" } } });
    let script = Script::of(vec![refused(), always(200, of_another)]).await;
    assert!(!script.table.put_if(some_row(), Condition::is_new()).await.unwrap());
}

#[tokio::test]
async fn what_a_request_left_undone_is_asked_for_again() {
    let row = |sort: &str| json!({ "pk": { "S": "p" }, "sk": { "S": sort } });
    let half = json!({
        "Responses": { "table": [row("1")] },
        "UnprocessedKeys": { "table": { "Keys": [row("2")], "ConsistentRead": true } },
    });
    let rest = json!({ "Responses": { "table": [row("2")] }, "UnprocessedKeys": {} });
    let script = Script::of(vec![always(200, half), always(200, rest)]).await;
    let keys = vec![Key::new("p", "1"), Key::new("p", "2")];
    assert_eq!(script.table.get_many(keys).await.unwrap().len(), 2);

    let left = json!({ "UnprocessedItems": { "table": [{ "PutRequest": { "Item": row("1") } }] } });
    let script = Script::of(vec![always(200, left), always(200, json!({ "UnprocessedItems": {} }))]).await;
    script.table.put_many(vec![some_row()]).await.unwrap();
    assert_eq!(script.operations(), ["BatchWriteItem", "BatchWriteItem"]);
}
