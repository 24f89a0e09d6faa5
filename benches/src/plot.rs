//! Plots as SVG text: curves over a size or a load, latencies by percentile, bars of peers.

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::*,
};

const SIZE: (u32, u32) = (900, 520);
const FONT: &str = "sans-serif";

/// A plot of one or more named curves, or of bars.
#[derive(Debug, Clone)]
pub struct Plot {
    title: String,
    x: Axis,
    y: Axis,
    shape: Shape,
}

/// An axis: its label with the unit, and how it is divided.
#[derive(Debug, Clone)]
struct Axis {
    label: String,
    scale: Scale,
}

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero.
    Linear,
    /// By powers of ten; values must be positive.
    Logarithmic,
}

/// A curve: its name and its points.
pub type Curve = (String, Vec<(f64, f64)>);

#[derive(Debug, Clone)]
enum Shape {
    Curves(Vec<Curve>),
    Percentiles(Vec<Curve>),
    Bars(Vec<(String, f64)>),
}

impl Plot {
    /// Curves, such as cost against size.
    pub fn curves(
        title: impl Into<String>,
        x: (&str, Scale),
        y: (&str, Scale),
        curves: Vec<Curve>,
    ) -> Self {
        Self::new(title, x, y, Shape::Curves(curves))
    }

    /// Latencies by quantile: points are (quantile from 0 to below 1, value). The axis gives each further nine the same room.
    pub fn percentiles(title: impl Into<String>, value: (&str, Scale), curves: Vec<Curve>) -> Self {
        let nines = |(name, points): Curve| {
            let points = points.into_iter().filter(|(q, _)| *q < 1.0);
            (name, points.map(|(q, v)| (-(1.0 - q).log10(), v)).collect())
        };
        let curves = curves.into_iter().map(nines).collect();
        Self::new(
            title,
            ("percentile", Scale::Linear),
            value,
            Shape::Percentiles(curves),
        )
    }

    /// One bar a name.
    pub fn bars(title: impl Into<String>, value: &str, bars: Vec<(String, f64)>) -> Self {
        Self::new(
            title,
            ("", Scale::Linear),
            (value, Scale::Linear),
            Shape::Bars(bars),
        )
    }

    fn new(title: impl Into<String>, x: (&str, Scale), y: (&str, Scale), shape: Shape) -> Self {
        let axis = |(label, scale): (&str, Scale)| Axis {
            label: label.to_owned(),
            scale,
        };
        Self {
            title: title.into(),
            x: axis(x),
            y: axis(y),
            shape,
        }
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The picture.
    pub fn svg(&self) -> Result<String, String> {
        let mut text = String::new();
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let drawn = match &self.shape {
            Shape::Curves(curves) | Shape::Percentiles(curves) => self.draw_curves(&root, curves),
            Shape::Bars(bars) => self.draw_bars(&root, bars),
        };
        drawn
            .and_then(|()| root.present())
            .map_err(|e| format!("the plot `{}`: {e}", self.title))?;
        drop(root);
        Ok(text + "\n")
    }

    fn draw_curves(&self, root: &Area<'_>, curves: &[Curve]) -> Drawn {
        let points = || curves.iter().flat_map(|(_, points)| points);
        let (x, y) = (&self.x, &self.y);
        let xs = range(x.scale, points().map(|p| x.place(p.0)));
        let ys = range(y.scale, points().map(|p| y.place(p.1)));
        let mut chart = self.chart(root, xs, ys)?;
        let percentiles = matches!(self.shape, Shape::Percentiles(_));
        chart
            .configure_mesh()
            .x_desc(&x.label)
            .y_desc(&y.label)
            .x_label_formatter(&|&v| {
                if percentiles {
                    percentile(v)
                } else {
                    x.label_at(v)
                }
            })
            .y_label_formatter(&|&v| y.label_at(v))
            .draw()?;
        for (index, (name, points)) in curves.iter().enumerate() {
            let color = Palette99::pick(index).to_rgba();
            let placed = points.iter().map(|p| (x.place(p.0), y.place(p.1)));
            chart
                .draw_series(LineSeries::new(placed.clone(), color.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2))
                });
            if points.len() <= 24 {
                chart.draw_series(placed.map(|p| Circle::new(p, 3, color.filled())))?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font((FONT, 14))
            .draw()
    }

    fn draw_bars(&self, root: &Area<'_>, bars: &[(String, f64)]) -> Drawn {
        let top = bars.iter().map(|bar| bar.1).fold(0.0, f64::max) * 1.15;
        let mut chart = self.chart(
            root,
            (0.0, bars.len() as f64),
            (0.0, top.max(f64::MIN_POSITIVE)),
        )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_desc(&self.y.label)
            .y_label_formatter(&|&v| self.y.label_at(v))
            .draw()?;
        for (index, (name, value)) in bars.iter().enumerate() {
            let color = Palette99::pick(index).to_rgba();
            let left = index as f64;
            chart
                .draw_series([Rectangle::new(
                    [(left + 0.1, 0.0), (left + 0.9, *value)],
                    color.filled(),
                )])?
                .label(format!("{name}: {}", crate::report::number(*value)))
                .legend(move |(x, y)| {
                    Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.filled())
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font((FONT, 14))
            .draw()
    }

    fn chart<'a, 'b>(
        &self,
        root: &'a Area<'b>,
        x: (f64, f64),
        y: (f64, f64),
    ) -> Result<ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>, Fault>
    {
        root.fill(&WHITE)?;
        ChartBuilder::on(root)
            .caption(&self.title, (FONT, 20))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Fault = DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>;
type Drawn = Result<(), Fault>;

impl Axis {
    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(f64::MIN_POSITIVE).log10(),
        }
    }

    fn label_at(&self, place: f64) -> String {
        let value = match self.scale {
            Scale::Linear => place,
            Scale::Logarithmic => 10_f64.powf(place),
        };
        match value.abs() {
            v if v >= 1e6 => format!("{:.3} M", value / 1e6).replace(".000", ""),
            v if v >= 100.0 || v.fract() == 0.0 => format!("{value:.0}"),
            v if v >= 1.0 => format!("{value:.1}"),
            _ => format!("{value:.3}"),
        }
    }
}

/// The range with some room, from zero on a linear axis.
fn range(scale: Scale, places: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = places
        .filter(|p| p.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| {
            (low.min(p), high.max(p))
        });
    if low > high {
        return (0.0, 1.0);
    }
    let room = ((high - low) * 0.08).max(1e-3);
    match scale {
        Scale::Linear => (low.min(0.0), high + room),
        Scale::Logarithmic => (low - room, high + room),
    }
}

/// The percentile that lies as many nines to the right.
fn percentile(nines: f64) -> String {
    let percent = 100.0 * (1.0 - 10_f64.powf(-nines));
    let decimals = (nines.ceil() as usize).saturating_sub(2);
    format!("{percent:.decimals$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_drawn_with_its_names() {
        let curves = vec![
            ("ours".to_owned(), vec![(1.0, 2.0), (1024.0, 3.5)]),
            (
                "a <peer> & co".to_owned(),
                vec![(1.0, 20.0), (1024.0, 30.5)],
            ),
        ];
        let quantiles = vec![(
            "ours".to_owned(),
            vec![(0.0, 1.0), (0.5, 2.0), (0.999, 9.0)],
        )];
        let log = Scale::Logarithmic;
        let plots = [
            Plot::curves("cost", ("bytes", log), ("us", log), curves),
            Plot::percentiles("latency", ("us", Scale::Linear), quantiles),
            Plot::bars("rates", "requests/s", vec![("ours".into(), 12.0)]),
            Plot::curves("empty", ("x", log), ("y", log), Vec::new()),
        ];
        for plot in plots {
            let svg = plot.svg().unwrap();
            assert!(
                svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
                "{svg}"
            );
            assert!(svg.contains(plot.title()));
            assert!(!svg.contains("<peer>"), "names are escaped");
        }
    }

    #[test]
    fn nines_are_percentiles() {
        let cases = [
            (0.0, "0 %"),
            (1.0, "90 %"),
            (2.0, "99 %"),
            (3.0, "99.9 %"),
            (4.0, "99.99 %"),
        ];
        for (nines, want) in cases {
            assert_eq!(percentile(nines), want);
        }
    }
}
