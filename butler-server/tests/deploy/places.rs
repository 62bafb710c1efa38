//! Small repositories to serve.

use std::path::Path;

use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::DatasetType;
use butler_core::environment::Environment;
use butler_core::registry::RegistryWriter as _;
use butler_direct::DirectButler;
use butler_direct::ops::create::CreateOptions;
use butler_direct::resource::Resources;
use butler_tests::postgres::TestSchema;
use butler_tests::s3::S3Server;
use serde_json::json;
use uuid::Uuid;

/// The bucket of repositories whose files are in S3.
pub(crate) const BUCKET: &str = "data";

/// Makes a repository with one dataset without dimensions, `note`, and gives its ID.
///
/// The database is the one of `url`, in the schema, or a file; the dataset's file is in S3 or beside it.
pub(crate) async fn repository(
    root: &Path,
    database: Option<(&TestSchema, &str)>,
    objects: Option<&S3Server>,
) -> Uuid {
    let mut config = Config::new();
    if let Some((schema, url)) = database {
        config.set(".registry.db", url).unwrap();
        config.set(".registry.namespace", schema.name()).unwrap();
    }
    let mut resources = Resources::default();
    if let Some(objects) = objects {
        let files = format!("s3://{BUCKET}/files/");
        config.set(".datastore.root", files.as_str()).unwrap();
        let environment = Environment::fixed(objects.environment());
        resources = Resources::builder().environment(environment).build();
    }
    let options = CreateOptions {
        config,
        keep_roots: objects.is_some(),
        resources: Some(resources),
        ..CreateOptions::default()
    };
    let butler = DirectButler::create(root.to_str().unwrap(), options);
    let butler = butler.await.unwrap();
    let registry = butler.registry();
    let group = butler.universe().conform([] as [&str; 0]).unwrap();
    let note = DatasetType::new("note", group, "StructuredDataDict", false).unwrap();
    registry.register_dataset_type(&note).await.unwrap();
    let run = registry.register_collection("notes", CollectionType::Run, None);
    run.await.unwrap();
    let nothing: [(&str, i64); 0] = [];
    let content = json!({ "text": "hidden in plain sight" });
    let put = butler.put(content, "note", nothing, Some("notes"));
    let note = put.await.unwrap().id();
    butler.close().await;
    note
}
