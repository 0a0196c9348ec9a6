//! Which store a URL names, and how its client is set up.

use std::{str::FromStr, sync::Arc};

use object_store::{
    ClientConfigKey, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
};

use super::Cloud;
use crate::place::parts;

/// A URL or the options beside it name no store.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// Not `scheme://bucket` or `scheme://bucket/path`.
    #[error("{url:?} is not of the form s3://bucket/path, gs://bucket/path or az://container/path")]
    Form {
        /// The URL.
        url: String,
    },
    /// The client does not know an option, or lacks one.
    #[error("{url:?} with its options and the environment does not make a store")]
    Options {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

/// The longest that one request may take (a large snapshot on a slow line; records are given up much sooner), and that
/// connecting may.
const CLIENT: [(ClientConfigKey, &str); 2] =
    [(ClientConfigKey::Timeout, "600 seconds"), (ClientConfigKey::ConnectTimeout, "5 seconds")];

pub(super) fn build(url: &str, options: &[(String, String)]) -> Result<Cloud, UrlError> {
    // TLS needs to know whose cryptography to use. Somebody may have said so before, to the same effect.
    drop(rustls::crypto::ring::default_provider().install_default());
    let form = || UrlError::Form { url: url.into() };
    let (scheme, bucket, path) = parts(url).ok_or_else(form)?;
    let store = match scheme {
        "s3" => s3(bucket, options),
        "gs" => google(bucket, options),
        "az" => azure(bucket, options),
        _ => return Err(form()),
    };
    let store = store.map_err(|source| UrlError::Options { url: url.into(), source })?;
    Ok(Cloud::on(store, path))
}

type Built = Result<Arc<dyn ObjectStore>, object_store::Error>;

fn s3(bucket: &str, options: &[(String, String)]) -> Built {
    let mut builder = AmazonS3Builder::from_env();
    for (key, value) in CLIENT {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    }
    for (name, value) in options {
        builder = builder.with_config(AmazonS3ConfigKey::from_str(&name.to_lowercase())?, value);
    }
    Ok(Arc::new(builder.with_bucket_name(bucket).with_retry(no_retry()).build()?))
}

fn google(bucket: &str, options: &[(String, String)]) -> Built {
    let mut builder = GoogleCloudStorageBuilder::from_env();
    for (key, value) in CLIENT {
        builder = builder.with_config(GoogleConfigKey::Client(key), value);
    }
    for (name, value) in options {
        builder = builder.with_config(GoogleConfigKey::from_str(&name.to_lowercase())?, value);
    }
    Ok(Arc::new(builder.with_bucket_name(bucket).with_retry(no_retry()).build()?))
}

fn azure(container: &str, options: &[(String, String)]) -> Built {
    let mut builder = MicrosoftAzureBuilder::from_env();
    for (key, value) in CLIENT {
        builder = builder.with_config(AzureConfigKey::Client(key), value);
    }
    for (name, value) in options {
        builder = builder.with_config(AzureConfigKey::from_str(&name.to_lowercase())?, value);
    }
    Ok(Arc::new(builder.with_container_name(container).with_retry(no_retry()).build()?))
}

fn no_retry() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}
