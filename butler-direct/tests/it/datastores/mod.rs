//! How a datastore behaves, wherever it keeps its datasets.
//!
//! Each behaviour is an async function over a [`Store`](fixture::Store); the macros make a test of
//! it for each kind of datastore and each database of the registry.

mod caching;
mod chain;
mod deleting;
mod fixture;
mod ingesting;
mod putting;
mod retrieving;
mod safety;
mod whole;

/// Makes tests of behaviours: of those that every datastore has, and of those that need files.
macro_rules! behaviours {
    (all: [$($all:ident),* $(,)?], files: [$($files:ident),* $(,)?] $(,)?) => {
        mod sqlite {
            crate::datastores::behaviours!(@database Sqlite, [$($all),*], [$($files),*]);
        }
        mod postgres {
            crate::datastores::behaviours!(@database Postgres, [$($all),*], [$($files),*]);
        }
    };
    (@database $database:ident, [$($all:ident),*], [$($files:ident),*]) => {
        crate::datastores::behaviours!(@kind $database memory: $($all),*);
        crate::datastores::behaviours!(@kind $database posix: $($all,)* $($files),*);
        crate::datastores::behaviours!(@kind $database s3: $($all,)* $($files),*);
        crate::datastores::behaviours!(@kind $database chained: $($all,)* $($files),*);
    };
    (@kind $database:ident $kind:ident: $($name:ident),* $(,)?) => {
        mod $kind {
            $(
                #[tokio::test]
                async fn $name() {
                    let store = crate::datastores::fixture::Database::$database.$kind().await;
                    super::super::$name(&store).await;
                }
            )*
        }
    };
}
pub(crate) use behaviours;

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
