//! What is told of what was seen, as it is seen and at the end.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};
use glob::Pattern;
use serde_json::{Value as Json, json};

use super::{CHECKS, Check, Sighting, What};
use crate::case::Level;

const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = AnsiColor::BrightBlack.on_default();

/// So many violations of one kind are told when they are seen; the others are counted.
const TOLD: u64 = 10;

/// All violations, counted by check and side.
#[derive(Debug, Default)]
pub struct Tally {
    /// By the place of the check, and who it was.
    kinds: BTreeMap<(usize, &'static str), Kind>,
    /// How many connections were seen, and how many events on them.
    pub connections: u64,
    /// Events on connections that have ended.
    pub events: u64,
    /// Connections that are encrypted or could not be read for another reason.
    pub unread: u64,
    /// Connections of a capture that are not ZMTP.
    pub others: u64,
}

#[derive(Debug)]
struct Kind {
    check: &'static Check,
    times: u64,
    /// Where it was seen first.
    first: String,
}

impl Tally {
    fn note(
        &mut self,
        check: &'static Check,
        who: &'static str,
        first: impl Fn() -> String,
    ) -> u64 {
        let place = CHECKS.iter().position(|it| *it == check).unwrap_or(CHECKS.len());
        let kind = self.kinds.entry((place, who)).or_insert_with(|| Kind {
            check,
            times: 0,
            first: first(),
        });
        kind.times += 1;
        kind.times
    }

    /// How many checks of this level found something, on either side.
    #[must_use]
    pub fn broken(&self, level: Level) -> usize {
        self.kinds.values().filter(|kind| kind.check.level == level).count()
    }

    fn lines(&self) -> impl Iterator<Item = (&'static str, &Kind)> {
        self.kinds.iter().map(|((_, who), kind)| (*who, kind))
    }

    fn human(&self) -> String {
        let mut text = String::new();
        for (who, kind) in self.lines() {
            let Check { rule, level, name, explain } = kind.check;
            let times = match kind.times {
                1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "{BAD}{rule}{BAD:#} ({level}, {name}) by the {who}, {times}: {explain}\n    first {}",
                kind.first
            );
        }
        let unread = match self.unread {
            0 => String::new(),
            count => format!(", {count} of them unreadable"),
        };
        let others = match self.others {
            0 => String::new(),
            count => format!(" ({count} others are no ZMTP)"),
        };
        let [must, should, may] =
            [Level::Must, Level::Should, Level::May].map(|it| self.broken(it));
        let _ = writeln!(
            text,
            "{}{unread}{others}, {}: {} of violations ({must} MUST, {should} SHOULD, {may} MAY)",
            counted(self.connections, "connection"),
            counted(self.events, "event"),
            counted(self.kinds.len() as u64, "kind"),
        );
        text
    }

    fn json(&self) -> Json {
        let violations: Vec<Json> = self
            .lines()
            .map(|(who, kind)| {
                json!({
                    "side": who,
                    "rule": kind.check.rule,
                    "level": kind.check.level.word(),
                    "check": kind.check.name,
                    "times": kind.times,
                    "first": kind.first,
                })
            })
            .collect();
        json!({ "summary": {
            "connections": self.connections,
            "unread": self.unread,
            "others": self.others,
            "events": self.events,
            "violations": violations,
        }})
    }
}

/// Which violations are told, and in which form.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Checks whose name matches one of these; all where there is none.
    pub only: Vec<Pattern>,
    /// Rules of this level and those above it.
    pub level: Level,
    /// An object a line, for programs.
    pub json: bool,
}

impl Voice {
    /// Whether this is looked for.
    #[must_use]
    pub fn wants(&self, check: &Check) -> bool {
        let is_named = self.only.is_empty() || self.only.iter().any(|it| it.matches(check.name));
        is_named && check.level <= self.level
    }

    /// Tells what was seen on a connection, and counts it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(
        &self,
        out: &mut impl Write,
        tally: &mut Tally,
        connection: u32,
        sightings: &[Sighting],
    ) -> io::Result<()> {
        for sighting in sightings {
            if let Some(line) = self.line(tally, connection, sighting) {
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }

    fn line(&self, tally: &mut Tally, connection: u32, sighting: &Sighting) -> Option<String> {
        let seconds = sighting.at.as_secs_f64();
        let who = sighting.who.map_or("connection", |who| who.name);
        let lead = format!("{seconds:9.3} #{connection} {who:<10}");
        match &sighting.what {
            What::Said(words) if self.json => Some(
                json!({ "time": seconds, "connection": connection, "side": who, "said": words })
                    .to_string(),
            ),
            What::Said(words) => Some(format!("{DIM}{lead}{DIM:#} {words}")),
            What::Note(words) if self.json => Some(
                json!({ "time": seconds, "connection": connection, "side": who, "note": words })
                    .to_string(),
            ),
            What::Note(words) => Some(format!("{DIM}{lead} -- {words}{DIM:#}")),
            What::Broken { check, .. } if !self.wants(check) => None,
            What::Broken { check, words, said } => {
                let place = || format!("at {seconds:.3} on #{connection}: {words}");
                let times = tally.note(check, who, place);
                if times > TOLD {
                    return None;
                }
                if self.json {
                    return Some(
                        json!({
                            "time": seconds,
                            "connection": connection,
                            "side": who,
                            "rule": check.rule,
                            "level": check.level.word(),
                            "check": check.name,
                            "seen": words,
                            "message": said,
                        })
                        .to_string(),
                    );
                }
                let Check { rule, level, name, .. } = check;
                let mut text =
                    format!("{lead} {BAD}breaks {rule}{BAD:#} ({level}, {name}): {words}");
                if let Some(said) = said {
                    let _ = write!(text, "\n{DIM}{:>24} {said}{DIM:#}", "in");
                }
                if times == TOLD {
                    let _ = write!(
                        text,
                        "\n{DIM}{:>24} further ones of this kind are counted, and not shown{DIM:#}",
                        "--"
                    );
                }
                Some(text)
            }
        }
    }

    /// The end of what is told.
    #[must_use]
    pub fn summary(&self, tally: &Tally) -> String {
        if self.json { format!("{}\n", tally.json()) } else { format!("\n{}", tally.human()) }
    }
}

/// `1 event`, `2 events`.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
