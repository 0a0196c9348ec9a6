//! Histories: what was invoked, and what came of it.
//!
//! The form is Jepsen's: `{:index 0, :type :invoke, :process 3, :time 123, :f :txn, :value [[:append 7 1]]}`.
//! `:fail` says that it surely had no effect, `:info` that nobody knows; the process of an `:info` is used no more.

use std::collections::BTreeMap;

use crate::{Edn, edn};

/// What kind of entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody asks for something.
    Invoke,
    /// It was done.
    Ok,
    /// It was not done and never will be.
    Fail,
    /// Nobody knows; also everything that the nemesis does.
    Info,
}

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// A client; it does one thing at a time.
    Client(i64),
    /// Who makes the faults.
    Nemesis,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What kind of entry it is.
    pub kind: Kind,
    /// Who.
    pub process: Process,
    /// Nanoseconds since the run began.
    pub time: u64,
    /// What is asked for.
    pub f: String,
    /// With which values, or which came of it.
    pub value: Edn,
    /// More, which checkers pass over: `:error`, `:node`.
    pub extra: Vec<(String, Edn)>,
}

/// Entries in the order in which they happened; their place is their index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The entries.
    pub events: Vec<Event>,
}

/// An invocation and what came of it.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// Where the invocation stands.
    pub invoked: usize,
    /// Where its end stands; `None` when there is none or nobody knows what became of it.
    pub ended: Option<usize>,
    /// The invocation.
    pub invocation: &'a Event,
    /// Its end, `:info` included; `None` when the history ends first.
    pub completion: Option<&'a Event>,
}

/// A text that is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAHistory {
    /// It is not EDN.
    #[error("it is not EDN")]
    Unreadable(#[from] edn::Unreadable),
    /// An entry lacks something.
    #[error("entry {at} has no readable :{what}")]
    Incomplete {
        /// Which, from 0.
        at: usize,
        /// What it lacks.
        what: &'static str,
    },
}

impl Operation<'_> {
    /// What became of it: `Info` also when the history ends first.
    pub fn kind(&self) -> Kind {
        self.completion.map_or(Kind::Info, |event| event.kind)
    }

    /// The values that it ended with, when it was done; those that it began with otherwise.
    pub fn value(&self) -> &Edn {
        match self.completion {
            Some(event) if event.kind == Kind::Ok => &event.value,
            _ => &self.invocation.value,
        }
    }
}

impl History {
    /// What clients did with one of these functions, or with any when there are none, in the order of invocation.
    pub fn operations(&self, functions: &[&str]) -> Vec<Operation<'_>> {
        let mut operations: Vec<Operation<'_>> = Vec::new();
        let mut open: BTreeMap<Process, usize> = BTreeMap::new();
        for (index, event) in self.events.iter().enumerate() {
            if event.process == Process::Nemesis {
                continue;
            }
            if event.kind == Kind::Invoke {
                open.insert(event.process, operations.len());
                operations.push(Operation {
                    invoked: index,
                    ended: None,
                    invocation: event,
                    completion: None,
                });
            } else if let Some(at) = open.remove(&event.process) {
                operations[at].completion = Some(event);
                operations[at].ended = (event.kind != Kind::Info).then_some(index);
            }
        }
        operations.retain(|operation| functions.is_empty() || functions.contains(&&*operation.invocation.f));
        operations
    }

    /// Writes it, one line for each entry.
    pub fn to_edn(&self) -> String {
        let lines = self.events.iter().enumerate().map(|(index, event)| format!("{}\n", event.to_edn(index)));
        lines.collect()
    }

    /// Reads what [`History::to_edn`] or Jepsen wrote: maps, or one vector of maps.
    ///
    /// # Errors
    /// When it is no EDN, or an entry lacks something.
    pub fn from_edn(text: &str) -> Result<Self, NotAHistory> {
        let mut values = edn::read(text)?;
        if let [Edn::Vector(_)] = &values[..]
            && let Some(Edn::Vector(items)) = values.pop()
        {
            values = items;
        }
        let events = values.iter().enumerate().map(|(at, value)| Event::from_edn(at, value));
        Ok(Self { events: events.collect::<Result<_, _>>()? })
    }
}

impl Event {
    fn to_edn(&self, index: usize) -> Edn {
        let kind = match self.kind {
            Kind::Invoke => "invoke",
            Kind::Ok => "ok",
            Kind::Fail => "fail",
            Kind::Info => "info",
        };
        let process = match self.process {
            Process::Client(number) => Edn::Int(number),
            Process::Nemesis => Edn::keyword("nemesis"),
        };
        let number = |number: u64| Edn::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let pairs = [
            ("index", number(index as u64)),
            ("type", Edn::keyword(kind)),
            ("process", process),
            ("time", number(self.time)),
            ("f", Edn::keyword(&self.f)),
            ("value", self.value.clone()),
        ];
        let extra = self.extra.iter().map(|(key, value)| (Edn::keyword(key), value.clone()));
        Edn::Map(pairs.into_iter().map(|(key, value)| (Edn::keyword(key), value)).chain(extra).collect())
    }

    fn from_edn(at: usize, entry: &Edn) -> Result<Self, NotAHistory> {
        let lacks = |what| NotAHistory::Incomplete { at, what };
        let kind = match entry.get("type").and_then(Edn::name) {
            Some("invoke") => Kind::Invoke,
            Some("ok") => Kind::Ok,
            Some("fail") => Kind::Fail,
            Some("info") => Kind::Info,
            _ => return Err(lacks("type")),
        };
        let process = match entry.get("process") {
            Some(Edn::Int(number)) => Process::Client(*number),
            Some(Edn::Keyword(_)) => Process::Nemesis,
            _ => return Err(lacks("process")),
        };
        let f = entry.get("f").and_then(Edn::name).ok_or(lacks("f"))?.to_owned();
        // Some tools leave times out; nothing but plots needs them.
        let time =
            entry.get("time").and_then(Edn::int).and_then(|time| u64::try_from(time).ok()).unwrap_or(0);
        let value = entry.get("value").cloned().unwrap_or(Edn::Nil);
        let known = ["index", "type", "process", "time", "f", "value"];
        let Edn::Map(pairs) = entry else { return Err(lacks("type")) };
        let extra = pairs.iter().filter_map(|(key, value)| {
            let key = key.name().filter(|key| !known.contains(key))?;
            Some((key.to_owned(), value.clone()))
        });
        Ok(Self { kind, process, time, f, value, extra: extra.collect() })
    }
}

/// A history of `(process, type, f, value)` lines.
#[cfg(test)]
pub fn script(lines: &[(i64, &str, &str, &str)]) -> History {
    let line = |(process, kind, f, value): &(i64, &str, &str, &str)| {
        format!("{{:process {process} :type :{kind} :f :{f} :value {value}}}")
    };
    History::from_edn(&lines.iter().map(line).collect::<String>()).expect("a good script")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
{:index 0, :type :invoke, :process 0, :time 10, :f :write, :value [1 2]}
{:index 1, :type :info, :process :nemesis, :time 15, :f :start-kill, :value nil}
{:index 2, :type :invoke, :process 1, :time 20, :f :read, :value [1 nil]}
{:index 3, :type :info, :process 0, :time 30, :f :write, :value [1 2], :error \"lost\"}
{:index 4, :type :ok, :process 1, :time 40, :f :read, :value [1 2], :node \"handler-1\"}
";

    #[test]
    fn a_history_is_written_as_it_was_read() {
        let history = History::from_edn(TEXT).expect("it can be read");
        assert_eq!(history.to_edn(), TEXT);
        assert_eq!(History::from_edn(&format!("[{TEXT}]")), Ok(history));
    }

    #[test]
    fn invocations_are_paired_with_their_ends() {
        let history = History::from_edn(TEXT).expect("it can be read");
        let all = history.operations(&[]);
        assert_eq!(
            all.iter().map(|o| (o.invoked, o.ended, o.kind())).collect::<Vec<_>>(),
            [(0, None, Kind::Info), (2, Some(4), Kind::Ok)]
        );
        assert_eq!(all[1].value().to_string(), "[1 2]");
        assert_eq!(history.operations(&["read"]).len(), 1);
    }

    #[test]
    fn an_entry_that_lacks_something_is_named() {
        let lacks = |text| History::from_edn(text).expect_err("it lacks something").to_string();
        assert_eq!(lacks("{:type :ok, :process 1}"), "entry 0 has no readable :f");
        assert_eq!(lacks("{:f :a, :process 1}"), "entry 0 has no readable :type");
        assert_eq!(lacks("{:f :a, :type :ok, :process 1.5}"), "entry 0 has no readable :process");
        assert_eq!(lacks("7"), "entry 0 has no readable :type");
    }
}
