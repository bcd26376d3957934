//! What was seen, as curves over time.

use std::{error::Error, path::Path};

use plotters::{coord::Shift, prelude::*};

use super::{Result, samples::Sample};

const SIZE: (u32, u32) = (900, 900);
const SERVER: RGBColor = RGBColor(0xd9, 0x5f, 0x02);
const PALE_SERVER: RGBColor = RGBColor(0xfd, 0xae, 0x6b);
const CALLER: RGBColor = RGBColor(0x1b, 0x6c, 0xa8);
const PALE_CALLER: RGBColor = RGBColor(0x9e, 0xca, 0xe1);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One curve: its name, its colour, and what it shows.
type Curve<'a> = (&'a str, RGBColor, Box<dyn Fn(&Sample) -> f64>);

/// Draws samples into an SVG file: memory, descriptors, threads, and how much was going on.
pub(crate) fn draw(samples: &[Sample], file: &Path) -> Result<()> {
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let [memory, descriptors, threads, load] = &area.split_evenly((4, 1))[..] else {
        return Err("four panels".into());
    };
    panel(
        memory,
        "Resident memory, and memory in use (pale), MiB",
        samples,
        &[
            ("the server that stays", SERVER, Box::new(|sample| sample.server.memory)),
            ("in use", PALE_SERVER, Box::new(|sample| sample.server.heap)),
            ("the caller that stays", CALLER, Box::new(|sample| sample.caller.memory)),
            ("in use", PALE_CALLER, Box::new(|sample| sample.caller.heap)),
        ],
    )?;
    panel(
        descriptors,
        "Descriptors",
        samples,
        &[
            ("server", SERVER, Box::new(|sample| sample.server.descriptors as f64)),
            ("caller", CALLER, Box::new(|sample| sample.caller.descriptors as f64)),
        ],
    )?;
    panel(
        threads,
        "Threads",
        samples,
        &[
            ("server", SERVER, Box::new(|sample| sample.server.threads as f64)),
            ("caller", CALLER, Box::new(|sample| sample.caller.threads as f64)),
        ],
    )?;
    panel(
        load,
        "Channels open, and restarts of peers so far; seconds below",
        samples,
        &[
            ("channels", SERVER, Box::new(|sample| sample.open as f64)),
            ("restarts", CALLER, Box::new(|sample| f64::from(sample.restarts))),
        ],
    )?;
    Ok(area.present()?)
}

fn panel(
    area: &Area<'_>,
    title: &str,
    samples: &[Sample],
    curves: &[Curve<'_>],
) -> std::result::Result<(), Box<dyn Error>> {
    let end = samples.last().map_or(1.0, |sample| sample.at);
    let values = curves.iter().flat_map(|(.., value)| samples.iter().map(value));
    let most = values.fold(1.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(22)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..end, 0.0..most)?;
    let plain = |value: &f64| format!("{value}");
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&plain)
        .y_label_formatter(&plain)
        .draw()?;
    for (name, colour, value) in curves {
        let points = samples.iter().map(|sample| (sample.at, value(sample)));
        let key = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], *colour);
        chart.draw_series(LineSeries::new(points, colour))?.label(*name).legend(key);
    }
    chart
        .configure_series_labels()
        .border_style(TRANSPARENT)
        .position(SeriesLabelPosition::LowerRight)
        .draw()?;
    Ok(())
}
