//! How a registry behaves, whatever database it is in.
//!
//! Each behaviour is an async function over a [`Repository`](fixture::Repository); the macro
//! [`behaviours`] makes a test of it for each database. SQLite is in memory there, with a single
//! connection, so that an operation that wants a second one while it holds the first never ends.

mod access;
mod calibrations;
mod chains;
mod collections;
mod concurrency;
mod dataset_types;
mod datasets;
mod dimensions;
mod expansion;
mod find;
pub(crate) mod fixture;
mod import;
mod limits;
mod locations;
mod query_errors;
mod rebuild;
mod references;
mod round_trips;
mod summaries;
mod tagged;
mod transactions;
mod trash;

/// Makes tests of behaviours: one per database and function.
macro_rules! behaviours {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(&crate::registry::fixture::Repository::sqlite().await).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(&crate::registry::fixture::Repository::postgres().await).await;
                }
            )+
        }
    };
}
pub(crate) use behaviours;

/// As [`behaviours`], for what touches the tables that refer to collections: also with repositories
/// in which they do so by name.
macro_rules! collection_behaviours {
    ($($name:ident),+ $(,)?) => {
        crate::registry::behaviours! { $($name),+ }
        mod sqlite_with_names_as_keys {
            $(
                #[tokio::test]
                async fn $name() {
                    use crate::registry::fixture::{Repository, names_as_keys};
                    super::$name(&Repository::sqlite_with(&names_as_keys()).await).await;
                }
            )+
        }
        mod postgres_with_names_as_keys {
            $(
                #[tokio::test]
                async fn $name() {
                    use crate::registry::fixture::{Repository, names_as_keys};
                    super::$name(&Repository::postgres_with(&names_as_keys()).await).await;
                }
            )+
        }
    };
}
pub(crate) use collection_behaviours;

/// Asserts that a result is an error of the given variant, and gives its message.
macro_rules! assert_error {
    ($result:expr, $variant:ident) => {{
        let error = $result.expect_err(concat!("an error ", stringify!($variant)));
        assert!(
            matches!(error, butler_core::error::Error::$variant { .. }),
            "expected {}, got {error:?}",
            stringify!($variant)
        );
        error.to_string()
    }};
}
pub(crate) use assert_error;
