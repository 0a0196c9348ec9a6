//! What goes into one record: everything that committed while the record before it was being put.

use bytes::Bytes;
use model::TimestampMs;

use crate::{
    Outcome, State,
    limits::{IMAGE_MAX, OUTCOMES_PER_RECORD, RECORD_RAW_MAX},
    record::is_page_size,
};

/// Transactions that become durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Bytes of a page. Never changes once the image is not empty.
    pub page_size: u32,
    /// Pages of the image after the group.
    pub image_pages: u32,
    /// Newest content of every page that the group changed and that is still in the image, by page number from 1, in
    /// any order, each once.
    pub pages: Vec<(u32, Bytes)>,
    /// Transactions in it.
    pub transactions: u32,
    /// Client requests that they answer.
    pub outcomes: Vec<Outcome>,
    /// Now, by the owner's clock. Information: only restoring to a time depends on it.
    pub at: TimestampMs,
}

/// Why a group cannot be a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGroup {
    /// Not a power of two in range, or not the image's.
    #[error("its page size {page_size} does not fit the image's {image}")]
    PageSize {
        /// The group's.
        page_size: u32,
        /// The image's; 0 if it is empty.
        image: u32,
    },
    /// A page is outside the image, twice there, or not of the page size.
    #[error("page {number} with {len} bytes does not fit an image of {image_pages} pages, or is there twice")]
    Page {
        /// Its number.
        number: u32,
        /// Its bytes.
        len: usize,
        /// Pages of the image.
        image_pages: u32,
    },
    /// More than a record may hold.
    #[error(
        "it has {bytes} bytes and {outcomes} outcomes, and a record has at most {RECORD_RAW_MAX} and {OUTCOMES_PER_RECORD}"
    )]
    TooLarge {
        /// Bytes of its pages.
        bytes: usize,
        /// Its outcomes.
        outcomes: usize,
    },
    /// The image would be larger than any database.
    #[error("the image would have {bytes} bytes, and at most {IMAGE_MAX} are allowed")]
    Image {
        /// Bytes of the image.
        bytes: u64,
    },
}

impl Group {
    /// The group with its pages in order, if it can follow `state`.
    pub(super) fn checked(mut self, state: &State) -> Result<Self, BadGroup> {
        let Self { page_size, image_pages, .. } = self;
        if !is_page_size(page_size) || (state.page_size != 0 && state.page_size != page_size) {
            return Err(BadGroup::PageSize { page_size, image: state.page_size });
        }
        let bytes = u64::from(page_size) * u64::from(image_pages);
        if bytes > IMAGE_MAX {
            return Err(BadGroup::Image { bytes });
        }
        self.pages.sort_unstable_by_key(|(number, _)| *number);
        let mut before = 0;
        for (number, page) in &self.pages {
            let (number, len) = (*number, page.len());
            if number <= before || number > image_pages || len != page_size as usize {
                return Err(BadGroup::Page { number, len, image_pages });
            }
            before = number;
        }
        let (bytes, outcomes) = (self.raw_len(), self.outcomes.len());
        if bytes > RECORD_RAW_MAX || outcomes > OUTCOMES_PER_RECORD {
            return Err(BadGroup::TooLarge { bytes, outcomes });
        }
        Ok(self)
    }

    /// At least as many bytes as its record has before compression.
    pub(super) fn raw_len(&self) -> usize {
        let pages = self.pages.len() * (self.page_size as usize + 4);
        pages + self.outcomes.len() * (crate::limits::RESPONSE_MAX + 64)
    }
}
