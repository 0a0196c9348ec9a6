//! The statements that a handler answers itself: those about databases, users and processes of the fleet, and what
//! drivers ask of any server when they connect. Everything else is refused, with a hint.

mod cursor;
mod directives;
mod lists;
mod parse;
mod placement;
mod run;
mod scalar;
mod show;
mod statement;
mod table;

pub(crate) use parse::parse;
pub(crate) use run::{Asker, run};
pub(crate) use scalar::greeting;
pub(crate) use statement::Statement;
pub(crate) use table::{Answer, Cell, Column, Kind, Row, write_columns, write_row};
