//! Kafka as tests use it.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::Offset;
use rdkafka::{ClientConfig, TopicPartitionList};

/// The longest that a broker may take.
const LIMIT: Duration = Duration::from_secs(120);

fn config(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config
}

/// Makes topics of one partition.
pub(crate) async fn create_topics(servers: &str, names: &[&str]) {
    let admin: AdminClient<DefaultClientContext> = config(servers).create().unwrap();
    let topics: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(1)))
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(LIMIT));
    for made in admin.create_topics(&topics, &options).await.unwrap() {
        made.unwrap();
    }
}

/// Sends messages, and waits until the broker has them.
pub(crate) fn send(servers: &str, topic: &str, messages: impl IntoIterator<Item = impl ToString>) {
    let producer: ThreadedProducer<DefaultProducerContext> = config(servers).create().unwrap();
    for message in messages {
        let text = message.to_string();
        producer
            .send(BaseRecord::<(), str>::to(topic).payload(&text))
            .map_err(|(error, _)| error)
            .unwrap();
    }
    producer.flush(LIMIT).unwrap();
}

/// Sends messages in a transaction, which is then committed or not.
pub(crate) fn send_in_transaction(servers: &str, topic: &str, messages: &[&str], commit: bool) {
    let producer: ThreadedProducer<DefaultProducerContext> = config(servers)
        .set("transactional.id", butler_tests::kafka::unique("sender"))
        .create()
        .unwrap();
    producer.init_transactions(LIMIT).unwrap();
    producer.begin_transaction().unwrap();
    for message in messages {
        producer
            .send(BaseRecord::<(), str>::to(topic).payload(message))
            .map_err(|(error, _)| error)
            .unwrap();
    }
    producer.flush(LIMIT).unwrap();
    match commit {
        true => producer.commit_transaction(LIMIT).unwrap(),
        false => producer.abort_transaction(LIMIT).unwrap(),
    }
}

/// All messages of a topic of one partition that a reader of committed ones sees.
pub(crate) async fn read_all(servers: &str, topic: &str) -> Vec<OwnedMessage> {
    let mut config = config(servers);
    config
        .set("group.id", "nobody")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true");
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.create().unwrap();
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(&topic, 0, Offset::Beginning)
            .unwrap();
        consumer.assign(&from).unwrap();
        let begun = Instant::now();
        let mut messages = Vec::new();
        loop {
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => messages.push(message.detach()),
                Some(Err(KafkaError::PartitionEOF(_))) => return messages,
                Some(Err(_)) | None => assert!(begun.elapsed() < LIMIT, "no end of {topic}"),
            }
        }
    })
    .await
    .unwrap()
}
