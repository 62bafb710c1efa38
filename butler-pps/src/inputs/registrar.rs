//! Making datasets known to the service.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use butler_core::datasets::DatasetRef;
use butler_core::dimensions::{DataIdValue, DimensionRecord};
use butler_core::error::Result;
use butler_core::registry::Registry as _;
use butler_core::time::{NS_PER_DAY, TimeScale};
use butler_core::transfer::TransferSource;
use butler_direct::DirectButler;
use uuid::Uuid;

use crate::clock::{Clock, Moment};
use crate::repositories::Repositories;
use crate::state::{NewDataset, Origin, RepositoryName, State, VisitState};

/// IDs that are looked up together.
const BATCH: usize = 10_000;

/// When unknown datasets are looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);

/// What became of the IDs that an input gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registered {
    /// How many datasets are new.
    pub new: u64,
    /// How many were known.
    pub known: u64,
    /// How many the embargo repository does not know.
    pub unknown: u64,
}

impl Registered {
    pub(crate) fn add(&mut self, other: Self) {
        self.new += other.new;
        self.known += other.known;
        self.unknown += other.unknown;
    }
}

/// Makes datasets known that inputs name.
#[derive(Debug, Clone)]
pub struct Registrar {
    state: State,
    repositories: Arc<Repositories>,
    clock: Clock,
}

impl Registrar {
    /// Takes what it works with.
    #[must_use]
    pub fn new(state: State, repositories: Arc<Repositories>, clock: Clock) -> Self {
        Self {
            state,
            repositories,
            clock,
        }
    }

    /// The state database.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The repositories.
    #[must_use]
    pub fn repositories(&self) -> &Arc<Repositories> {
        &self.repositories
    }

    /// Registers datasets of the embargo repository. Those that it does not know are remembered, and
    /// looked for again later. When this returns, all of it has been written.
    ///
    /// # Errors
    /// The embargo repository or the state database cannot be reached; then all can be given again.
    pub async fn register(&self, ids: &[Uuid], origin: Origin) -> Result<Registered> {
        let mut total = Registered::default();
        let mut seen = HashSet::with_capacity(ids.len());
        let ids: Vec<Uuid> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        for batch in ids.chunks(BATCH) {
            total.add(self.register_batch(batch, origin).await?);
        }
        Ok(total)
    }

    async fn register_batch(&self, ids: &[Uuid], origin: Origin) -> Result<Registered> {
        // What is known may have left embargo long since.
        let known = self.state.datasets(ids).await?;
        let known: HashSet<Uuid> = known.into_iter().map(|dataset| dataset.id).collect();
        let wanted: Vec<Uuid> = ids
            .iter()
            .copied()
            .filter(|id| !known.contains(id))
            .collect();
        let mut registered = Registered {
            known: known.len() as u64,
            ..Registered::default()
        };
        if wanted.is_empty() {
            return Ok(registered);
        }
        let embargo = self.repositories.get(RepositoryName::Embargo).await?;
        let found = embargo.registry().datasets(&wanted).await?;
        let now = self.clock.now();
        let refs: Vec<&DatasetRef> = found.values().collect();
        let (datasets, visits) = describe(&embargo, &refs, origin).await?;
        registered.new = self.state.add_datasets(&datasets, &visits, now).await?;
        let unknown: Vec<Uuid> = wanted
            .iter()
            .copied()
            .filter(|id| !found.contains_key(id))
            .collect();
        registered.unknown = unknown.len() as u64;
        let retry = now.plus(i64::try_from(LOOK_AGAIN.as_millis()).unwrap_or(i64::MAX));
        let error = "the embargo repository does not know it";
        self.state
            .add_unknown(&unknown, origin, error, now, retry)
            .await?;
        Ok(registered)
    }

    /// Looks again for datasets that were not to be found, when their time has come.
    ///
    /// # Errors
    /// As for [`register`](Self::register).
    pub async fn look_again(&self) -> Result<Registered> {
        let limit = u32::try_from(BATCH).unwrap_or(u32::MAX);
        let unknown = self.state.unknown(self.clock.now(), false, limit).await?;
        let mut by_origin: HashMap<Origin, Vec<Uuid>> = HashMap::new();
        for dataset in unknown {
            by_origin
                .entry(dataset.origin)
                .or_default()
                .push(dataset.id);
        }
        let mut total = Registered::default();
        for (origin, ids) in by_origin {
            total.add(self.register_batch(&ids, origin).await?);
            let found = self.state.datasets(&ids).await?;
            let found: Vec<Uuid> = found.into_iter().map(|dataset| dataset.id).collect();
            self.state.remove_unknown(&found).await?;
        }
        Ok(total)
    }
}

/// The records that tell when datasets were observed: those of visits or, without one, of exposures.
type Ends = HashMap<(&'static str, String, i64), Option<Moment>>;

/// What the state database has to know of datasets, and their visits.
async fn describe(
    embargo: &DirectButler,
    refs: &[&DatasetRef],
    origin: Origin,
) -> Result<(Vec<NewDataset>, Vec<VisitState>)> {
    let mut ends = Ends::new();
    for element in ["visit", "exposure"] {
        ends.extend(observation_ends(embargo, refs, element).await?);
    }
    let datasets = refs.iter().map(|dataset| {
        let end = observation(dataset).and_then(|key| ends.get(&key).copied().flatten());
        NewDataset {
            id: dataset.id(),
            origin,
            dataset_type: dataset.dataset_type().name().to_string(),
            instrument: text(dataset, "instrument"),
            visit: number(dataset, "visit"),
            observed: end,
        }
    });
    let datasets: Vec<NewDataset> = datasets.collect();
    let visits = ends
        .into_iter()
        .filter(|((element, ..), _)| *element == "visit")
        .map(|((_, instrument, visit), end)| VisitState {
            instrument,
            visit,
            end,
            held: false,
        });
    Ok((datasets, visits.collect()))
}

/// The observation that a dataset comes from.
fn observation(dataset: &DatasetRef) -> Option<(&'static str, String, i64)> {
    let instrument = text(dataset, "instrument")?;
    ["visit", "exposure"]
        .into_iter()
        .find_map(|element| Some((element, instrument.clone(), number(dataset, element)?)))
}

/// When observations of an element ended that datasets come from.
async fn observation_ends(
    embargo: &DirectButler,
    refs: &[&DatasetRef],
    element: &'static str,
) -> Result<Ends> {
    let keys: HashSet<(String, i64)> = refs
        .iter()
        .filter_map(|dataset| observation(dataset))
        .filter(|(of, ..)| *of == element)
        .map(|(_, instrument, number)| (instrument, number))
        .collect();
    if keys.is_empty() {
        return Ok(Ends::new());
    }
    let values: Vec<Vec<DataIdValue>> = keys
        .iter()
        .map(|(instrument, number)| {
            vec![
                DataIdValue::from(instrument.as_str()),
                DataIdValue::from(*number),
            ]
        })
        .collect();
    let records = embargo
        .dimension_records_with(
            embargo.universe().element(element)?,
            &["instrument", element],
            &values,
        )
        .await?;
    let mut ends: Ends = keys
        .into_iter()
        .map(|(instrument, number)| ((element, instrument, number), None))
        .collect();
    for record in records {
        if let Some(key) = key_of(&record, element) {
            let end = record.timespan().and_then(|timespan| timespan.end());
            ends.insert(key, end.map(moment));
        }
    }
    Ok(ends)
}

fn key_of(record: &DimensionRecord, element: &'static str) -> Option<(&'static str, String, i64)> {
    let mut values = record.required_values();
    let instrument = values.next()?;
    let number = values.next()?;
    Some((element, instrument.as_str()?.to_owned(), number.as_int()?))
}

fn text(dataset: &DatasetRef, dimension: &str) -> Option<String> {
    Some(dataset.data_id().get(dimension)?.as_str()?.to_owned())
}

fn number(dataset: &DatasetRef, dimension: &str) -> Option<i64> {
    dataset.data_id().get(dimension)?.as_int()
}

/// The moment of a time in TAI nanoseconds.
fn moment(tai: i64) -> Moment {
    let (day, ns) = TimeScale::Utc.tai_to_calendar(tai);
    Moment((day * NS_PER_DAY + ns) / 1_000_000)
}
