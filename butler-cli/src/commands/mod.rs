//! The sub-commands, each in a file of its own.

mod associate;
mod certify_calibrations;
mod collection_chain;
mod completions;
mod config_dump;
mod config_validate;
mod create;
mod data_id;
mod demo;
mod export;
mod export_calibs;
mod get;
mod import;
mod ingest_files;
mod ingest_zip;
mod prune_datasets;
mod query_collections;
mod query_data_ids;
mod query_dataset_types;
mod query_datasets;
mod query_dimension_records;
mod register_dataset_type;
mod remove_collections;
mod remove_dataset_type;
mod remove_runs;
mod retrieve_artifacts;
mod serve;
mod transfer_datasets;
mod transfer_from;

use clap::Subcommand;

use crate::failure::Outcome;
use crate::progress::Bars;

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create an empty repository
    Create(create::Create),
    /// Search for collections
    QueryCollections(query_collections::QueryCollections),
    /// Get the dataset types in a repository
    QueryDatasetTypes(query_dataset_types::QueryDatasetTypes),
    /// List the datasets in a repository
    QueryDatasets(query_datasets::QueryDatasets),
    /// List the data IDs in a repository
    QueryDataIds(query_data_ids::QueryDataIds),
    /// List dimension records
    QueryDimensionRecords(query_dimension_records::QueryDimensionRecords),
    /// Write the contents of a dataset to standard output or a file
    Get(get::Get),
    /// Bring the files of datasets to a directory
    RetrieveArtifacts(retrieve_artifacts::RetrieveArtifacts),
    /// Define or change a chain of collections
    CollectionChain(collection_chain::CollectionChain),
    /// Add datasets to a tagged collection
    Associate(associate::Associate),
    /// Make calibrations valid for a time
    CertifyCalibrations(certify_calibrations::CertifyCalibrations),
    /// Register a dataset type
    RegisterDatasetType(register_dataset_type::RegisterDatasetType),
    /// Remove dataset types of which there are no datasets
    RemoveDatasetType(remove_dataset_type::RemoveDatasetType),
    /// Remove collections other than runs
    RemoveCollections(remove_collections::RemoveCollections),
    /// Remove runs with all their datasets
    RemoveRuns(remove_runs::RemoveRuns),
    /// Remove datasets
    PruneDatasets(prune_datasets::PruneDatasets),
    /// Take files in that a table lists
    IngestFiles(ingest_files::IngestFiles),
    /// Take in a zip file made by retrieve-artifacts
    IngestZip(ingest_zip::IngestZip),
    /// Import an export file
    Import(import::Import),
    /// Export datasets for an import elsewhere
    Export(export::Export),
    /// Export calibrations with their validity ranges for an import elsewhere
    ExportCalibs(export_calibs::ExportCalibs),
    /// Bring datasets from one repository to another
    TransferDatasets(transfer_datasets::TransferDatasets),
    /// Bring the datasets with given identifiers from another repository
    TransferFrom(transfer_from::TransferFrom),
    /// Show the configuration of a repository
    ConfigDump(config_dump::ConfigDump),
    /// Check the configuration of a repository
    ConfigValidate(config_validate::ConfigValidate),
    /// Serve repositories over REST, for reading
    Serve(serve::Serve),
    /// Make a repository to try things out with, and serve it
    Demo(demo::Demo),
    /// Write completions for a shell to standard output
    Completions(completions::Completions),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, bars: &Bars) -> Outcome {
        match self {
            Self::Create(command) => command.run().await,
            Self::QueryCollections(command) => command.run().await,
            Self::QueryDatasetTypes(command) => command.run().await,
            Self::QueryDatasets(command) => command.run().await,
            Self::QueryDataIds(command) => command.run().await,
            Self::QueryDimensionRecords(command) => command.run().await,
            Self::Get(command) => command.run().await,
            Self::RetrieveArtifacts(command) => command.run(bars).await,
            Self::CollectionChain(command) => command.run().await,
            Self::Associate(command) => command.run().await,
            Self::CertifyCalibrations(command) => command.run().await,
            Self::RegisterDatasetType(command) => command.run().await,
            Self::RemoveDatasetType(command) => command.run().await,
            Self::RemoveCollections(command) => command.run().await,
            Self::RemoveRuns(command) => command.run(bars).await,
            Self::PruneDatasets(command) => command.run(bars).await,
            Self::IngestFiles(command) => command.run(bars).await,
            Self::IngestZip(command) => command.run().await,
            Self::Import(command) => command.run(bars).await,
            Self::Export(command) => command.run().await,
            Self::ExportCalibs(command) => command.run().await,
            Self::TransferDatasets(command) => command.run(bars).await,
            Self::TransferFrom(command) => command.run(bars).await,
            Self::ConfigDump(command) => command.run().await,
            Self::ConfigValidate(command) => command.run().await,
            Self::Serve(command) => command.run().await,
            Self::Demo(command) => command.run(bars).await,
            Self::Completions(command) => command.run(),
        }
    }
}
