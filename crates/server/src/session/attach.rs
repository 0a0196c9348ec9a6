//! Which of a client's sessions a connection goes on with, and what it asks about that session's requests.

use std::ops::RangeInclusive;

use bytes::BytesMut;
use journal::{Position, Response, Settled};
use model::SessionId;
use rpc::session::{
    PARAM_BEGUN, PARAM_NUMBER, PARAM_SESSION, PARAM_SETTLE, SETTLE_MAX, STATUS_POSITION, STATUS_SETTLED,
    Settlement,
};
use wire::backend;

use crate::{answers::Ending, engine::Identity, measures, residency::Visit};

/// What a handler says of the client's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// The session.
    pub session: SessionId,
    /// The number of the first request that is new.
    pub number: u64,
    /// The requests to be settled.
    pub settle: Option<RangeInclusive<u64>>,
    /// What was durable before the session sent them.
    pub begun: Option<Position>,
}

impl Attach {
    /// Reads the parameters; nothing when the session has no id.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read<'a>(parameter: impl Fn(&str) -> Option<&'a str>) -> Result<Option<Self>, &'static str> {
        let rest = [PARAM_NUMBER, PARAM_SETTLE, PARAM_BEGUN].map(&parameter);
        let Some(session) = parameter(PARAM_SESSION) else {
            return match rest {
                [None, None, None] => Ok(None),
                _some => Err("requests were numbered without a session id"),
            };
        };
        let [number, settle, begun] = rest;
        Ok(Some(Self {
            session: session.parse().map_err(|_| "the session id is none")?,
            number: number.and_then(positive).ok_or("no number of the next request was given")?,
            settle: settle
                .map(|text| range(text).ok_or("the requests to be settled are no range"))
                .transpose()?,
            begun: begun.map(|text| position(text).ok_or("the position is none")).transpose()?,
        }))
    }

    /// Goes on with the session: ends its older connections and answers what is asked, into `out`.
    ///
    /// # Errors
    /// The words to end this connection with.
    pub async fn settle(&self, visit: &mut Visit, out: &mut BytesMut) -> Result<Identity, Ending> {
        visit.attach(self.session).await?;
        let settled = match &self.settle {
            Some(numbers) => {
                let last = numbers.start().saturating_add(SETTLE_MAX - 1).min(*numbers.end());
                visit.settle(self.session, *numbers.start()..=last, self.begun).await?
            }
            None => Vec::new(),
        };
        let next = report(self, visit.position(), settled, out)?;
        Ok(Identity { session: self.session, next })
    }
}

/// Answers by ParameterStatus, and tells which request comes next.
fn report(
    attach: &Attach,
    position: Position,
    settled: Vec<Settled>,
    out: &mut BytesMut,
) -> Result<u64, wire::Error> {
    backend::parameter_status(out, STATUS_POSITION, &position.to_string())?;
    let first = attach.settle.as_ref().map_or(attach.number, |numbers| *numbers.start());
    let mut next = attach.number;
    for (number, settled) in (first..).zip(settled) {
        if settled == Settled::Absent {
            next = next.min(number);
        }
        measures::settled(&settled);
        let settlement = Settlement { number, settled: told(settled) };
        backend::parameter_status(out, STATUS_SETTLED, &settlement.to_string())?;
    }
    Ok(next)
}

fn told(settled: Settled) -> rpc::session::Settled {
    use rpc::session::Settled as Told;
    match settled {
        Settled::Committed(Response::Kept(bytes)) => Told::Answered(bytes),
        Settled::Committed(Response::TooLong(_)) => Told::Done,
        Settled::Absent => Told::Absent,
        Settled::Unknown => Told::Unknown,
    }
}

fn range(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (positive(first)?, positive(last)?);
    (first <= last).then_some(first..=last)
}

fn position(text: &str) -> Option<Position> {
    decimal(text).and_then(Position::new)
}

fn positive(text: &str) -> Option<u64> {
    // The last one has a successor.
    decimal(text).filter(|number| (1..u64::MAX).contains(number))
}

/// Digits alone: the standard library takes a sign, too.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "000000000000000000000000000a11ce";

    fn read(given: &[(&str, &'static str)]) -> Result<Option<Attach>, &'static str> {
        Attach::read(|name| given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value))
    }

    #[test]
    fn without_an_id_nothing_is_numbered() {
        assert_eq!(read(&[]), Ok(None));
        for name in [PARAM_NUMBER, PARAM_SETTLE, PARAM_BEGUN] {
            assert!(read(&[(name, "1")]).is_err(), "{name}");
        }
    }

    #[test]
    fn everything_that_is_said_is_read() {
        let first = Attach { session: SessionId(0xa11ce), number: 1, settle: None, begun: None };
        assert_eq!(read(&[(PARAM_SESSION, ID), (PARAM_NUMBER, "1")]), Ok(Some(first.clone())));
        let all = [(PARAM_SESSION, ID), (PARAM_NUMBER, "9"), (PARAM_SETTLE, "7-8"), (PARAM_BEGUN, "12")];
        let attach = Attach { number: 9, settle: Some(7..=8), begun: Position::new(12), ..first };
        assert_eq!(read(&all), Ok(Some(attach)));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for (name, values) in [
            (PARAM_SESSION, &["", "a11ce", "+00000000000000000000000000a11ce"][..]),
            (PARAM_NUMBER, &["", "0", "-1", "+1", "1 ", "18446744073709551615", "18446744073709551616"]),
            (PARAM_SETTLE, &["", "1", "2-1", "0-1", "1-", "-1", "1-2-3", "1-+2"]),
            (PARAM_BEGUN, &["", "-1", "x", "9223372036854775808"]),
        ] {
            for value in values {
                let sound = [(PARAM_SESSION, ID), (PARAM_NUMBER, "1")];
                let given: Vec<_> = std::iter::once((name, *value))
                    .chain(sound.into_iter().filter(|(n, _)| *n != name))
                    .collect();
                assert!(read(&given).is_err(), "{name} = {value:?}");
            }
        }
        assert!(read(&[(PARAM_SESSION, ID)]).is_err(), "the number is missing");
    }
}
