//! Being the repository that another takes datasets from.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::dimensions::{DataIdValue, DimensionElement, DimensionRecord};
use butler_core::registry::Registry;
use butler_core::transfer::{SourceFile, SourceReader, TransferSource};
use butler_core::wire::FileAuthentication;
use butler_core::{Error, Result};

use crate::butler::RemoteButler;
use crate::connection::Connection;
use crate::download;
use crate::files::{RemoteFile, permanent_files, usable};

/// Reads files by addresses that stay valid. Whenever a signed address behind one of them has
/// expired, the next request gets another.
#[derive(Debug)]
struct Reader {
    connection: Connection,
    auth: FileAuthentication,
}

#[async_trait]
impl SourceReader for Reader {
    async fn fetch(&self, uri: &str, size: Option<u64>, target: &Path) -> Result<()> {
        let file = RemoteFile::at(usable(uri)?, self.auth);
        download::to_path(&self.connection, file, size, target).await
    }
}

#[async_trait]
impl TransferSource for RemoteButler {
    fn registry(&self) -> &dyn Registry {
        Self::registry(self)
    }

    async fn dimension_records_with(
        &self,
        element: DimensionElement,
        dimensions: &[&str],
        keys: &[Vec<DataIdValue>],
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        Self::registry(self)
            .records_with(element, dimensions, keys)
            .await
    }

    async fn files(&self, datasets: &[DatasetRef]) -> Result<HashMap<DatasetId, Vec<SourceFile>>> {
        let connection = self.datastore().connection();
        let mut readers: HashMap<FileAuthentication, Arc<dyn SourceReader>> = HashMap::new();
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let mut found = HashMap::with_capacity(ids.len());
        for (id, files) in permanent_files(connection, &ids).await? {
            let files = files.into_iter().map(|file| {
                let reader = readers.entry(file.auth).or_insert_with(|| {
                    Arc::new(Reader {
                        connection: connection.clone(),
                        auth: file.auth,
                    })
                });
                Ok(SourceFile {
                    uri: file.url.to_string(),
                    // The server makes the paths of files outside of its datastore relative.
                    absolute: false,
                    reader: Some(Arc::clone(reader)),
                    info: file.info,
                })
            });
            found.insert(id, files.collect::<Result<_, Error>>()?);
        }
        Ok(found)
    }
}
