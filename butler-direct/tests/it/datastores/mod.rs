//! How a datastore behaves, wherever it keeps its datasets.
//!
//! Each behaviour is an async function over a [`Store`](fixture::Store); the macros make a test of
//! it for each kind of datastore.

mod caching;
mod chain;
mod deleting;
mod fixture;
mod ingesting;
mod putting;
mod retrieving;
mod safety;

/// Makes tests of behaviours: of those that every datastore has, and of those that need files.
macro_rules! behaviours {
    (all: [$($all:ident),* $(,)?], files: [$($files:ident),* $(,)?] $(,)?) => {
        crate::datastores::behaviours!(@kind memory: $($all),*);
        crate::datastores::behaviours!(@kind posix: $($all,)* $($files),*);
        crate::datastores::behaviours!(@kind s3: $($all,)* $($files),*);
        crate::datastores::behaviours!(@kind chained: $($all,)* $($files),*);
    };
    (@kind $kind:ident: $($name:ident),* $(,)?) => {
        mod $kind {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(&crate::datastores::fixture::Store::$kind().await).await;
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
