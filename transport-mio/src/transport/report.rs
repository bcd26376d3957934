//! What is told at the log's default level of connections that come to nothing: one line once in a while, however many.

use std::{
    fmt, mem,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::{AcceptStats, PeerAddress};

/// How often. Not measured: as often as somebody may want to read it who watches a log.
const EVERY: Duration = Duration::from_secs(60);

/// Fewer are told one by one, if they are worth it: a screen of lines is still read.
const FEW: u64 = 10;

/// So many addresses are counted at a time: a bound, against addresses that are made up ...
const COUNTED: usize = 32;
/// ... of which so many are told.
const TOLD: usize = 3;

/// What is to be told next.
#[derive(Debug, Default)]
pub(super) struct Report {
    due: Option<Instant>,
    /// How many came to nothing meanwhile, those that merely went not counted.
    noted: u64,
    /// The counts as they were told last.
    told: AcceptStats,
    addresses: Addresses,
}

impl Report {
    /// Takes note of a connection that came to nothing.
    pub(super) fn note(&mut self, now: Instant, address: Option<PeerAddress>) {
        self.due.get_or_insert(now + EVERY);
        self.noted += 1;
        if let Some(address) = address {
            self.addresses.count(address);
        }
    }

    /// When there is something to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.noted >= FEW)
    }

    /// The line that is due, if any is.
    pub(super) fn poll(&mut self, now: Instant, stats: &AcceptStats) -> Option<String> {
        self.due.take_if(|due| *due <= now)?;
        let (addresses, noted) = (mem::take(&mut self.addresses), mem::take(&mut self.noted));
        let refused = stats.refused.since(&self.told.refused);
        let failed = stats.failed.since(&self.told.failed);
        self.told = stats.clone();
        if noted < FEW {
            return None;
        }
        let (refusals, failures) = (refused.total(), failed.total());
        let mut line =
            format!("{} connections came to nothing within a minute", refusals + failures);
        if refusals > 0 {
            line += &format!("; refused: {refused}");
        }
        if failures > 0 {
            line += &format!("; in their handshake: {failed}");
        }
        Some(line + &addresses.to_string())
    }
}

/// The addresses that come most often, of all that come (the algorithm of Misra and Gries): each that makes more than its
/// share of the whole is among them.
#[derive(Debug, Default)]
struct Addresses(Vec<(PeerAddress, u64)>);

impl Addresses {
    fn count(&mut self, address: PeerAddress) {
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| *known == address) {
            *count += 1;
        } else if self.0.len() < COUNTED {
            self.0.push((address, 1));
        } else {
            self.0.retain_mut(|(_, count)| {
                *count -= 1;
                *count > 0
            });
        }
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut most = self.0.clone();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (index, (address, count)) in most.iter().take(TOLD).enumerate() {
            let before = if index == 0 { "; most came from " } else { ", " };
            write!(f, "{before}{address} ({count} or more)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> PeerAddress {
        PeerAddress::of([10, 0, 0, number].into())
    }

    #[test]
    fn many_are_told_in_one_line_and_few_in_none() {
        let (mut report, mut stats, start) =
            (Report::default(), AcceptStats::default(), Instant::now());
        assert_eq!(report.due(), None);
        for number in 0..9 {
            report.note(start, Some(address(number)));
            stats.failed.broken += 1;
        }
        assert_eq!(report.due(), None, "too few for a timer");
        let due = start + EVERY;
        assert_eq!(report.poll(due, &stats), None, "and for a line");

        for number in 0..20 {
            report.note(due, Some(address(number % 2)));
        }
        stats.failed.broken += 12;
        stats.failed.left += 100;
        stats.refused.network += 8;
        assert_eq!(report.poll(due, &stats), None, "not yet");
        let due = report.due().expect("many were noted");
        let line = report.poll(due, &stats).expect("twenty are many");
        assert_eq!(
            line,
            "120 connections came to nothing within a minute; refused: 8 came from networks that may not connect; in \
             their handshake: 100 went away, 12 broke its rules; most came from 10.0.0.0 (10 or more), 10.0.0.1 (10 or \
             more)"
        );
    }

    #[test]
    fn whoever_comes_most_is_told_however_many_there_are() {
        let mut addresses = Addresses::default();
        for round in 0..200 {
            for number in 0..10 {
                addresses.count(address(100 + (round * 10 + number) as u8 % 100));
            }
            (0..5).for_each(|_| addresses.count(address(1)));
        }
        assert!(addresses.0.len() <= COUNTED);
        assert!(addresses.to_string().starts_with("; most came from 10.0.0.1 ("), "{addresses}");
    }
}
