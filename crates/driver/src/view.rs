//! Cached views of data, read again as a whole or in part when a directive says so (R84, R85).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use directive::action::{KeyRange, Refresh};
use tokio_postgres::Row;

use crate::{Client, Error};

/// Portions that are remembered as stale; of more, everything is.
const PORTIONS_MAX: usize = 64;

/// A table, or a query's result, kept in memory by its key. Cheap to clone.
///
/// Never older than the last [`Refresh`] that came; how new it is otherwise is up to whoever sends those.
#[derive(Clone)]
pub struct View(Arc<Inner>);

struct Inner {
    client: Client,
    whole: String,
    portion: String,
    state: Arc<Cached>,
}

/// What a view holds, for whoever hears of directives.
#[derive(Default)]
pub(crate) struct Cached(Mutex<State>);

#[derive(Default)]
struct State {
    rows: BTreeMap<String, Row>,
    stale: Stale,
    /// Counts refreshes and readings: what was read before one is not taken after it.
    changes: u64,
    rows_read: u64,
}

#[derive(Default, Clone)]
enum Stale {
    #[default]
    Whole,
    Portions(Vec<KeyRange>),
}

impl Cached {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be read again before the next answer.
    pub(crate) fn refresh(&self, refresh: &Refresh) {
        let mut state = self.state();
        state.changes += 1;
        match (&refresh.portion, &mut state.stale) {
            (Some(portion), Stale::Portions(portions)) if portions.len() < PORTIONS_MAX => {
                portions.push(portion.clone());
            }
            (Some(_) | None, stale) => *stale = Stale::Whole,
        }
    }
}

impl View {
    pub(crate) fn new(client: Client, whole: &str, portion: &str) -> (View, Arc<Cached>) {
        let state = Arc::<Cached>::default();
        let (whole, portion) = (whole.to_owned(), portion.to_owned());
        (View(Arc::new(Inner { client, whole, portion, state: state.clone() })), state)
    }

    /// The row of a key, read again if it is stale.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn get(&self, key: &str) -> Result<Option<Row>, Error> {
        self.fresh().await?;
        Ok(self.0.state.state().rows.get(key).cloned())
    }

    /// All rows, in the order of their keys.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn rows(&self) -> Result<Vec<Row>, Error> {
        self.fresh().await?;
        Ok(self.0.state.state().rows.values().cloned().collect())
    }

    /// How many rows were read from the server so far.
    pub fn rows_read(&self) -> u64 {
        self.0.state.state().rows_read
    }

    async fn fresh(&self) -> Result<(), Error> {
        loop {
            let (stale, changes) = {
                let state = self.0.state.state();
                (state.stale.clone(), state.changes)
            };
            let portions = match &stale {
                Stale::Portions(portions) if portions.is_empty() => return Ok(()),
                Stale::Portions(portions) => Some(portions),
                Stale::Whole => None,
            };
            let rows = self.read(portions).await?;
            let mut state = self.0.state.state();
            state.rows_read += rows.len() as u64;
            if state.changes == changes {
                state.changes += 1;
                state.stale = Stale::Portions(Vec::new());
                let covered = |key: &String| portions.is_none_or(|all| all.iter().any(|one| one.covers(key)));
                state.rows.retain(|key, _| !covered(key));
                state.rows.extend(rows);
            }
        }
    }

    /// The rows of some portions, or of the whole.
    async fn read(&self, portions: Option<&Vec<KeyRange>>) -> Result<BTreeMap<String, Row>, Error> {
        let Inner { client, whole, portion, .. } = &*self.0;
        let Some(portions) = portions else { return keyed(client.query(whole, &[]).await?) };
        let mut rows = BTreeMap::new();
        for range in portions {
            rows.extend(keyed(client.query(portion, &[&range.from, &range.to]).await?)?);
        }
        Ok(rows)
    }
}

/// By their first column.
fn keyed(rows: Vec<Row>) -> Result<BTreeMap<String, Row>, Error> {
    let key = |row: Row| row.try_get(0).map(|key: String| (key, row)).map_err(Error::Postgres);
    rows.into_iter().map(key).collect()
}
