//! The results as plots.

use plotters::prelude::*;

use super::results::Results;

/// A plot: file, measure, title of the axis.
const PLOTS: [(&str, &str, &str); 3] = [
    (
        "first-mirror.svg",
        "first_mirror_objects_per_second",
        "first mirror, objects per second",
    ),
    (
        "quiet-cpu.svg",
        "quiet_cpu_milliseconds",
        "quiet pass, milliseconds of CPU",
    ),
    ("memory.svg", "memory_settled_mib", "resident memory, MiB"),
];
const CONTENDERS: [(&str, RGBColor); 6] = [
    ("controller", RGBColor(0, 90, 181)),
    ("go", RGBColor(220, 50, 32)),
    ("kopf", RGBColor(26, 133, 67)),
    ("shell", RGBColor(150, 80, 170)),
    ("limit", RGBColor(120, 120, 120)),
    ("listing", RGBColor(170, 130, 60)),
];

/// The plots for which something was measured with two numbers of pools, by file.
///
/// # Errors
/// What the drawing library says.
pub fn plots(results: &Results) -> Result<Vec<(String, String)>, String> {
    let mut all = Vec::new();
    for (file, measure, title) in PLOTS {
        let lines: Vec<_> = CONTENDERS
            .iter()
            .map(|(c, colour)| (*c, *colour, points(results, c, measure)))
            .filter(|l| l.2.len() > 1)
            .collect();
        if !lines.is_empty() {
            all.push((
                file.to_owned(),
                plot(title, &lines).map_err(|e| format!("{file}: {e}"))?,
            ));
        }
    }
    Ok(all)
}

#[allow(clippy::cast_precision_loss, reason = "numbers of pools")]
fn points(results: &Results, contender: &str, measure: &str) -> Vec<(f64, f64)> {
    let sizes = results.sizes(measure).into_iter();
    sizes
        .filter_map(|n| {
            Some((
                n as f64,
                results.median(contender, n, measure).filter(|v| *v > 0.0)?,
            ))
        })
        .collect()
}

type Line = (&'static str, RGBColor, Vec<(f64, f64)>);

fn plot(title: &str, lines: &[Line]) -> Result<String, Box<dyn std::error::Error>> {
    let all = || lines.iter().flat_map(|l| &l.2);
    let x = all().fold((f64::MAX, 0.0_f64), |r, p| (r.0.min(p.0), r.1.max(p.0)));
    let y = all().fold((f64::MAX, 0.0_f64), |r, p| (r.0.min(p.1), r.1.max(p.1)));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (720, 440)).into_drawing_area();
        // Readable on a dark page, too.
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d(
                (x.0 * 0.8..x.1 * 1.3).log_scale(),
                (y.0 * 0.7..y.1 * 1.4).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc("pools")
            .y_desc(title)
            .light_line_style(WHITE)
            .draw()?;
        for (name, colour, points) in lines {
            let colour = *colour;
            chart
                .draw_series(LineSeries::new(
                    points.iter().copied(),
                    colour.stroke_width(2),
                ))?
                .label(*name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
                });
            chart.draw_series(points.iter().map(|p| Circle::new(*p, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}
