//! Opening repositories: attributes, read-only access, namespaces, versions of the schema.

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::error::Error;
use butler_core::registry::{CollectionQuery, InsertMode, Registry, RegistryWriter};
use butler_direct::db::{Access, ConnectOptions, Database, Dialect, Location};
use butler_direct::registry::SqlRegistry;
use butler_direct::registry::versions::{SchemaVersions, Version};

use super::fixture::{
    Repository, add_calibrations, add_observations, bias, data_id, dataset_type, detector, element,
    find, names, new_ref, record, register, storage_classes, universe,
};
use super::{assert_error, behaviours};

async fn attributes_are_set_once(repository: &Repository) {
    let registry = &repository.registry;
    registry
        .set_attribute("name", "value", false)
        .await
        .unwrap();
    let message = assert_error!(
        registry.set_attribute("name", "other", false).await,
        ConflictingDefinition
    );
    assert!(message.contains("name"), "{message}");
    assert_eq!(registry.attributes().await.unwrap()["name"], "value");
    registry.set_attribute("name", "other", true).await.unwrap();
    assert_eq!(registry.attributes().await.unwrap()["name"], "other");
}

async fn attributes_are_not_empty(repository: &Repository) {
    let registry = &repository.registry;
    assert_error!(
        registry.set_attribute("", "value", false).await,
        InvalidArgument
    );
    assert_error!(
        registry.set_attribute("name", "", true).await,
        InvalidArgument
    );
}

async fn a_repository_describes_itself(repository: &Repository) {
    let attributes = repository.registry.attributes().await.unwrap();
    assert!(attributes.contains_key("config:dimensions.json"));
    let datasets = attributes
        .iter()
        .find(|(name, _)| {
            name.starts_with("version:") && name.ends_with("DatasetRecordStorageManagerUUID")
        })
        .unwrap();
    assert_eq!(datasets.1, "2.0.0");
    let opened = repository.another().await;
    assert_eq!(opened.universe(), universe());
    assert_eq!(opened.versions(), repository.registry.versions());
}

async fn a_second_repository_in_the_same_place_is_refused(repository: &Repository) {
    let database = repository.registry.database().clone();
    let versions = SchemaVersions::newest();
    let again = SqlRegistry::create(database, universe(), &versions, storage_classes()).await;
    assert_error!(again, ConflictingDefinition);
}

async fn an_unsupported_version_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    let attributes = registry.attributes().await.unwrap();
    let key = attributes
        .keys()
        .find(|name| {
            name.starts_with("version:") && name.ends_with("DatasetRecordStorageManagerUUID")
        })
        .unwrap();
    registry.set_attribute(key, "9.1.2", true).await.unwrap();
    let message = assert_error!(
        SqlRegistry::open(registry.database().clone(), storage_classes()).await,
        UnsupportedVersion
    );
    assert!(
        message.contains("9.1.2") && message.contains("2.0.0"),
        "{message}"
    );
}

async fn an_unknown_manager_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    let name = "config:registry.managers.datasets";
    let class = "somebody.elses.Manager";
    registry.set_attribute(name, class, true).await.unwrap();
    let message = assert_error!(
        SqlRegistry::open(registry.database().clone(), storage_classes()).await,
        UnsupportedVersion
    );
    assert!(message.contains(class), "{message}");
}

behaviours!(
    attributes_are_set_once,
    attributes_are_not_empty,
    a_repository_describes_itself,
    a_second_repository_in_the_same_place_is_refused,
    an_unsupported_version_is_refused,
    an_unknown_manager_is_refused,
);

/// Every way to write is refused, and every way to read works.
async fn read_only_access_only_reads(repository: &Repository) {
    let all = add_calibrations(&repository.registry).await;
    let database = repository
        .connect(&repository.options(Access::ReadOnly))
        .await;
    let registry = SqlRegistry::open(database, storage_classes())
        .await
        .unwrap();
    assert_eq!(
        find(&registry, "bias", &detector(1), &["imported_g"]).await,
        Some(all.g(1).id())
    );
    let cam = record("instrument", [("name", "Cam3".into())]);
    let refused = |result: butler_core::error::Result<()>| {
        assert!(matches!(result, Err(Error::ReadOnly(_))), "{result:?}");
    };
    refused(
        registry
            .register_collection("x", CollectionType::Run, None)
            .await
            .map(|_| ()),
    );
    refused(registry.remove_collection("imported_g").await);
    refused(registry.register_dataset_type(&bias()).await.map(|_| ()));
    refused(
        registry
            .insert_dimension_records(element("instrument"), &[cam], InsertMode::Insert)
            .await,
    );
    refused(registry.import_datasets(&all.g).await);
    refused(registry.set_attribute("a", "b", false).await);
    refused(registry.begin().await.map(|_| ()));
}

#[tokio::test]
async fn read_only_access_to_sqlite_only_reads() {
    read_only_access_only_reads(&Repository::sqlite_file().await).await;
}

#[tokio::test]
async fn read_only_access_to_postgres_only_reads() {
    read_only_access_only_reads(&Repository::postgres().await).await;
}

#[tokio::test]
async fn a_missing_sqlite_file_is_not_created_by_reading() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("absent.sqlite3");
    let location = Location::SqliteFile(path.clone());
    let options = ConnectOptions::new(Access::ReadOnly, 1);
    assert!(Database::connect_with(&location, &options).await.is_err());
    assert!(!path.exists());
}

#[tokio::test]
async fn namespaces_are_kept_apart() {
    let (one, two) = (Repository::postgres().await, Repository::postgres().await);
    register(&one.registry, "only here", CollectionType::Run).await;
    two.registry.register_dataset_type(&bias()).await.unwrap();
    let query = CollectionQuery::new(CollectionWildcard::everything());
    assert_eq!(one.registry.collections(&query).await.unwrap().len(), 1);
    assert!(two.registry.collections(&query).await.unwrap().is_empty());
    assert_error!(one.registry.dataset_type("bias").await, MissingDatasetType);
    // Registering it here creates tables of the same names, but other ones.
    one.registry.register_dataset_type(&bias()).await.unwrap();
}

#[tokio::test]
async fn an_empty_namespace_holds_no_repository() {
    let schema = butler_tests::postgres::TestSchema::new();
    let location = Location::Postgres(schema.url().to_owned());
    let database = Database::connect(&location, Some(schema.name()), Access::ReadWrite, 1)
        .await
        .unwrap();
    let message = assert_error!(
        SqlRegistry::open(database, storage_classes()).await,
        Configuration
    );
    assert!(message.contains(schema.name()), "{message}");
}

/// The tables of dataset manager 1.0.0 keep ingest dates as timestamps.
async fn old_dataset_tables_are_read_and_written(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    // Once more, for the path of datasets that are there already.
    let new = new_ref(&bias(), detector(4), "imported_g");
    let given = [all.g(1).clone(), new.clone()];
    registry.import_datasets(&given).await.unwrap();
    assert_eq!(registry.dataset(new.id()).await.unwrap(), Some(new));
    let expression = match registry.database().dialect() {
        Dialect::Postgres => "EXTRACT(EPOCH FROM ingest_date)::bigint",
        Dialect::Sqlite => "CAST(strftime('%s', ingest_date) AS INTEGER)",
    };
    let sql = format!(
        "SELECT {expression} FROM {}",
        registry.database().table("dataset")
    );
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let dates = super::fixture::integers(registry, &sql).await;
    assert_eq!(dates.len(), 7);
    assert!(
        dates.iter().all(|date| (now - date).abs() < 600),
        "{dates:?} around {now}"
    );
    let opened = SqlRegistry::open(registry.database().clone(), storage_classes())
        .await
        .unwrap();
    assert!(!opened.versions().ingest_date_is_tai());
    let found = opened
        .find_dataset("bias", &detector(2), &names(["imported_g"]), None)
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(all.g(2)));
}

fn old_datasets() -> SchemaVersions {
    SchemaVersions::newest()
        .with_datasets(Version::new(1, 0, 0))
        .unwrap()
}

#[tokio::test]
async fn old_dataset_tables_of_sqlite_are_read_and_written() {
    let repository = Repository::sqlite_file_with(&old_datasets()).await;
    old_dataset_tables_are_read_and_written(&repository).await;
}

#[tokio::test]
async fn old_dataset_tables_of_postgres_are_read_and_written() {
    let repository = Repository::postgres_with(&old_datasets()).await;
    old_dataset_tables_are_read_and_written(&repository).await;
}

#[test]
fn a_version_that_is_not_handled_is_not_created() {
    let message = assert_error!(
        SchemaVersions::newest().with_datasets(Version::new(3, 0, 0)),
        UnsupportedVersion
    );
    assert!(message.contains("3.0.0") && message.contains("2.0.0"));
}

#[tokio::test]
async fn an_older_universe_is_used_as_it_is() {
    let database = Database::connect(&Location::SqliteMemory, None, Access::ReadWrite, 1)
        .await
        .unwrap();
    let old = butler_core::dimensions::DimensionUniverse::builtin(6).unwrap();
    let versions = SchemaVersions::newest();
    SqlRegistry::create(database.clone(), old, &versions, storage_classes())
        .await
        .unwrap();
    let registry = SqlRegistry::open(database, storage_classes())
        .await
        .unwrap();
    assert_eq!(registry.universe(), old);
    // Dataset types of another universe do not fit.
    assert_error!(
        registry.register_dataset_type(&bias()).await,
        InconsistentUniverse
    );
}

#[tokio::test]
async fn a_repository_lives_on_in_its_file() {
    let repository = Repository::sqlite_file().await;
    let all = add_calibrations(&repository.registry).await;
    add_observations(&repository.registry).await;
    repository.registry.database().close().await;
    assert!(repository.file().exists());
    let registry = repository.another().await;
    assert_eq!(
        registry.dataset(all.g(1).id()).await.unwrap().as_ref(),
        Some(all.g(1))
    );
    let raw = dataset_type("raw", &["exposure"], "ExposureF", false);
    registry.register_dataset_type(&raw).await.unwrap();
    let id = data_id([("instrument", "Cam1".into()), ("exposure", 1.into())]);
    registry
        .import_datasets(&[new_ref(&raw, id, "imported_g")])
        .await
        .unwrap();
}
