//! What was seen of the processes that stay, and whether it is flat.

/// What a process needs at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Needs {
    /// Resident memory, in MiB.
    pub(crate) memory: f64,
    /// What of it is allocated and not freed.
    pub(crate) heap: f64,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

/// A kind of memory: its name, what there is of it, with which window the last one is compared, and the share and the MiB that
/// it may grow by.
type Kind = (&'static str, fn(&Needs) -> f64, (f64, f64), f64, f64);

/// What is in use lies around by chance. Fragments make more resident at first, in each arena of the allocator: what counts is
/// whether that comes to an end.
const KINDS: [Kind; 2] = [
    ("memory in use", |needs| needs.heap, FIRST, 0.02, 1.0),
    ("memory", |needs| needs.memory, MIDDLE, 0.1, 8.0),
];
/// How many threads more there may be at times: workers come and go with need.
const THREADS_SLACK: usize = 32;

/// What was seen at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Seconds since all were connected.
    pub(crate) at: f64,
    pub(crate) server: Needs,
    pub(crate) caller: Needs,
    /// Channels to the server that stays.
    pub(crate) open: usize,
    /// How often a peer was restarted so far.
    pub(crate) restarts: u32,
}

/// Shares of the time: when restarts begin and end, and what is compared with what.
pub(crate) const RESTARTS: (f64, f64) = (0.05, 0.9);
const FIRST: (f64, f64) = (0.15, 0.35);
const MIDDLE: (f64, f64) = (0.35, 0.65);
const LAST: (f64, f64) = (0.7, 0.9);

/// What is not flat, in words.
pub(crate) fn complaints(samples: &[Sample]) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in ["server", "caller"] {
        let needs = |sample: &Sample| match name {
            "server" => sample.server,
            _ => sample.caller,
        };
        let window = |share| -> Vec<Needs> { within(samples, share).map(needs).collect() };
        let [first, middle, last] = [FIRST, MIDDLE, LAST].map(window);
        if [&first, &middle, &last].iter().any(|window| window.is_empty()) {
            complaints.push(format!("too few samples of the {name}"));
            continue;
        }
        for (kind, of, from, share, slack) in KINDS {
            let [before, after] = [window(from), window(LAST)].map(|window| median(&window, of));
            if after > before * (1.0 + share) + slack {
                complaints
                    .push(format!("the {name}'s {kind} grew from {before:.1} to {after:.1} MiB"));
            }
        }
        let [before, after] = [&first, &last].map(|window| most_threads(window));
        if after > before + THREADS_SLACK {
            complaints.push(format!("the {name}'s threads grew from {before} to {after}"));
        }
        let [before, after] = [samples.first(), samples.last()]
            .map(|sample| sample.map_or(0, |sample| needs(sample).descriptors));
        if before != after {
            complaints.push(format!("the {name} has {after} descriptors and had {before}"));
        }
    }
    complaints
}

/// The samples of a share of the time.
fn within(samples: &[Sample], (from, to): (f64, f64)) -> impl Iterator<Item = &Sample> {
    let end = samples.last().map_or(0.0, |sample| sample.at);
    samples.iter().filter(move |sample| (from * end..to * end).contains(&sample.at))
}

fn median(window: &[Needs], of: fn(&Needs) -> f64) -> f64 {
    let mut memory: Vec<f64> = window.iter().map(of).collect();
    memory.sort_by(f64::total_cmp);
    memory[memory.len() / 2]
}

fn most_threads(window: &[Needs]) -> usize {
    window.iter().map(|needs| needs.threads).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred samples of a server that grows, beside a caller that does not.
    fn growing(grow: impl Fn(usize, &mut Needs)) -> Vec<String> {
        let flat = Needs { memory: 50.0, heap: 40.0, descriptors: 1000, threads: 10 };
        let samples: Vec<Sample> = (0..100)
            .map(|index| {
                let mut server = flat;
                grow(index, &mut server);
                let at = index as f64;
                Sample { at, server, caller: flat, open: 0, restarts: 0 }
            })
            .collect();
        complaints(&samples)
    }

    #[test]
    fn what_is_flat_is_not_complained_of() {
        assert_eq!(growing(|_, _| {}), [""; 0]);
        // Peaks of memory and dents of descriptors belong to restarts.
        let restarted = growing(|index, needs| {
            if index % 10 == 5 {
                needs.memory += 100.0;
                needs.heap += 100.0;
                needs.descriptors -= 500;
                needs.threads += 20;
            }
        });
        assert_eq!(restarted, [""; 0]);
        // Arenas that fill up, as those of an hour did.
        let settled =
            growing(|index, needs| needs.memory += 250.0 * (1.0 - 0.95_f64.powi(index as i32)));
        assert_eq!(settled, [""; 0]);
    }

    #[test]
    fn what_grows_is_complained_of() {
        let memory = growing(|index, needs| needs.memory += index as f64);
        assert_eq!(memory, ["the server's memory grew from 100.0 to 130.0 MiB"]);
        let heap = growing(|index, needs| needs.heap += index as f64 / 25.0);
        assert_eq!(heap, ["the server's memory in use grew from 41.0 to 43.2 MiB"]);
        let threads = growing(|index, needs| needs.threads += index);
        assert_eq!(threads, ["the server's threads grew from 44 to 99"]);
        let descriptors = growing(|index, needs| needs.descriptors += usize::from(index > 50));
        assert_eq!(descriptors, ["the server has 1001 descriptors and had 1000"]);
    }

    #[test]
    fn nothing_is_not_taken_for_flat() {
        assert_eq!(complaints(&[]).len(), 2);
    }
}
