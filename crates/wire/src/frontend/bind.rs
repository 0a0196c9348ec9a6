//! The two messages that carry values with formats: Bind and FunctionCall.

use super::{Error, Format, Formats, Oid, Reader, Values};

/// Makes a portal from a statement and its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Empty for the unnamed portal.
    pub portal: &'a str,
    /// Empty for the unnamed statement.
    pub statement: &'a str,
    /// Formats of the parameters; fit them by construction.
    pub parameter_formats: Formats<'a>,
    /// The parameters.
    pub parameters: Values<'a>,
    /// Formats wanted for the result's columns; see [`Formats::check_columns`].
    pub result_formats: Formats<'a>,
}

impl<'a> Bind<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Bind<'a>, Error> {
        let (portal, statement) = (reader.str()?, reader.str()?);
        let (parameter_formats, parameters) = formatted_values(&mut reader)?;
        let result_formats = Formats::read(&mut reader)?;
        reader.finish()?;
        Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
    }
}

/// Calls a function by its identifier: an interface that PostgreSQL keeps for old clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionCall<'a> {
    /// The function.
    pub function: Oid,
    /// Formats of the arguments; fit them by construction.
    pub argument_formats: Formats<'a>,
    /// The arguments.
    pub arguments: Values<'a>,
    /// Format wanted for the result.
    pub result_format: Format,
}

impl<'a> FunctionCall<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<FunctionCall<'a>, Error> {
        let function = Oid(reader.u32()?);
        let (argument_formats, arguments) = formatted_values(&mut reader)?;
        let result_format = Format::from_code(reader.i16()?)?;
        reader.finish()?;
        Ok(FunctionCall { function, argument_formats, arguments, result_format })
    }
}

fn formatted_values<'a>(reader: &mut Reader<'a>) -> Result<(Formats<'a>, Values<'a>), Error> {
    let formats = Formats::read(reader)?;
    let values = Values::read(reader)?;
    if !formats.fit(values.len()) {
        return Err(Error::ParameterFormats { formats: formats.len(), parameters: values.len() });
    }
    Ok((formats, values))
}
