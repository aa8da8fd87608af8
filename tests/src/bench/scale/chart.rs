//! The picture: figures over the number of routes, both axes logarithmic, written as SVG directly.

use std::fmt::Write as _;

use super::figures::Results;
use super::{Origin, Side};

const WIDTH: f64 = 1230.0;
const HEIGHT: f64 = 470.0;
/// The plotted part of a panel.
const PANEL: (f64, f64) = (300.0, 300.0);
const TOP: f64 = 50.0;
const LEFT: f64 = 60.0;
/// From one panel to the next.
const STEP: f64 = 400.0;

/// A line's name, colour and figure.
type Line = (&'static str, &'static str, &'static str);

/// A line with points: its style and coordinates.
struct Drawn {
    colour: &'static str,
    dash: &'static str,
    points: Vec<(f64, f64)>,
}

struct Panel {
    title: &'static str,
    lines: &'static [Line],
    /// Values published by others: name, routes, value.
    marks: &'static [(&'static str, f64, f64)],
}

const PANELS: [Panel; 3] = [
    Panel {
        title: "written to served, p50, ms",
        lines: &[
            ("new route", "#1f6fb2", "new_route_p50"),
            ("changed rule", "#3a9a4b", "vs_p50"),
            ("moved endpoint", "#8a5bb0", "endpoint_p50"),
            ("new TLS host", "#d0662a", "new_host_handshake_p50"),
        ],
        marks: &[
            ("agentgateway", 3_000.0, 20.0),
            ("Istio", 3_000.0, 200.0),
            ("Envoy Gateway", 3_000.0, 600.0),
        ],
    },
    Panel {
        title: "CPU per change, ms",
        lines: &[
            ("agent, VirtualService", "#1f6fb2", "vs_cpu_agent"),
            ("agent, endpoint", "#8a5bb0", "endpoint_cpu_agent"),
            ("Envoy, VirtualService", "#d0662a", "vs_cpu_envoy"),
        ],
        marks: &[],
    },
    Panel {
        title: "resident memory, MB",
        lines: &[
            ("agent", "#1f6fb2", "rss_agent"),
            ("Envoy", "#d0662a", "rss_envoy"),
            ("Envoy, every host visited", "#b3412e", "rss_visited_envoy"),
        ],
        marks: &[],
    },
];

/// How a line is drawn, by source and build.
const DASHES: [(Origin, Side, &str, &str); 4] = [
    (Origin::Directory, Side::Own, "", "directory"),
    (Origin::Kubernetes, Side::Own, "7 3", "Kubernetes"),
    (
        Origin::Directory,
        Side::Other,
        "2 3",
        "directory, the other build",
    ),
    (
        Origin::Kubernetes,
        Side::Other,
        "7 3 2 3",
        "Kubernetes, the other build",
    ),
];

/// Powers of ten around what is shown.
struct Scale {
    from: f64,
    to: f64,
    length: f64,
}

impl Scale {
    fn around(values: impl Iterator<Item = f64> + Clone, length: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let (from, to) = if low > high {
            (0.0, 1.0)
        } else {
            (low.log10().floor(), high.log10().ceil())
        };
        let to = if to > from { to } else { from + 1.0 };
        Self { from, to, length }
    }

    fn at(&self, value: f64) -> f64 {
        (value.log10() - self.from) / (self.to - self.from) * self.length
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 10f64.powi(power))
    }
}

/// The whole picture.
pub(super) fn picture(results: &Results, origins: &[Origin]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (at, panel) in PANELS.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<g transform=\"translate({} {TOP})\">",
            LEFT + STEP * at as f64
        );
        draw(&mut svg, panel, results, origins);
        svg.push_str("</g>\n");
    }
    legend(&mut svg, results, origins);
    svg.push_str("</svg>\n");
    svg
}

fn points(results: &Results, origin: Origin, side: Side, key: &str) -> Vec<(f64, f64)> {
    let own = results
        .0
        .iter()
        .filter(|(place, _)| place.origin == origin && place.side == side && !place.size.policies);
    let known = own.filter_map(|(place, figures)| Some((place.size.routes as f64, figures.get(key)?)));
    // A logarithmic axis cannot show 0.
    known.filter(|(_, value)| *value > 0.0).collect()
}

fn drawn(panel: &Panel, results: &Results, origins: &[Origin]) -> Vec<Drawn> {
    let mut drawn = Vec::new();
    for (origin, side, dash, _) in DASHES.iter().filter(|(origin, ..)| origins.contains(origin)) {
        for (_, colour, key) in panel.lines {
            let points = points(results, *origin, *side, key);
            if !points.is_empty() {
                drawn.push(Drawn { colour, dash, points });
            }
        }
    }
    drawn
}

fn draw(svg: &mut String, panel: &Panel, results: &Results, origins: &[Origin]) {
    let drawn = drawn(panel, results, origins);
    let marks = panel.marks.iter().map(|(_, x, y)| (*x, *y));
    let points = drawn.iter().flat_map(|line| line.points.iter().copied());
    let all: Vec<(f64, f64)> = points.chain(marks).collect();
    let x = Scale::around(all.iter().map(|point| point.0), PANEL.0);
    let y = Scale::around(all.iter().map(|point| point.1), PANEL.1);
    let title = panel.title;
    let _ = writeln!(svg, "<text x=\"0\" y=\"-14\" font-size=\"13\">{title}</text>");
    grid(svg, &x, &y);
    drawn.iter().for_each(|own| line(svg, &x, &y, own));
    for (name, routes, value) in panel.marks {
        mark(svg, name, x.at(*routes), PANEL.1 - y.at(*value));
    }
    for (at, (name, colour, _)) in panel.lines.iter().enumerate() {
        let down = PANEL.1 + 36.0 + 14.0 * at as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"0\" y=\"{:.1}\" width=\"14\" height=\"3\" fill=\"{colour}\"/>\
             <text x=\"20\" y=\"{down:.1}\">{name}</text>",
            down - 5.0
        );
    }
}

fn mark(svg: &mut String, name: &str, left: f64, down: f64) {
    let _ = writeln!(
        svg,
        "<circle cx=\"{left:.1}\" cy=\"{down:.1}\" r=\"3\" fill=\"none\" stroke=\"#666\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#666\">{name}</text>",
        left + 6.0,
        down + 4.0
    );
}

fn grid(svg: &mut String, x: &Scale, y: &Scale) {
    for power in x.powers() {
        let left = x.at(power);
        let _ = writeln!(
            svg,
            "<line x1=\"{left:.1}\" y1=\"0\" x2=\"{left:.1}\" y2=\"{0}\" stroke=\"#ddd\"/>\
             <text x=\"{left:.1}\" y=\"{1}\" text-anchor=\"middle\">{power}</text>",
            PANEL.1,
            PANEL.1 + 14.0
        );
    }
    for power in y.powers() {
        let down = PANEL.1 - y.at(power);
        let _ = writeln!(
            svg,
            "<line x1=\"0\" y1=\"{down:.1}\" x2=\"{0}\" y2=\"{down:.1}\" stroke=\"#ddd\"/>\
             <text x=\"-6\" y=\"{1:.1}\" text-anchor=\"end\">{power}</text>",
            PANEL.0,
            down + 4.0
        );
    }
}

fn line(svg: &mut String, x: &Scale, y: &Scale, Drawn { colour, dash, points }: &Drawn) {
    let place = |(routes, value): &(f64, f64)| (x.at(*routes), PANEL.1 - y.at(*value));
    let places: Vec<(f64, f64)> = points.iter().map(place).collect();
    let path = places.iter().map(|(left, down)| format!("{left:.1},{down:.1}"));
    let path = path.collect::<Vec<_>>().join(" ");
    let _ = writeln!(
        svg,
        "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" \
         stroke-dasharray=\"{dash}\"/>"
    );
    for (left, down) in places {
        let _ = writeln!(
            svg,
            "<circle cx=\"{left:.1}\" cy=\"{down:.1}\" r=\"2.4\" fill=\"{colour}\"/>"
        );
    }
}

/// The legend of dashes.
fn legend(svg: &mut String, results: &Results, origins: &[Origin]) {
    let mut left = LEFT;
    for (origin, side, dash, name) in &DASHES {
        let is_there = results
            .0
            .keys()
            .any(|place| place.origin == *origin && place.side == *side);
        if !is_there || !origins.contains(origin) {
            continue;
        }
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"14\" x2=\"{}\" y2=\"14\" stroke=\"black\" stroke-dasharray=\"{dash}\"/>\
             <text x=\"{}\" y=\"18\">{name}</text>",
            left + 30.0,
            left + 36.0
        );
        left += 220.0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Size;
    use super::super::figures::{Figures, Place};
    use super::*;

    #[test]
    fn a_picture_is_drawn_of_what_there_is() {
        let mut results = Results::default();
        for (routes, took) in [(10, 5.0), (1_000, 50.0)] {
            let mut figures = Figures::default();
            figures.set("new_route_p50", took);
            let place = Place {
                origin: Origin::Directory,
                size: Size::of(routes),
                side: Side::Own,
            };
            results.0.insert(place, figures);
        }
        let svg = picture(&results, &[Origin::Directory]);
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
