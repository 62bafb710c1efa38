//! Repositories for interoperability tests, made by either implementation on either database.

use std::path::{Path, PathBuf};
use std::process::Command;

use butler_core::config::Config;
use butler_direct::ops::create::CreateOptions;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::postgres::TestSchema;
use butler_tests::python::{Script, interpreter};
use serde_json::Value;
use tempfile::TempDir;

use crate::dump;

/// The files of the reference's `registry_data`, in an order in which they do not conflict.
pub(crate) const REGISTRY_DATA: [&str; 7] = [
    "base.yaml",
    "datasets.yaml",
    "spatial.yaml",
    "ci_hsc-subset.yaml",
    "ci_hsc-subset-skymap.yaml",
    "hsc-rc2-subset-v0.yaml",
    "lsstcam-subset.yaml",
];

/// A place for a repository: a directory, and a schema if it is to be on PostgreSQL.
pub(crate) struct Place {
    dir: TempDir,
    schema: Option<TestSchema>,
    names_as_keys: bool,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            schema: None,
            names_as_keys: false,
        }
    }

    pub(crate) fn postgres() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            schema: Some(TestSchema::new()),
            names_as_keys: false,
        }
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    /// As [`both`](Self::both), for repositories whose tables refer to collections by name.
    pub(crate) fn both_with_names_as_keys() -> [Self; 2] {
        Self::both().map(|place| Self {
            names_as_keys: true,
            ..place
        })
    }

    /// Places for repositories of every kind.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::both()
            .into_iter()
            .chain(Self::both_with_names_as_keys())
    }

    /// The repository's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    /// A directory beside the repository.
    pub(crate) fn outside(&self) -> &Path {
        self.dir.path()
    }

    /// Whether repositories here refer to collections by name.
    pub(crate) fn names_as_keys(&self) -> bool {
        self.names_as_keys
    }

    pub(crate) fn schema(&self) -> Option<&TestSchema> {
        self.schema.as_ref()
    }

    /// What a configuration must say for the repository to be here.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        if let Some(schema) = &self.schema {
            config.set(".registry.db", schema.url()).unwrap();
            config.set(".registry.namespace", schema.name()).unwrap();
        }
        if self.names_as_keys {
            let manager = "lsst.daf.butler.registry.collections.nameKey.NameKeyCollectionManager";
            config
                .set(".registry.managers.collections", manager)
                .unwrap();
        }
        config
    }

    /// Makes a repository with the library.
    pub(crate) async fn create(&self) -> DirectButler {
        let options = CreateOptions {
            config: self.config(),
            keep_roots: true,
            ..CreateOptions::default()
        };
        DirectButler::create(self.root().to_str().unwrap(), options)
            .await
            .unwrap()
    }

    /// Makes and fills a repository with the reference.
    pub(crate) fn create_by_reference(&self, arguments: &[&str]) -> Value {
        self.reference_script(arguments).run()
    }

    /// The script by which the reference makes and fills a repository.
    pub(crate) fn reference_script(&self, arguments: &[&str]) -> Script {
        let mut script = Script::new("make_repo.py").arg(self.root());
        if let Some(schema) = &self.schema {
            script = script.args(["--db", schema.url(), "--namespace", schema.name()]);
        }
        if self.names_as_keys {
            script = script.args(["--collections", "names"]);
        }
        script.args(arguments)
    }

    /// Opens the repository for writing.
    pub(crate) async fn open(&self) -> DirectButler {
        DirectButler::open(self.root().to_str().unwrap(), OpenOptions::writeable())
            .await
            .unwrap()
    }

    /// Lets the reference do the steps of `write_repo.py`.
    pub(crate) fn write_by_reference(&self, steps: &Value) -> Value {
        Script::new("write_repo.py")
            .arg(self.root())
            .input(steps)
            .run()
    }

    /// What the reference says is in the repository, files included.
    pub(crate) fn dump_files_by_reference(&self) -> Value {
        Script::new("dump_repo.py").arg(self.root()).run()
    }

    /// What the reference says is in the repository, without files.
    pub(crate) fn dump_by_reference(&self) -> Value {
        Script::new("dump_repo.py")
            .arg(self.root())
            .args(["--skip", "files"])
            .run()
    }

    /// The database's schema, as the reference's tools see it.
    pub(crate) fn tables(&self) -> Value {
        let script = Script::new("dump_schema.py");
        let script = match &self.schema {
            Some(schema) => script.args([schema.url(), "--namespace", schema.name()]),
            None => script.arg(format!("sqlite:///{}/gen3.sqlite3", self.root().display())),
        };
        script.run()
    }

    /// What the library says is in the repository, without files.
    pub(crate) async fn dump(&self) -> Value {
        let root = self.root();
        let butler = DirectButler::open(root.to_str().unwrap(), OpenOptions::default())
            .await
            .unwrap();
        let found = dump::registry(&butler).await;
        butler.close().await;
        found
    }
}

/// The path of a file of the reference's `registry_data`.
pub(crate) fn registry_data(name: &str) -> String {
    let program = "import os, lsst.daf.butler as b; print(os.path.dirname(b.__file__))";
    let output = Command::new(interpreter())
        .args(["-W", "ignore", "-c", program])
        .output()
        .unwrap();
    let package = String::from_utf8(output.stdout).unwrap();
    format!("{}/tests/registry_data/{name}", package.trim())
}

/// The document without what depends on when the repository was made, and without the universe's
/// document, whose descriptions are each implementation's own.
pub(crate) fn timeless(mut document: Value) -> Value {
    document["attributes"]
        .as_object_mut()
        .unwrap()
        .remove("config:dimensions.json");
    for dataset in document["datasets"].as_array_mut().unwrap() {
        dataset.as_object_mut().unwrap().remove("ingest_date");
    }
    document
}
