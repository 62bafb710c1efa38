//! What the reference's workers tell, and what the reference finds then.

use std::path::Path;

use butler_pps::events::PromptProcessingOutput;
use butler_tests::python::Script;
use serde_json::{Value, json};

use super::fixture::{Embargo, copy_tree};
use crate::kafka::send;
use crate::observatory::dimensions;

fn describe(root: &Path) -> Value {
    Script::new("pp_output.py").arg("describe").arg(root).run()
}

async fn agree(embargo: Embargo) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("worker");
    let messages = Script::new("pp_output.py")
        .arg("make")
        .arg(&source)
        .arg(dimensions())
        .run();
    let messages = messages.as_array().unwrap();
    for message in messages {
        let read: PromptProcessingOutput = serde_json::from_value(message.clone()).unwrap();
        assert_eq!(&json!(read), message);
    }
    copy_tree(&source, &embargo.root(), &["gen3.sqlite3", "butler.yaml"]);
    send(&embargo.servers, &embargo.input(), messages);
    let _writer = embargo.spawn();
    let made = describe(&source);
    let count = made["datasets"].as_object().unwrap().len();
    assert_eq!(count, 20);
    embargo.wait_for_datasets(count).await;
    assert_eq!(describe(&embargo.root()), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_finds_what_its_workers_told_on_sqlite() {
    agree(Embargo::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_finds_what_its_workers_told_on_postgresql() {
    agree(Embargo::postgres().await).await;
}
