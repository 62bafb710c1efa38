//! `butler certify-calibrations`.

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::query::SimpleQuery;
use butler_core::registry::{CollectionQuery, Registry};
use butler_core::time::{TimeFormat, TimeScale, parse_time};
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;
use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::open;
use crate::options::Repository;
use crate::output::say;

/// Adds datasets to a CALIBRATION collection.
#[derive(Debug, Args)]
pub(crate) struct CertifyCalibrations {
    #[command(flatten)]
    repository: Repository,

    /// The collection that the calibrations are in: a run, or a chain whose first child they are in
    input_collection: String,

    /// The CALIBRATION collection that they go into; it is made if it does not exist
    output_collection: String,

    /// The dataset type of the calibrations
    dataset_type_name: String,

    /// From when on they are valid: a date and time of ISO 8601, in TAI [default: ever]
    #[arg(long, value_name = "TIME", value_parser = time)]
    begin_date: Option<i64>,

    /// Until when they are valid: a date and time of ISO 8601, in TAI [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = time)]
    end_date: Option<i64>,

    /// Search all children of a chain, not only the first
    #[arg(long)]
    search_all_inputs: bool,
}

impl CertifyCalibrations {
    pub(crate) async fn run(self) -> Outcome {
        let timespan = Timespan::new(self.begin_date, self.end_date)?;
        let butler = open::writer(&self.repository.repo).await?;
        let inputs = [self.input(&butler).await?];
        let everything = SimpleQuery::default().limit(None);
        let dataset_type = &self.dataset_type_name;
        let datasets = butler
            .reader()
            .query_datasets(dataset_type, Some(&inputs), &everything)
            .await?;
        let mut transaction = butler.registry().begin().await?;
        let output = &self.output_collection;
        transaction
            .register_collection(output, CollectionType::Calibration, None)
            .await?;
        transaction.certify(output, &datasets, timespan).await?;
        transaction.commit().await?;
        say(format!("Number of datasets certified: {}", datasets.len()))
    }

    /// The collection to search: of a chain, the first child.
    async fn input(&self, butler: &DirectButler) -> Outcome<String> {
        let name = &self.input_collection;
        let query = CollectionQuery::new(CollectionWildcard::from_names([name]));
        let found = butler.registry().collections(&query).await?;
        match found.first() {
            Some(info) if info.collection_type == CollectionType::Chained => {
                if self.search_all_inputs {
                    return Ok(name.clone());
                }
                let first = info.children.first().cloned();
                first.ok_or_else(|| Failure::new(format!("the chain '{name}' is empty")))
            }
            _ => Ok(name.clone()),
        }
    }
}

/// Reads a date, with or without a time, as TAI nanoseconds.
fn time(text: &str) -> Result<i64, String> {
    let format = if text.contains('T') {
        TimeFormat::Isot
    } else {
        TimeFormat::Iso
    };
    parse_time(text, format, TimeScale::Tai).map_err(|error| error.to_string())
}
