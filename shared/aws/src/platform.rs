//! The three parts together.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use domain::jobs::QueueName;
use ports::{Clock, Platform, PlatformError, Store};

use crate::{queue::AwsQueue, store::AwsStore, vault::AwsVault};

/// DynamoDB, SQS, Secrets Manager and KMS.
#[derive(Clone)]
pub struct AwsPlatform {
    store: AwsStore,
    queue: AwsQueue,
    vault: AwsVault,
}

/// What the platform stands on.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Part of the secrets' names and of the data keys' context.
    pub stage: String,
    pub table: String,
    /// The ARN of the KMS key that wraps data keys.
    pub data_key: String,
    pub queues: BTreeMap<QueueName, String>,
}

impl AwsPlatform {
    pub fn new(sdk: &SdkConfig, resources: Resources, clock: Clock) -> Self {
        let secrets = aws_sdk_secretsmanager::Client::new(sdk);
        let kms = aws_sdk_kms::Client::new(sdk);
        Self {
            store: AwsStore::new(aws_sdk_dynamodb::Client::new(sdk), &resources.table, clock.clone()),
            queue: AwsQueue::new(aws_sdk_sqs::Client::new(sdk), resources.queues),
            vault: AwsVault::new(secrets, kms, &resources.stage, &resources.data_key, clock),
        }
    }
}

impl AwsPlatform {
    /// Asks the table for a row that there is not, so that the connection is open when somebody waits for it.
    pub(crate) async fn open_connection(&self) -> Result<(), PlatformError> {
        self.store.hook_owner("").await.map(drop)
    }
}

impl Platform for AwsPlatform {
    type Store = AwsStore;
    type Queue = AwsQueue;
    type Vault = AwsVault;

    fn store(&self) -> &AwsStore {
        &self.store
    }

    fn queue(&self) -> &AwsQueue {
        &self.queue
    }

    fn vault(&self) -> &AwsVault {
        &self.vault
    }
}
