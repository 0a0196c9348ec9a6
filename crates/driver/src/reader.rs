//! The directive reader: takes directives out of what a server says, so that none of them reaches the application.

use directive::postgres::{SQLSTATE, is_directive};
use tokio_postgres::{AsyncMessage, Notification, error::DbError};

/// What a message of the server is.
#[derive(Debug)]
pub(crate) enum Reading {
    /// A directive, as it came.
    Directive(Vec<u8>),
    /// Something for a later version of the driver, which this one ignores.
    Ignored,
    /// A notice for the application.
    Notice(Box<DbError>),
    /// A notification for the application.
    Notification(Notification),
}

/// Reads one.
pub(crate) fn read(message: AsyncMessage) -> Reading {
    match message {
        AsyncMessage::Notice(notice) if notice.code().code() == SQLSTATE => {
            Reading::Directive(notice.detail().unwrap_or_default().as_bytes().to_vec())
        }
        AsyncMessage::Notice(notice) if is_directive(notice.code().code()) => Reading::Ignored,
        AsyncMessage::Notice(notice) => Reading::Notice(Box::new(notice)),
        AsyncMessage::Notification(notification) => Reading::Notification(notification),
        // Whatever tokio-postgres may add later.
        _ => Reading::Ignored,
    }
}
