//! A repository behind a server is the same as without one, whichever server that is.
//!
//! Every way to read is asked both ways, of the server of this workspace and of the reference's:
//!
//! | | methods | in |
//! |---|---|---|
//! | `Registry` | `universe`, `dataset_type(s)`, `collections`, `collection_summary`, `find_dataset`, `dataset(s)`, `expand_data_ids`, `dimension_records`, `associations` | `registry` |
//! | `Butler` | `with_defaults`, `find_dataset` with defaults | `registry` |
//! | `Butler` | `dataset`, `find_dataset`, `require_dataset`, `rewrite_data_id`, `expand_data_id` | `lookups` |
//! | `Butler` | `query_data_ids`, `query_dimension_records`, `query_datasets`, `query_all_datasets` | `queries::simple` |
//! | `Query` | `join_…`, `where_`, `materialize`, `data_ids`, `data_ids_of`, `datasets`, `all_datasets`, `dimension_records`, `general`, `any`, `explain_no_results`, `dataset_types_in` | `queries::in_steps`, `queries::random` |
//! | `QueryResults` | `collect`, `stream`, `pages`, `where_`, `order_by`, `limit`, `count`, `any`, `explain_no_results`, `with_dimension_records`, `dataset_type`, `data_ids` | `queries::in_steps` |
//! | `Butler`, `Datastore` | `uris`, `exists`, `stored_many`, `knows`, `files`, `get_bytes` | `files` |
//! | `RemoteButler` | `get_json`, `get_yaml`, `get_table`, `get_schema`, `get_file`, `retrieve_artifacts` | `files` |
//! | `TransferSource` | `dimension_records_with` | `lookups` |
//! | `TransferSource` | `files`, transfers as a whole | `transfers` |
//!
//! What only a direct repository has is refused: records of datastores, and addresses of datasets
//! that are not there.

mod files;
mod lookups;
mod opening;
mod queries;
mod registry;
mod served;
mod transfers;

use butler_tests::server::Program;

/// What two ways to ask the same gave.
#[derive(Default)]
pub(crate) struct Differences(Vec<String>);

impl Differences {
    /// Notes the question if the answers differ.
    pub(crate) fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        question: impl std::fmt::Display,
        direct: butler_core::Result<T>,
        remote: butler_core::Result<T>,
    ) {
        let same = match (&direct, &remote) {
            (Ok(direct), Ok(remote)) => direct == remote,
            (Err(direct), Err(remote)) => {
                std::mem::discriminant(direct) == std::mem::discriminant(remote)
            }
            _ => false,
        };
        if !same {
            let short = |text: String| text.chars().take(600).collect::<String>();
            self.0.push(format!(
                "{question}:\n  direct: {}\n  remote: {}",
                short(format!("{direct:?}")),
                short(format!("{remote:?}"))
            ));
        }
    }

    pub(crate) fn note(&mut self, what: String) {
        self.0.push(what);
    }

    /// # Panics
    /// If there were any.
    pub(crate) fn assert_none(self, about: &str) {
        assert!(self.0.is_empty(), "{about}:\n{}", self.0.join("\n"));
    }
}

/// Tests that are the same for all servers.
macro_rules! for_each_server {
    ($($name:ident => $check:path;)*) => {
        mod reference {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    $check(&Program::Reference).await;
                }
            )*
        }
        mod ours {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    $check(&Program::ours()).await;
                }
            )*
        }
    };
}

for_each_server! {
    registries_are_the_same => registry::are_the_same;
    lookups_are_the_same => lookups::are_the_same;
    simple_queries_have_the_same_answers => queries::simple;
    queries_in_steps_have_the_same_answers => queries::in_steps;
    random_queries_have_the_answers_of_the_reference => queries::random;
    files_are_the_same => files::are_the_same;
    artifacts_are_retrieved => files::retrieved;
    members_of_archives_are_read => files::in_archives;
    datasets_are_transferred => transfers::transferred;
    repositories_are_opened => opening::opened;
}
