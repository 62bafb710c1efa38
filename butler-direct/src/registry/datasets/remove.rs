//! Removing datasets from the registry.

use butler_core::error::{Error, Result};
use uuid::Uuid;

use crate::db::{Param, Session, SqlErrorKind};
use crate::registry::context::Context;

/// IDs removed by one statement.
const BATCH: usize = 50_000;

impl Context {
    /// Removes datasets and all their memberships; IDs that are not known are passed over. The
    /// session must be a transaction.
    ///
    /// # Errors
    /// [`Error::OrphanedRecord`] when a datastore still stores one of them.
    pub(in crate::registry) async fn remove_datasets(
        &self,
        session: &mut Session,
        ids: &[Uuid],
    ) -> Result<u64> {
        let sql = format!(
            "DELETE FROM {} WHERE {}",
            self.database.table("dataset"),
            self.database.in_ids("id", 1)
        );
        let mut removed = 0;
        for batch in ids.chunks(BATCH) {
            match session
                .try_execute(&sql, &[Param::Uuids(batch.to_vec())])
                .await
            {
                Ok(count) => removed += count,
                Err(error) if error.kind == SqlErrorKind::ForeignKey => {
                    return Err(Error::OrphanedRecord(
                        "One or more datasets is still present in one or more datastores; unstore \
                         them first."
                            .to_owned(),
                    ));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(removed)
    }
}
