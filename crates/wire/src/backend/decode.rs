//! Reading what a server sends: for the handler, the tests and the checkers.

use super::authentication::Authentication;
use super::columns::Columns;
use super::copy::Copy;
use super::fields::Fields;
use super::{TransactionStatus, tag};
use crate::list::{Oids, Values};
use crate::read::Reader;
use crate::startup::CancelKey;
use crate::{Error, Frame};

/// One message from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Asks for a proof or accepts it.
    Authentication(Authentication<'a>),
    /// How to cancel this session's requests.
    BackendKeyData(CancelKey<'a>),
    /// Bind is done.
    BindComplete,
    /// Close is done.
    CloseComplete,
    /// A statement is done.
    CommandComplete {
        /// Such as `INSERT 0 1`.
        command: &'a str,
    },
    /// Data goes both ways from here on.
    CopyBothResponse(Copy<'a>),
    /// Data of COPY TO STDOUT.
    CopyData(&'a [u8]),
    /// End of that data.
    CopyDone,
    /// The client is to send data.
    CopyInResponse(Copy<'a>),
    /// Data follows.
    CopyOutResponse(Copy<'a>),
    /// A row.
    DataRow(Values<'a>),
    /// The query had no statement.
    EmptyQueryResponse,
    /// Something failed.
    ErrorResponse(Fields<'a>),
    /// The result of FunctionCall.
    FunctionCallResponse(Option<&'a [u8]>),
    /// The server speaks less than the client asked for.
    NegotiateProtocolVersion(Negotiation<'a>),
    /// The statement returns no rows.
    NoData,
    /// Something to know.
    NoticeResponse(Fields<'a>),
    /// Somebody called NOTIFY.
    NotificationResponse {
        /// The session that did.
        process_id: u32,
        /// On which channel.
        channel: &'a str,
        /// With what.
        payload: &'a str,
    },
    /// Types of a statement's parameters.
    ParameterDescription(Oids<'a>),
    /// A setting's value as it is now.
    ParameterStatus {
        /// The setting.
        name: &'a str,
        /// Its value.
        value: &'a str,
    },
    /// Parse is done.
    ParseComplete,
    /// The portal has more rows than asked for.
    PortalSuspended,
    /// The server waits for the next query.
    ReadyForQuery(TransactionStatus),
    /// Columns of the rows to come.
    RowDescription(Columns<'a>),
}

impl<'a> Message<'a> {
    /// Decodes a whole frame.
    ///
    /// # Errors
    /// [`Error::UnknownMessage`], fatal; anything else is an error of this message only.
    pub fn decode(frame: Frame<'a>) -> Result<Message<'a>, Error> {
        let Frame { tag, body } = frame;
        let read = |message| Reader::new(message, body);
        let empty = |name, message| Reader::new(name, body).finish().map(|()| message);
        match tag {
            tag::DATA_ROW => data_row(read("DataRow")),
            tag::READY_FOR_QUERY => ready_for_query(read("ReadyForQuery")),
            tag::COMMAND_COMPLETE => command_complete(read("CommandComplete")),
            tag::ROW_DESCRIPTION => row_description(read("RowDescription")),
            tag::AUTHENTICATION => Authentication::read(read("Authentication")).map(Message::Authentication),
            tag::BACKEND_KEY_DATA => CancelKey::read("BackendKeyData", body).map(Message::BackendKeyData),
            tag::PARAMETER_STATUS => parameter_status(read("ParameterStatus")),
            tag::ERROR_RESPONSE => Fields::read(read("ErrorResponse")).map(Message::ErrorResponse),
            tag::NOTICE_RESPONSE => Fields::read(read("NoticeResponse")).map(Message::NoticeResponse),
            tag::NOTIFICATION_RESPONSE => notification(read("NotificationResponse")),
            tag::PARAMETER_DESCRIPTION => parameter_description(read("ParameterDescription")),
            tag::FUNCTION_CALL_RESPONSE => function_call_response(read("FunctionCallResponse")),
            tag::NEGOTIATE_PROTOCOL_VERSION => {
                Negotiation::read(read("NegotiateProtocolVersion")).map(Message::NegotiateProtocolVersion)
            }
            tag::COPY_DATA => Ok(Message::CopyData(body)),
            tag::COPY_DONE => empty("CopyDone", Message::CopyDone),
            tag::COPY_IN_RESPONSE => Copy::read(read("CopyInResponse")).map(Message::CopyInResponse),
            tag::COPY_OUT_RESPONSE => Copy::read(read("CopyOutResponse")).map(Message::CopyOutResponse),
            tag::COPY_BOTH_RESPONSE => Copy::read(read("CopyBothResponse")).map(Message::CopyBothResponse),
            tag::PARSE_COMPLETE => empty("ParseComplete", Message::ParseComplete),
            tag::BIND_COMPLETE => empty("BindComplete", Message::BindComplete),
            tag::CLOSE_COMPLETE => empty("CloseComplete", Message::CloseComplete),
            tag::EMPTY_QUERY_RESPONSE => empty("EmptyQueryResponse", Message::EmptyQueryResponse),
            tag::NO_DATA => empty("NoData", Message::NoData),
            tag::PORTAL_SUSPENDED => empty("PortalSuspended", Message::PortalSuspended),
            tag => Err(Error::UnknownMessage { tag }),
        }
    }
}

fn data_row(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let values = Values::read(&mut reader)?;
    reader.finish().map(|()| Message::DataRow(values))
}

fn ready_for_query(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let code = reader.u8()?;
    let status =
        TransactionStatus::from_code(code).ok_or_else(|| reader.bad_field("transaction status", code))?;
    reader.finish().map(|()| Message::ReadyForQuery(status))
}

fn command_complete(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let command = reader.str()?;
    reader.finish().map(|()| Message::CommandComplete { command })
}

fn row_description(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let columns = Columns::read(&mut reader)?;
    reader.finish().map(|()| Message::RowDescription(columns))
}

fn parameter_status(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let (name, value) = (reader.str()?, reader.str()?);
    reader.finish().map(|()| Message::ParameterStatus { name, value })
}

fn notification(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let (process_id, channel, payload) = (reader.u32()?, reader.str()?, reader.str()?);
    reader.finish().map(|()| Message::NotificationResponse { process_id, channel, payload })
}

fn parameter_description(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let types = Oids::read(&mut reader)?;
    reader.finish().map(|()| Message::ParameterDescription(types))
}

fn function_call_response(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let value = reader.value()?;
    reader.finish().map(|()| Message::FunctionCallResponse(value))
}

/// What the server goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiation<'a> {
    /// Minor version of protocol 3.
    pub minor: u16,
    refused: &'a [u8],
}

impl<'a> Negotiation<'a> {
    fn read(mut reader: Reader<'a>) -> Result<Self, Error> {
        let version = reader.u32()?;
        // Some servers send the minor version alone, as the documentation has it.
        let minor = match version {
            0..=0xffff => version as u16,
            0x3_0000..=0x3_ffff => version as u16,
            other => return Err(reader.bad_field("protocol version", other)),
        };
        let count = reader.u32()?;
        let mut ahead = reader.clone();
        for _ in 0..count {
            ahead.str()?;
        }
        let refused = reader.bytes(reader.remaining() - ahead.remaining())?;
        reader.finish().map(|()| Negotiation { minor, refused })
    }

    /// Protocol options that the server does not know.
    pub fn refused(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut reader = Reader::new("NegotiateProtocolVersion", self.refused);
        std::iter::from_fn(move || {
            (!reader.is_empty()).then(|| reader.str().expect("BUG: names are checked before"))
        })
    }
}
