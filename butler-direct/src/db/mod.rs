//! Access to PostgreSQL and SQLite: connections, transactions, DDL and bulk writes.

pub mod bulk;
mod connect;
pub mod database;
pub mod ddl;
pub mod dialect;
pub mod error;
pub mod keys;
pub mod names;
pub mod param;
mod postgres;
mod rebuild;
pub mod references;
pub mod row;
pub mod schema;
pub mod session;

pub(crate) use connect::ACQUIRE_TIMEOUT;
pub use connect::{Access, ConnectOptions, Location, SQLITE_BUSY_TIMEOUT};
pub use database::Database;
pub use dialect::Dialect;
pub(crate) use error::gave_way;
pub use error::{SqlError, SqlErrorKind, is_refused_value};
pub use param::Param;
pub use references::ReferenceChecks;
pub use row::Row;
pub use session::Session;
