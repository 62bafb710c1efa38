//! The state database: how far each dataset is on its way.
//!
//! On PostgreSQL, or in a SQLite file for trial. Steps of the service share nothing else.

mod audit;
mod backlog;
mod census;
mod database;
mod datasets;
mod deliveries;
mod holds;
mod lock;
mod models;
mod ready;
mod record;
mod releases;
mod step;
mod tasks;
mod unknown;
mod visits;

pub use audit::AuditEntry;
pub use backlog::Backlog;
pub use census::{Night, Troubles};
pub use database::{State, StateLocation};
pub use deliveries::{Delivery, DeliveryCounts};
pub use lock::InstanceLock;
pub use models::{DatasetState, NewDataset, Origin, RepositoryName, Status, Times};
pub use record::Problem;
pub use releases::{ListedHour, Release};
pub use step::Step;
pub use tasks::{RunReport, TaskHour, TaskState};
pub use unknown::{InputFile, UnknownDataset};
pub use visits::VisitState;
