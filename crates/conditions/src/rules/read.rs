//! Reading a file.

use std::{collections::BTreeMap, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    Problems, Rules,
    section::{Page, Section},
};
use crate::{
    Action, Bound, Clause, Combine, Filter, Kind, Per, Rule, Source, Take, Tell,
    limits::{CLAUSES_MAX, RULES_MAX, SAMPLES_MAX},
    sources,
};

const FILTER: &str =
    "\"all\", \"performance\", \"failure\", or a list of sources like [\"cpu_used_ratio\", \"errors.*\"]";

/// Lays a file over rules that are there already.
pub fn read(file: &str, text: &str, mut rules: Rules) -> Result<Rules, Problems> {
    let mut page = Page::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = page.line(error.span().map_or(0, |span| span.start));
        page.complain(line, format!("not TOML: {}", error.message()));
    }
    let mut section = Section::new(&mut page, "the file".into(), root.get_ref());
    if let Some(filter) = filter(&mut section) {
        rules.filter = filter;
    }
    rules.every = section.millis("every_ms", 10).unwrap_or(rules.every);
    rules.fresh = section.millis("fresh_ms", 10).unwrap_or(rules.fresh);
    let dry_run = section.flag("dry_run").unwrap_or(false);
    off(&mut section, &mut rules);
    let given = section.take("rule");
    section.finish();
    match given {
        None => {}
        Some((_, DeValue::Table(table))) => {
            for (name, value) in table {
                let line = page.line(name.span().start);
                let name = name.get_ref();
                match (name.parse::<Kind>(), value.get_ref()) {
                    (Ok(kind), DeValue::Table(table)) => {
                        if let Some(rule) = rule(&mut page, kind, table) {
                            rules.rules.insert(rule.kind.clone(), rule);
                        }
                    }
                    (Ok(_), _) => {
                        page.complain(line, format!("rule {name:?} must be a table, [rule.{name}]"))
                    }
                    (Err(error), _) => page.complain(line, error.to_string()),
                }
            }
        }
        Some((line, _)) => page.complain(line, "`rule` must be tables, like [rule.overload]".into()),
    }
    if rules.rules.len() > RULES_MAX {
        page.complain(1, format!("there are {} rules, {RULES_MAX} at most are possible", rules.rules.len()));
    }
    if dry_run {
        rules.rules.values_mut().for_each(|rule| rule.dry_run = true);
    }
    let mut problems = page.problems;
    if problems.is_empty() {
        return Ok(rules);
    }
    problems.sort_by_key(|problem| problem.line);
    Err(Problems { file: file.into(), problems })
}

fn filter(section: &mut Section<'_, '_>) -> Option<Filter> {
    let (line, value) = section.take("filter")?;
    let one = value.as_str().map(|one| vec![one.to_owned()]);
    let list = value.as_array().and_then(|items| {
        items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    let Some(words) = one.or(list) else {
        section.complain(line, format!("`filter` must be {FILTER}"));
        return None;
    };
    Filter::of(&words).map_err(|error| section.complain(line, format!("`filter`: {error}"))).ok()
}

/// Rules that are not wanted.
fn off(section: &mut Section<'_, '_>, rules: &mut Rules) {
    let Some((line, names)) = section.texts("off", "a list of conditions") else { return };
    for name in names {
        if rules.rules.remove(name.as_str()).is_none() {
            let there = rules.rules.keys().map(Kind::to_string).collect::<Vec<_>>().join(", ");
            section.complain(line, format!("`off`: there is no rule {name:?}; there are {there}"));
        }
    }
}

fn rule(page: &mut Page, kind: Kind, table: &DeTable<'_>) -> Option<Rule> {
    let before = page.problems.len();
    let mut section = Section::new(page, format!("rule {kind}"), table);
    let what = section.text("what", "a text in quotes").map(|(_, what)| what);
    let combine = section.one_of("combine", &[(Combine::All, "all"), (Combine::Any, "any")]);
    let per = section.one_of("per", &[(Per::Server, "server"), (Per::Database, "database")]);
    let held_for = section.millis("for_ms", 0);
    let clear_for = section.millis("clear_for_ms", 0);
    let dry_run = section.flag("dry_run");
    let actions = actions(&mut section);
    let (given, told) = (section.take("if"), section.take("tell"));
    section.finish();
    let tells = match told {
        None => Vec::new(),
        Some((_, DeValue::Array(items))) if items.len() <= CLAUSES_MAX => {
            let one = |item: &toml::Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::Table(table) => tell(page, item.span().start, &kind, table),
                _ => {
                    let line = page.line(item.span().start);
                    page.complain(
                        line,
                        format!("rule {kind}: `tell` must be tables, like [[rule.{kind}.tell]]"),
                    );
                    None
                }
            };
            items.iter().filter_map(one).collect()
        }
        Some((line, _)) => {
            let what =
                format!("rule {kind}: `tell` must be 1 to {CLAUSES_MAX} tables, like [[rule.{kind}.tell]]");
            page.complain(line, what);
            Vec::new()
        }
    };
    let clauses = match given {
        None => Vec::new(),
        Some((_, DeValue::Array(items))) if items.len() <= CLAUSES_MAX => {
            let clause = |item: &toml::Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::Table(table) => clause(page, item.span().start, &kind, table),
                _ => {
                    let line = page.line(item.span().start);
                    page.complain(line, format!("rule {kind}: `if` must be tables, like [[rule.{kind}.if]]"));
                    None
                }
            };
            items.iter().filter_map(clause).collect()
        }
        Some((line, _)) => {
            let what =
                format!("rule {kind}: `if` must be 1 to {CLAUSES_MAX} tables, like [[rule.{kind}.if]]");
            page.complain(line, what);
            Vec::new()
        }
    };
    if page.problems.len() > before {
        return None;
    }
    Some(Rule {
        what: what.unwrap_or_default(),
        combine: combine.unwrap_or_default(),
        clauses,
        held_for: held_for.unwrap_or_default(),
        clear_for: clear_for.unwrap_or_default(),
        per: per.unwrap_or_default(),
        actions,
        tells,
        dry_run: dry_run.unwrap_or(false),
        kind,
    })
}

fn actions(section: &mut Section<'_, '_>) -> Vec<Action> {
    let allowed = || Action::ALL.map(|action| format!("{:?}", action.name())).join(", ");
    let Some((line, names)) = section.texts("actions", &format!("a list of {}", allowed())) else {
        return Vec::new();
    };
    let mut actions = Vec::new();
    for name in names {
        match Action::ALL.into_iter().find(|action| action.name() == name) {
            Some(action) => actions.push(action),
            None => {
                section.complain(line, format!("`actions`: there is no {name:?}; there are {}", allowed()));
            }
        }
    }
    actions
}

/// What clients are told.
fn tell(page: &mut Page, at: usize, kind: &Kind, table: &DeTable<'_>) -> Option<Tell> {
    let line = page.line(at);
    let before = page.problems.len();
    let mut section = Section::new(page, format!("rule {kind}"), table);
    if !section.has("directive") {
        section.complain(line, "a `tell` needs its `directive`, like directive = \"information\"".into());
    }
    let directive = section.one_of("directive", &Tell::KINDS.map(|kind| (kind, kind.name())));
    let keys = directive.map_or(&[][..], Tell::keys);
    let mut numbers = BTreeMap::new();
    for key in std::iter::once(&"lifetime_ms").chain(keys) {
        if let Some(number) = section.whole(key, 0, directive::limits::NUMBER_MAX) {
            numbers.insert(*key, number);
        }
    }
    section.finish();
    let tell = Tell::new(directive?, kind.as_ref(), |key| numbers.get(key).copied())?;
    if let Err(refusal) = tell.check() {
        page.complain(line, format!("rule {kind}: a client would refuse this: {refusal}"));
    }
    (page.problems.len() == before).then_some(tell)
}

fn clause(page: &mut Page, at: usize, kind: &Kind, table: &DeTable<'_>) -> Option<Clause> {
    let line = page.line(at);
    let before = page.problems.len();
    let mut section = Section::new(page, format!("rule {kind}"), table);
    let source = source(&mut section, line);
    let take = section.one_of("take", &Take::ALL).unwrap_or(Take::Last);
    let over = section.millis("over_ms", 1);
    let samples_min = section.whole("samples_min", 1, SAMPLES_MAX as u64);
    let bound = bound(&mut section, line);
    if take != Take::Last && over.is_none() {
        section.complain(line, format!("`take = \"{take}\"` needs `over_ms`, the time that it looks back"));
    }
    if take == Take::Last && (over.is_some() || samples_min.is_some_and(|samples| samples > 1)) {
        let what = "`over_ms` and `samples_min` need a `take` of several samples, like \"mean\"";
        section.complain(line, what.into());
    }
    section.finish();
    if page.problems.len() > before {
        return None;
    }
    // A sum is good without any sample: nothing happened.
    let least = if take == Take::Sum { 0 } else { 1 };
    let samples_min = samples_min.map_or(least, |samples| usize::try_from(samples).unwrap_or(SAMPLES_MAX));
    Some(Clause { source: source?, take, over: over.unwrap_or(Duration::ZERO), bound: bound?, samples_min })
}

fn source(section: &mut Section<'_, '_>, line: usize) -> Option<Source> {
    let Some((line, text)) = section.text("source", "a source in quotes") else {
        section.complain(line, "a clause needs its `source`, like source = \"cpu_used_ratio\"".into());
        return None;
    };
    let source =
        text.parse().ok().filter(|source| sources::known(source).is_some() || sources::is_external(source));
    if source.is_none() {
        let known: Vec<&str> = sources::KNOWN.iter().map(|known| known.name).collect();
        let what = format!(
            "`source`: nothing is called {text:?}; there are {}, errors.CLASS with a class of SQLSTATE, and external.NAME",
            known.join(", ")
        );
        section.complain(line, what);
    }
    source
}

fn bound(section: &mut Section<'_, '_>, line: usize) -> Option<Bound> {
    if section.has("above") == section.has("below") {
        section.complain(line, "a clause needs either `above` or `below`, a number".into());
    }
    let (above, below, clear) = (section.number("above"), section.number("below"), section.number("clear"));
    let (bound, sound) = match (above, below) {
        (Some((_, raise)), None) => {
            let clear = clear.map_or(raise, |(_, clear)| clear);
            (Bound::Above { raise, clear }, clear <= raise)
        }
        (None, Some((_, raise))) => {
            let clear = clear.map_or(raise, |(_, clear)| clear);
            (Bound::Below { raise, clear }, clear >= raise)
        }
        (None, None) | (Some(_), Some(_)) => return None,
    };
    if !sound {
        let what = "`clear` must be on the good side: not over `above`, not under `below`";
        section.complain(clear.map_or(line, |(line, _)| line), what.into());
    }
    Some(bound)
}
