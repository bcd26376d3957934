//! Many things that are opened and held, while somebody looks at what they cost.

use std::time::Instant;

use crate::{Result, Tally, pause};

/// Opens so many things and holds them, in step with whoever looks on: prints `connected`, waits for a line,
/// opens, prints `open`, and waits for a line again. What is counted is how long opening each took.
///
/// # Errors
/// The first that cannot be opened.
pub fn hold<T>(count: usize, mut open: impl FnMut() -> Result<T>) -> Result<Tally> {
    pause("connected")?;
    let mut held = Vec::with_capacity(count);
    let mut tally = Tally::default();
    let mut ends = Vec::with_capacity(count + 1);
    ends.push(Instant::now());
    for index in 0..count {
        held.push(open()?);
        ends.push(Instant::now());
        tally.add(ends[index + 1] - ends[index], 1);
    }
    tally.lasted(ends[count] - ends[0]);
    let tenth = count.div_ceil(10);
    let average = |from: usize, to: usize| (ends[to] - ends[from]) / (to - from).max(1) as u32;
    tally.tenths(average(0, tenth), average(count - tenth, count));
    pause("open")?;
    drop(held);
    Ok(tally)
}
