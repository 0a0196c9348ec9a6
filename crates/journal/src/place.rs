//! Where a store can be, as an operator names it. Nothing here looks whether it is there.

use std::path::Path;

/// The schemes of URLs that name a store.
const SCHEMES: [&str; 3] = ["s3", "gs", "az"];

/// A place for a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A directory of this machine.
    Directory(&'a Path),
    /// The object store of a cloud.
    Url(&'a str),
}

/// A text names no place for a store, or none that this program can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Neither a directory nor a URL of a known form.
    #[error(
        "{place:?} is neither a directory nor of the form s3://bucket/path, gs://bucket/path or az://container/path"
    )]
    Form {
        /// The text.
        place: String,
    },
    /// A URL, and this program was built without the feature `cloud`.
    #[error(
        "{url:?} needs a program that was built with the feature `cloud`; this one knows directories only"
    )]
    NoCloud {
        /// The URL.
        url: String,
    },
}

impl<'a> Place<'a> {
    /// The place that a text names: a directory, or with the feature `cloud` a URL.
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub fn of(text: &'a str) -> Result<Self, PlaceError> {
        let form = || PlaceError::Form { place: text.into() };
        if text.is_empty() {
            return Err(form());
        }
        if !text.contains("://") {
            return Ok(Self::Directory(Path::new(text)));
        }
        parts(text).ok_or_else(form)?;
        if cfg!(feature = "cloud") {
            Ok(Self::Url(text))
        } else {
            Err(PlaceError::NoCloud { url: text.into() })
        }
    }
}

/// Scheme, bucket and path of a URL that names a store.
pub(crate) fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
    (SCHEMES.contains(&scheme) && !bucket.is_empty()).then_some((scheme, bucket, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_directory_or_a_url_with_a_bucket() {
        assert_eq!(Place::of("some/dir"), Ok(Place::Directory(Path::new("some/dir"))));
        for text in ["", "http://bucket/x", "s3://", "s3:///path", "://x"] {
            assert_eq!(Place::of(text), Err(PlaceError::Form { place: text.into() }), "{text}");
        }
        assert_eq!(parts("az://box"), Some(("az", "box", "")));
        assert_eq!(parts("s3://bucket/a/b"), Some(("s3", "bucket", "a/b")));
    }

    #[cfg(not(feature = "cloud"))]
    #[test]
    fn a_url_names_the_feature_that_it_needs() {
        let error = Place::of("s3://bucket/path").expect_err("built without it");
        assert!(error.to_string().contains("feature `cloud`"), "{error}");
    }

    #[cfg(feature = "cloud")]
    #[test]
    fn a_url_is_a_place() {
        assert_eq!(Place::of("gs://bucket/path"), Ok(Place::Url("gs://bucket/path")));
    }
}
