//! The bytes of one direction of a TCP connection, in order.

use std::collections::BTreeMap;

/// So many bytes may wait for those in front of them; then these are taken for lost.
const MOST_WAITING: usize = 64 << 20;

/// What can be read on.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// So many bytes are not in the capture.
    Gap(u64),
    /// The direction ends.
    End,
}

/// Segments that may come twice, in pieces, and in any order.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// The sequence number of the first byte.
    base: Option<u32>,
    /// How many bytes were handed on, lost ones included.
    next: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
    waiting_bytes: usize,
    /// Up to where the other side has them all.
    acknowledged: u64,
    /// Where the direction ends.
    end: Option<u64>,
    has_ended: bool,
}

impl Reassembly {
    /// Whether anything of it was seen.
    pub(super) fn has_begun(&self) -> bool {
        self.base.is_some()
    }

    /// The first byte will have this number.
    pub(super) fn begin(&mut self, sequence: u32) {
        self.base.get_or_insert(sequence);
    }

    /// Whether its first byte has this number.
    pub(super) fn begins_at(&self, sequence: u32) -> bool {
        self.base == Some(sequence)
    }

    /// The place of a sequence number, which is not far from what comes next.
    fn place(&self, sequence: u32) -> i64 {
        let base = self.base.unwrap_or(sequence);
        let expected = base.wrapping_add(self.next as u32);
        self.next as i64 + i64::from(sequence.wrapping_sub(expected) as i32)
    }

    /// A segment.
    pub(super) fn add(&mut self, sequence: u32, payload: &[u8], fin: bool) {
        self.begin(sequence);
        let place = self.place(sequence);
        let end = place + payload.len() as i64;
        if fin && let Ok(end) = u64::try_from(end) {
            self.end = Some(end);
        }
        let known = self.next as i64 - place;
        let skipped = usize::try_from(known).unwrap_or(0);
        let (Some(fresh), Ok(at)) =
            (payload.get(skipped..), u64::try_from(place.max(self.next as i64)))
        else {
            return;
        };
        if fresh.is_empty() {
            return;
        }
        let before = self.waiting.get(&at).map_or(0, Vec::len);
        if before < fresh.len() {
            self.waiting_bytes += fresh.len() - before;
            self.waiting.insert(at, fresh.to_vec());
        }
    }

    /// The other side has everything before this number.
    pub(super) fn acknowledge(&mut self, sequence: u32) {
        if self.base.is_some()
            && let Ok(place) = u64::try_from(self.place(sequence))
        {
            self.acknowledged = self.acknowledged.max(place);
        }
    }

    /// What can be handed on now. `is_over` says that nothing more will come.
    pub(super) fn next(&mut self, is_over: bool) -> Option<Piece> {
        while let Some(first) = self.waiting.first_entry() {
            let at = *first.key();
            if at > self.next {
                let is_lost =
                    is_over || self.acknowledged >= at || self.waiting_bytes > MOST_WAITING;
                if !is_lost {
                    break;
                }
                let gap = at - self.next;
                self.next = at;
                return Some(Piece::Gap(gap));
            }
            let bytes = first.remove();
            self.waiting_bytes -= bytes.len();
            // Its beginning may have come meanwhile, in another segment.
            let known = usize::try_from(self.next - at).unwrap_or(usize::MAX);
            if let Some(fresh) = bytes.get(known..).filter(|fresh| !fresh.is_empty()) {
                self.next += fresh.len() as u64;
                return Some(Piece::Bytes(fresh.to_vec()));
            }
        }
        let is_end = self.end.is_some_and(|end| self.next >= end) && !self.has_ended;
        is_end.then(|| {
            self.has_ended = true;
            Piece::End
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pieces of segments `(number, bytes)` of a direction that begins at `base`.
    fn read(base: u32, segments: &[(u32, &str)]) -> (Reassembly, Vec<Piece>) {
        let mut reassembly = Reassembly::default();
        reassembly.begin(base);
        let mut pieces = Vec::new();
        for (sequence, bytes) in segments {
            reassembly.add(base.wrapping_add(*sequence), bytes.as_bytes(), false);
            pieces.extend(std::iter::from_fn(|| reassembly.next(false)));
        }
        (reassembly, pieces)
    }

    fn text(pieces: &[Piece]) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Piece::Gap(count) => format!("<{count}>"),
            Piece::End => "!".to_owned(),
        };
        pieces.iter().map(piece).collect()
    }

    #[test]
    fn order_repetition_and_overlap_do_not_matter() {
        for base in [0, 7, u32::MAX - 3] {
            for segments in [
                &[(0, "abc"), (3, "def"), (6, "ghi")][..],
                &[(3, "def"), (0, "abc"), (6, "ghi")],
                &[(6, "ghi"), (3, "def"), (0, "abc")],
                &[(0, "abc"), (0, "abc"), (3, "def"), (3, "de"), (6, "ghi"), (0, "abc")],
                &[(0, "abcd"), (2, "cdefg"), (6, "ghi")],
                &[(3, "d"), (3, "def"), (2, "cdefghi"), (0, "abc")],
            ] {
                assert_eq!(text(&read(base, segments).1), "abcdefghi", "{base}: {segments:?}");
            }
        }
    }

    #[test]
    fn what_the_other_side_has_and_the_capture_lacks_is_a_gap() {
        let (mut reassembly, pieces) = read(100, &[(0, "abc"), (5, "fgh")]);
        assert_eq!(text(&pieces), "abc");
        reassembly.acknowledge(103);
        assert_eq!(reassembly.next(false), None);
        reassembly.acknowledge(108);
        assert_eq!(text(&[reassembly.next(false).expect("it is lost")]), "<2>");
        assert_eq!(text(&[reassembly.next(false).expect("what follows")]), "fgh");
        let (mut reassembly, _) = read(100, &[(5, "fgh")]);
        assert_eq!(reassembly.next(true), Some(Piece::Gap(5)));
    }

    #[test]
    fn the_end_comes_behind_everything() {
        let mut reassembly = Reassembly::default();
        reassembly.add(10, b"", false);
        reassembly.add(13, b"def", true);
        assert_eq!(reassembly.next(false), None);
        reassembly.add(10, b"abc", false);
        let pieces: Vec<Piece> = std::iter::from_fn(|| reassembly.next(false)).collect();
        assert_eq!(text(&pieces), "abcdef!");
    }
}
