//! The object stores of clouds, through the `object_store` crate. Only with the feature `cloud`.
//!
//! The client retries nothing by itself: an attempt that landed and lost its answer would come back as *taken*, and
//! only the journal knows how to settle that.

mod url;

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path::Path,
};

pub use url::UrlError;

use super::{Action, Created, ErrorKind, Key, Listed, ObjectError, Objects};

/// A store of the `object_store` crate, below a path.
#[derive(Debug)]
pub struct Cloud {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Cloud {
    /// The store that a URL names: `s3://bucket/path`, `gs://bucket/path` or `az://container/path`.
    ///
    /// Credentials, region and endpoint come from the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`) and from `options`,
    /// which go before it: pairs of the same names.
    ///
    /// # Errors
    /// [`UrlError`]. Whether the store can be reached is not tried.
    pub fn at(url: &str, options: &[(String, String)]) -> Result<Self, UrlError> {
        url::build(url, options)
    }

    /// Any store of the `object_store` crate whose creates are atomic.
    pub fn on(store: Arc<dyn ObjectStore>, path: &str) -> Self {
        Self { store, prefix: Path::from(path) }
    }

    fn path(&self, key: &Key) -> Path {
        Path::from(format!("{}/{key}", self.prefix))
    }
}

fn failed(action: Action, key: &Key, error: Error) -> ObjectError {
    let kind = match error {
        Error::PermissionDenied { .. }
        | Error::Unauthenticated { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::UnknownConfigurationKey { .. } => ErrorKind::Refused,
        _ => ErrorKind::Unknown,
    };
    action.failed(key, kind, error)
}

#[async_trait]
impl Objects for Cloud {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        let payload: PutPayload = parts.iter().cloned().collect();
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&self.path(key), payload, options).await {
            Ok(_) => Ok(Created::Made),
            // Said for a taken key, and by some stores for a busy one: the journal reads what is there.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Created::Taken),
            Err(error) => Err(failed(Action::Create, key, error)),
        }
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let read = async { self.store.get_opts(&self.path(key), options).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(Action::Read, key, error)),
        }
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        let path = self.path(folder);
        let all: Result<Vec<_>, _> = self.store.list(Some(&path)).try_collect().await;
        let all = all.map_err(|error| failed(Action::List, folder, error))?;
        let listed = all.into_iter().filter_map(|meta| {
            let mut inside = meta.location.prefix_match(&path)?;
            let name = inside.next()?.as_ref().to_owned();
            inside.next().is_none().then_some(Listed { name, size: meta.size })
        });
        let mut listed: Vec<Listed> = listed.collect();
        listed.sort();
        Ok(listed)
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        let listed = self.store.list_with_delimiter(Some(&self.path(folder))).await;
        let listed = listed.map_err(|error| failed(Action::List, folder, error))?;
        let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        match self.store.delete(&self.path(key)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(Action::Delete, key, error)),
        }
    }
}
