//! Stores that must not be used, and that the torture and the self-test must catch.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use journal::{
    Memory, ObjectError, Objects,
    objects::{Created, Key, Listed},
};

/// A store whose creates are not what they must be.
#[derive(Debug)]
pub struct Bad {
    inner: Memory,
    how: How,
}

#[derive(Clone, Copy, Debug)]
pub enum How {
    /// Puts whatever was there before.
    LastWriterWins,
    /// Looks whether the key is free, and puts a moment later.
    CheckThenSet,
    /// Loses every answer, and gives that to a second try. That is not wrong.
    AnswersTheSecondTry,
    /// Says that every key is taken, and keeps nothing.
    KeepsNothing,
}

impl Bad {
    pub fn new(how: How) -> Arc<Self> {
        Arc::new(Self { inner: Memory::default(), how })
    }
}

#[async_trait]
impl Objects for Bad {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        match self.how {
            How::LastWriterWins => {}
            How::CheckThenSet => {
                if self.inner.read(key, None).await?.is_some() {
                    return Ok(Created::Taken);
                }
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            How::AnswersTheSecondTry => {
                self.inner.create(key, parts).await?;
                return self.inner.create(key, parts).await;
            }
            How::KeepsNothing => return Ok(Created::Taken),
        }
        self.inner.overwrite(key.as_str(), parts.concat());
        Ok(Created::Made)
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        self.inner.read(key, range).await
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        self.inner.list(folder).await
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        self.inner.folders(folder).await
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        self.inner.delete(key).await
    }
}
