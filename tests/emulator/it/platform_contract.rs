//! The AWS platform put through the contract, each row over a table, queues and a key of its own.

use std::{collections::BTreeMap, sync::Arc};

use aws::{AwsPlatform, Resources};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::{
    config::Credentials,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType,
    },
};
use contract::Stand;
use domain::jobs::QueueName;
use jiff::Timestamp;
use uuid::Uuid;

contract::suite!(crate::platform_contract::AwsStand);

struct AwsStand {
    platform: AwsPlatform,
}

impl Stand for AwsStand {
    type Platform = AwsPlatform;

    async fn new() -> anyhow::Result<Self> {
        let sdk = sdk().await;
        let name = format!("contract-{}", Uuid::new_v4());
        create_table(&sdk, &name).await?;
        let resources = Resources {
            stage: name.clone(),
            table: name.clone(),
            data_key: create_key(&sdk).await?,
            queues: create_queues(&sdk, &name).await?,
        };
        Ok(Self { platform: AwsPlatform::new(&sdk, resources, Arc::new(Timestamp::now)) })
    }

    fn platform(&self) -> &AwsPlatform {
        &self.platform
    }
}

async fn sdk() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(crate::emulator::shared().await.endpoint())
        .load()
        .await
}

/// As in template.yaml.
async fn create_table(sdk: &SdkConfig, name: &str) -> anyhow::Result<()> {
    let indexes = [
        ("list-1", "p1", "s1"),
        ("list-2", "p2", "s2"),
        ("list-3", "p3", "s3"),
        ("list-4", "p4", "s4"),
        ("list-5", "p5", "s5"),
        ("due", "pd", "sd"),
    ];
    let mut create = aws_sdk_dynamodb::Client::new(sdk)
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(schema("pk", "sk")?));
    for (_, partition, sort) in [("", "pk", "sk")].iter().chain(&indexes) {
        for attribute in [partition, sort] {
            let kind = AttributeDefinition::builder().attribute_type(ScalarAttributeType::S);
            create = create.attribute_definitions(kind.attribute_name(*attribute).build()?);
        }
    }
    for (index, partition, sort) in indexes {
        let keys = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(index)
            .set_key_schema(Some(schema(partition, sort)?))
            .projection(keys);
        create = create.global_secondary_indexes(index.build()?);
    }
    create.send().await?;
    Ok(())
}

fn schema(partition: &str, sort: &str) -> anyhow::Result<Vec<KeySchemaElement>> {
    let element = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![element(partition, KeyType::Hash)?, element(sort, KeyType::Range)?])
}

async fn create_key(sdk: &SdkConfig) -> anyhow::Result<String> {
    let created = aws_sdk_kms::Client::new(sdk).create_key().send().await?;
    let key = created.key_metadata.and_then(|key| key.arn);
    key.ok_or_else(|| anyhow::anyhow!("KMS did not say which key it made"))
}

async fn create_queues(sdk: &SdkConfig, name: &str) -> anyhow::Result<BTreeMap<QueueName, String>> {
    let sqs = aws_sdk_sqs::Client::new(sdk);
    let mut queues = BTreeMap::new();
    for queue in QueueName::ALL {
        let created = sqs.create_queue().queue_name(format!("{name}-{}", queue.as_str())).send().await?;
        queues.insert(queue, created.queue_url.ok_or_else(|| anyhow::anyhow!("SQS did not say where the queue is"))?);
    }
    Ok(queues)
}
