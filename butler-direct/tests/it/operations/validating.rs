//! Whether configurations suit what is in a repository.

use butler_core::config::Config;
use butler_core::datasets::DatasetType;
use butler_core::registry::RegistryWriter;
use butler_direct::DirectButler;

use super::fixture::{Place, dataset_type};
use crate::registry::fixture::add_instruments;

/// A repository with the dataset type `image` and an instrument, and this section of a datastore.
async fn repository(place: &Place, section: &str) -> DirectButler {
    let config = Config::from_yaml(section).unwrap();
    let butler = place.create_with(config, None).await;
    add_instruments(butler.registry()).await;
    let image: DatasetType = dataset_type(&butler, "image", &["exposure", "detector"]);
    butler
        .registry()
        .register_dataset_type(&image)
        .await
        .unwrap();
    butler
}

async fn faults(section: &str, names: &[&str], ignore: &[&str]) -> Vec<String> {
    let place = Place::sqlite();
    let butler = repository(&place, section).await;
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let (names, ignore) = (owned(names), owned(ignore));
    let found = butler.validate_configuration(&names, &ignore).await;
    found.unwrap()
}

/// A template under a key.
fn template(key: &str, text: &str) -> String {
    format!("datastore: {{templates: {{{key}: '{text}'}}}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_must_name_all_dimensions() {
    let section = template("image", "{run}/{exposure}");
    let found = faults(&section, &["image"], &[]).await;
    assert!(!found.is_empty());
    assert!(
        found.iter().all(|fault| fault.contains("detector")),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_for_one_instrument_are_checked_with_it() {
    let good = "{run}/{instrument}/{exposure}/{detector}";
    let section = format!(
        "datastore: {{templates: {{instrument<Cam1>: {{image: '{{run}}/{{exposure}}'}}, image: '{good}'}}}}"
    );
    let found = faults(&section, &["image"], &[]).await;
    assert_eq!(found.len(), 1, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_must_mean_something() {
    let section = template("picture", "{run}/{instrument}/{detector}");
    let found = faults(&section, &[], &[]).await;
    assert!(
        found.iter().any(|fault| fault.contains("'picture'")),
        "{found:?}"
    );
    let without = faults(&section, &[], &["picture"]).await;
    assert_eq!(without.len(), found.len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_must_name_instruments_that_exist() {
    let section = "datastore: {templates: {instrument<Cam9>: {image: '{run}/{instrument}/{exposure}/{detector}'}}}";
    let found = faults(section, &["image"], &[]).await;
    assert!(
        found.iter().any(|fault| fault.contains("Cam9")),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_configuration_has_no_faults() {
    assert_eq!(faults("{}", &["image"], &[]).await, Vec::<String>::new());
}
