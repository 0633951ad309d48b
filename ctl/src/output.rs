//! Writes tables for people and JSON for programs.

use std::io::{self, IsTerminal as _, Write};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::ProgressBar;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::{Failure, clock};

/// Where answers go, and how they are written.
pub struct Out {
    writer: Box<dyn Write + Send>,
    json: bool,
    zone: TimeZone,
    fixed_now: Option<Timestamp>,
    interactive: bool,
}

impl Out {
    /// Standard output, in the time zone of this machine.
    pub fn of_the_process(json: bool) -> Self {
        let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { writer: Box::new(io::stdout()), json, zone: TimeZone::system(), fixed_now: None, interactive }
    }

    /// For tests and for programs that embed the commands: nobody to ask, UTC, and a fixed time.
    pub fn fixed(writer: impl Write + Send + 'static, json: bool, now: Timestamp) -> Self {
        Self { writer: Box::new(writer), json, zone: TimeZone::UTC, fixed_now: Some(now), interactive: false }
    }

    /// Whether programs read it.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether somebody is there to answer a question.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// The time zone that times are read and written in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.fixed_now.unwrap_or_else(clock::now)
    }

    /// How large the terminal is that the answer goes to; 80 by 24 when it goes elsewhere.
    pub fn window(&self) -> Window {
        if self.fixed_now.is_some() {
            return USUAL;
        }
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or(USUAL, |size| Window { columns: size.ws_col.into(), rows: size.ws_row.into() })
    }

    /// One line.
    ///
    /// # Errors
    ///
    /// It cannot be written, as all methods below.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.writer, "{text}").and_then(|()| self.writer.flush()).map_err(Failure::Output)
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).and_then(|()| self.writer.flush()).map_err(Failure::Output)
    }

    /// That something was done: a line for people, nothing to read for programs.
    pub fn done(&mut self, text: &str) -> Result<(), Failure> {
        if self.json { Ok(()) } else { self.line(text) }
    }

    /// One thing: JSON, or the lines that `people` writes.
    pub fn one<T: Serialize>(
        &mut self,
        view: &T,
        people: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.json { self.pretty(view) } else { people(self) }
    }

    /// Several things: a JSON array, or a table with a row for each.
    pub fn list<T: Serialize>(
        &mut self,
        views: &[T],
        headers: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        if self.json {
            return self.pretty(&views);
        }
        let table = table(headers, views.iter().map(row));
        self.line(&table)
    }

    /// One message of a stream: a JSON object in one line.
    pub fn json_line<T: Serialize>(&mut self, view: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(view).map_err(|error| Failure::Output(error.into()))?;
        self.line(&text)
    }

    /// Names and values below each other; empty values are left out.
    pub fn fields(&mut self, fields: &[(&str, String)]) -> Result<(), Failure> {
        let shown = fields.iter().filter(|(_, value)| !value.is_empty());
        let width = shown.clone().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in shown {
            self.line(&format!("{name:<width$}  {value}"))?;
        }
        Ok(())
    }

    /// A sentence beside the answer, on standard error, so that pipes stay clean.
    pub fn note(&self, text: &str) {
        if !self.json {
            eprintln!("{text}");
        }
    }

    /// Shows that work goes on, until the guard is dropped. Nothing unless somebody looks.
    pub fn working(&self, text: &str) -> Working {
        if !self.interactive || self.json {
            return Working(None);
        }
        let bar = ProgressBar::new_spinner().with_message(text.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Working(Some(bar))
    }

    /// Asks before something that cannot be undone.
    ///
    /// # Errors
    ///
    /// The answer is no, or nobody is there to ask.
    pub fn confirm(&self, question: &str, yes: bool) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if !self.interactive {
            return Err(Failure::Usage(format!("{question} Nobody is here to ask: pass --yes if it is meant")));
        }
        eprint!("{question} [y/N] ");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(Failure::Output)?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::Other("nothing was changed".to_owned())),
        }
    }

    fn pretty<T: Serialize>(&mut self, view: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(view).map_err(|error| Failure::Output(error.into()))?;
        self.line(&text)
    }
}

/// The terminal's size in characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// From left to right.
    pub columns: usize,
    /// From top to bottom.
    pub rows: usize,
}

/// What is drawn for where nobody says how large it is.
const USUAL: Window = Window { columns: 80, rows: 24 };

/// A spinner while it lives.
pub struct Working(Option<ProgressBar>);

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A table without lines, as `ls` and `docker ps` write theirs.
pub fn table(headers: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headers.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was written, for tests to look at.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        /// Writes here; the time is 2026-11-22 15:00 UTC.
        pub(crate) fn out(&self, json: bool) -> Out {
            Out::fixed(self.clone(), json, "2026-11-22T15:00:00Z".parse().expect("a time"))
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("text")
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_table_has_no_lines_and_no_trailing_spaces() {
        let rows = [vec!["fridge".to_owned(), "online".to_owned()], vec!["b".to_owned(), "offline".to_owned()]];
        insta::assert_snapshot!(table(&["NAME", "STATE"], rows.into_iter()), @r"
        NAME    STATE
        fridge  online
        b       offline
        ");
    }

    #[test]
    fn nobody_there_means_no() {
        let out = Out::fixed(io::sink(), false, Timestamp::UNIX_EPOCH);
        assert!(matches!(out.confirm("Delete it all?", false), Err(Failure::Usage(_))));
        assert!(out.confirm("Delete it all?", true).is_ok());
    }
}
