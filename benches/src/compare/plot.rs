//! What was measured, as bars.

use std::path::Path;

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use zerorpc_benches::Result;

use crate::{
    rows::Better,
    table::{Cell, Spread, Table, digits, multiple},
};

const WIDTH: i32 = 900;
/// Where bars begin, and how long the longest may be.
const LEFT: i32 = 270;
const LONGEST: i32 = 370;
const HEAD: i32 = 58;
/// From one bar to the next, and how high one is.
const STEP: i32 = 30;
const BAR: i32 = 18;

const OURS: RGBColor = RGBColor(0xd9, 0x5f, 0x02);
const OTHERS: RGBColor = RGBColor(0x8d, 0xa0, 0xcb);
const WHISKER: RGBColor = RGBColor(0x33, 0x33, 0x33);

/// From values to lengths.
enum Scale {
    /// In proportion to the largest.
    Linear { most: f64 },
    /// By powers of ten, where some values are beyond all others.
    Logarithmic { least: f64, most: f64 },
}

impl Scale {
    fn of(spreads: &[Spread]) -> Self {
        let most = spreads.iter().fold(0.0_f64, |most, it| most.max(it.most));
        let least = spreads.iter().fold(f64::MAX, |least, it| least.min(it.least));
        if least > 0.0 && most / least > 50.0 {
            // The least is to be seen too.
            return Self::Logarithmic { least: least / 2.0, most };
        }
        Self::Linear { most: most.max(f64::MIN_POSITIVE) }
    }

    fn x(&self, value: f64) -> i32 {
        let share = match self {
            Self::Linear { most } => value / most,
            Self::Logarithmic { least, most } => (value / least).ln() / (most / least).ln(),
        };
        LEFT + (share.clamp(0.0, 1.0) * f64::from(LONGEST)) as i32
    }
}

/// Draws a table into an SVG file: a bar for each median, a line from the least to the most, and the ratios.
pub(crate) fn draw(table: &Table, file: &Path) -> Result<()> {
    let cells: Vec<(&Cell, Spread)> =
        table.cells.iter().filter_map(|cell| Some((cell, cell.spread()?))).collect();
    let spreads: Vec<Spread> = cells.iter().map(|(_, spread)| *spread).collect();
    let scale = Scale::of(&spreads);
    let height = HEAD + STEP * cells.len() as i32 + 10;
    let area = SVGBackend::new(file, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;

    let row = table.row;
    let better = match row.better {
        Better::Lower => "shorter is better",
        Better::Higher => "longer is better",
    };
    let kind = match scale {
        Scale::Linear { .. } => "",
        Scale::Logarithmic { .. } => ", on a logarithmic scale",
    };
    let subtitle =
        format!("{}, {better}{kind}; the line goes from the least to the most", row.unit);
    area.draw(&Text::new(row.title, (12, 10), ("sans-serif", 18).into_font()))?;
    area.draw(&Text::new(subtitle, (12, 34), ("sans-serif", 13).into_font().color(&WHISKER)))?;

    let font = ("sans-serif", 14).into_font();
    let named = font.clone().color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
    let valued = font.color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    for (index, (cell, spread)) in cells.iter().enumerate() {
        let middle = HEAD + STEP * index as i32 + STEP / 2;
        let (top, bottom) = (middle - BAR / 2, middle + BAR / 2);
        let ours = cell.contender.key.starts_with("zerorpc-mio")
            || cell.contender.key.starts_with("zerorpc-zmq");
        let colour = if ours { OURS } else { OTHERS };
        let name = cell.contender.title.clone();
        area.draw(&Text::new(name, (LEFT - 8, middle), named.clone()))?;
        let end = scale.x(spread.median).max(LEFT + 1);
        area.draw(&Rectangle::new([(LEFT, top), (end, bottom)], colour.filled()))?;
        let (least, most) = (scale.x(spread.least), scale.x(spread.most));
        area.draw(&PathElement::new([(least, middle), (most, middle)], WHISKER))?;
        let label = (end.max(most) + 8, middle);
        area.draw(&Text::new(value(table, cell, *spread), label, valued.clone()))?;
    }
    Ok(area.present()?)
}

/// What is written behind a bar.
fn value(table: &Table, cell: &Cell, spread: Spread) -> String {
    let ratios = table.row.bases().iter().filter(|(_, key)| !cell.contender.key.ends_with(key));
    let ratios = ratios.filter_map(|(heading, key)| {
        Some(format!("{} {heading}", multiple(table.ratio(cell, key)?)))
    });
    let ratios: Vec<String> = ratios.collect();
    match ratios.is_empty() {
        true => digits(spread.median),
        false => format!("{} ({})", digits(spread.median), ratios.join(", ")),
    }
}
