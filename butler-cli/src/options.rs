//! Options that several commands have.

use butler_core::query::{ResultLimit, SimpleQuery};
use clap::Args;

use crate::switch::switch;

/// The repository that a command is about.
#[derive(Debug, Args)]
pub(crate) struct Repository {
    /// The repository: its directory, its configuration file, or its label in the repository index
    pub(crate) repo: String,
}

switch!(
    FindFirst,
    find_first / no_find_first,
    default off,
    "Of each data ID, take only the dataset in the first collection that has one; needs \
     --collections without patterns"
);

switch!(
    DryRun,
    dry_run / no_dry_run,
    default off,
    "Check everything, but change nothing"
);

switch!(
    TransferDimensions,
    transfer_dimensions / no_transfer_dimensions,
    default on,
    "Leave dimension records behind: the destination has them already"
);

switch!(
    TrackFileAttributes,
    track_file_attrs / no_track_file_attrs,
    default on,
    "Do not record sizes and checksums of files"
);

/// Where datasets are searched for, and which of them count.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Names and glob patterns of the collections to search, separated by commas [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) collections: Vec<String>,

    /// An expression like that of SQL's WHERE over dimensions and their fields
    #[arg(
        long = "where",
        value_name = "EXPRESSION",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) condition: String,

    #[command(flatten)]
    pub(crate) find_first: FindFirst,
}

/// Which types of datasets count.
#[derive(Debug, Args)]
pub(crate) struct DatasetTypes {
    /// Names and glob patterns of dataset types, separated by commas [default: all]
    #[arg(short, long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) dataset_type: Vec<String>,
}

/// How many results there are at most.
#[derive(Debug, Args)]
pub(crate) struct Limit {
    /// The most results; 0 is no limit, a negative number is one that is warned of
    #[arg(long, value_name = "NUMBER", default_value_t = -20_000, allow_negative_numbers = true)]
    pub(crate) limit: i64,
}

/// What results are sorted by.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Dimensions and fields to sort by, separated by commas; a minus sign reverses the order
    #[arg(
        long,
        value_name = "FIELD",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub(crate) order_by: Vec<String>,
}

/// Which data IDs or dimension records count, how many of them, and in which order.
#[derive(Debug, Args)]
pub(crate) struct RowFilter {
    /// Only what has datasets of these types: names and glob patterns
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) datasets: Vec<String>,

    /// With --datasets, the names and glob patterns of the collections they are in [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) collections: Vec<String>,

    /// An expression like that of SQL's WHERE over dimensions and their fields
    #[arg(
        long = "where",
        value_name = "EXPRESSION",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) condition: String,

    #[command(flatten)]
    order: Order,

    #[command(flatten)]
    limit: Limit,
}

impl RowFilter {
    /// Whether an order was asked for.
    pub(crate) const fn has_order(&self) -> bool {
        !self.order.order_by.is_empty()
    }

    /// Condition, order and limit of a query.
    pub(crate) fn query(&self) -> SimpleQuery {
        SimpleQuery::new(self.condition.as_str())
            .order_by(self.order.order_by.iter().cloned())
            .limit(result_limit(self.limit.limit))
            .without_explanation()
    }
}

/// The limit as the reference's commands count: 0 is none.
pub(crate) const fn result_limit(limit: i64) -> ResultLimit {
    match limit {
        0 => ResultLimit::Unlimited,
        1.. => ResultLimit::AtMost(limit.unsigned_abs()),
        _ => ResultLimit::WarnAbove(limit.unsigned_abs()),
    }
}
