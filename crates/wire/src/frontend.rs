//! What a client sends once its session has started.
//!
//! The `encode` functions of each message stand beside [`Message`]; a password or SASL body is read by
//! [`sasl`], because its tag does not say which of the three it is.

mod bind;
mod encode;
pub mod sasl;

use crate::list::{Formats, Oids, Values};
use crate::read::Reader;
use crate::{Error, Format, Frame, Oid};
pub use bind::{Bind, FunctionCall};
pub use encode::{
    bind, close, copy_data, copy_done, copy_fail, describe, execute, flush, function_call, parse, query,
    sync, terminate,
};

/// The first byte of each message.
pub mod tag {
    /// Bind.
    pub const BIND: u8 = b'B';
    /// Close.
    pub const CLOSE: u8 = b'C';
    /// CopyData, from either side.
    pub const COPY_DATA: u8 = b'd';
    /// CopyDone, from either side.
    pub const COPY_DONE: u8 = b'c';
    /// CopyFail.
    pub const COPY_FAIL: u8 = b'f';
    /// Describe.
    pub const DESCRIBE: u8 = b'D';
    /// Execute.
    pub const EXECUTE: u8 = b'E';
    /// Flush.
    pub const FLUSH: u8 = b'H';
    /// FunctionCall.
    pub const FUNCTION_CALL: u8 = b'F';
    /// Parse.
    pub const PARSE: u8 = b'P';
    /// PasswordMessage, SASLInitialResponse, SASLResponse.
    pub const AUTHENTICATION: u8 = b'p';
    /// Query.
    pub const QUERY: u8 = b'Q';
    /// Sync.
    pub const SYNC: u8 = b'S';
    /// Terminate.
    pub const TERMINATE: u8 = b'X';
}

/// One message from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Simple query: SQL with any number of statements.
    Query {
        /// The SQL.
        sql: &'a str,
    },
    /// Prepares a statement.
    Parse {
        /// Empty for the unnamed statement.
        name: &'a str,
        /// One statement of SQL.
        sql: &'a str,
        /// Types that the client wants for the first parameters; zero leaves one open.
        parameter_types: Oids<'a>,
    },
    /// Makes a portal from a statement and its parameters.
    Bind(Bind<'a>),
    /// Asks for the shape of a statement or portal.
    Describe(Target<'a>),
    /// Runs a portal.
    Execute {
        /// Empty for the unnamed portal.
        portal: &'a str,
        /// Rows after which to suspend; zero for all. What is sent below zero is zero, as in PostgreSQL.
        rows_max: u32,
    },
    /// Forgets a statement or portal.
    Close(Target<'a>),
    /// Asks for all responses so far.
    Flush,
    /// Ends a series of extended queries.
    Sync,
    /// Data for COPY FROM STDIN.
    CopyData(&'a [u8]),
    /// End of that data.
    CopyDone,
    /// The client gives up on COPY.
    CopyFail {
        /// Why.
        reason: &'a str,
    },
    /// The old call interface.
    FunctionCall(FunctionCall<'a>),
    /// A password or a SASL message: see [`sasl`].
    Authentication(&'a [u8]),
    /// The client goes.
    Terminate,
}

/// What Describe and Close are about; an empty name means the unnamed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// A prepared statement.
    Statement(&'a str),
    /// A portal.
    Portal(&'a str),
}

impl<'a> Message<'a> {
    /// Decodes a whole frame.
    ///
    /// # Errors
    /// [`Error::UnknownMessage`], fatal; anything else is an error of this message only.
    pub fn decode(frame: Frame<'a>) -> Result<Message<'a>, Error> {
        let Frame { tag, body } = frame;
        match tag {
            tag::QUERY => query_body(Reader::new("Query", body)),
            tag::PARSE => parse_body(Reader::new("Parse", body)),
            tag::BIND => Bind::read(Reader::new("Bind", body)).map(Message::Bind),
            tag::DESCRIBE => Target::read(Reader::new("Describe", body)).map(Message::Describe),
            tag::EXECUTE => execute_body(Reader::new("Execute", body)),
            tag::CLOSE => Target::read(Reader::new("Close", body)).map(Message::Close),
            tag::FLUSH => Reader::new("Flush", body).finish().map(|()| Message::Flush),
            tag::SYNC => Reader::new("Sync", body).finish().map(|()| Message::Sync),
            tag::COPY_DATA => Ok(Message::CopyData(body)),
            tag::COPY_DONE => Reader::new("CopyDone", body).finish().map(|()| Message::CopyDone),
            tag::COPY_FAIL => copy_fail_body(Reader::new("CopyFail", body)),
            tag::FUNCTION_CALL => {
                FunctionCall::read(Reader::new("FunctionCall", body)).map(Message::FunctionCall)
            }
            tag::AUTHENTICATION => Ok(Message::Authentication(body)),
            tag::TERMINATE => Reader::new("Terminate", body).finish().map(|()| Message::Terminate),
            tag => Err(Error::UnknownMessage { tag }),
        }
    }
}

fn query_body(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let sql = reader.str()?;
    reader.finish().map(|()| Message::Query { sql })
}

fn parse_body(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let (name, sql) = (reader.str()?, reader.str()?);
    let parameter_types = Oids::read(&mut reader)?;
    reader.finish().map(|()| Message::Parse { name, sql, parameter_types })
}

fn execute_body(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let portal = reader.str()?;
    let rows_max = u32::try_from(reader.i32()?).unwrap_or(0);
    reader.finish().map(|()| Message::Execute { portal, rows_max })
}

fn copy_fail_body(mut reader: Reader<'_>) -> Result<Message<'_>, Error> {
    let reason = reader.str()?;
    reader.finish().map(|()| Message::CopyFail { reason })
}

impl<'a> Target<'a> {
    fn read(mut reader: Reader<'a>) -> Result<Target<'a>, Error> {
        let (kind, name) = (reader.u8()?, reader.str()?);
        let target = match kind {
            b'S' => Target::Statement(name),
            b'P' => Target::Portal(name),
            kind => return Err(reader.bad_field("subtype", kind)),
        };
        reader.finish().map(|()| target)
    }
}

#[cfg(test)]
mod tests;
