//! A small chart of the last hours, as numbers for an SVG: what a look should tell, and the same in words.

/// A line with the area below it, in a box of 240 by 60.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// The last value, as people read it.
    pub(super) now: String,
    /// The highest.
    pub(super) top: String,
    pub(super) line: String,
    pub(super) area: String,
    /// The same for those who do not see it.
    pub(super) label: String,
}

/// Width and height of the box, and how much room the line's own width takes.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 60.0;
const EDGE: f64 = 3.0;

impl Chart {
    /// A chart of values, oldest first.
    pub(super) fn of(title: &'static str, unit: &str, values: &[f64]) -> Self {
        let top = values.iter().copied().fold(0.0, f64::max);
        let last = values.last().copied().unwrap_or_default();
        let step = WIDTH / f64::from(u32::try_from(values.len().max(2) - 1).unwrap_or(1));
        let scale = if top > 0.0 { (HEIGHT - 2.0 * EDGE) / top } else { 0.0 };
        let mut at = 0.0;
        let points: Vec<String> = values
            .iter()
            .map(|value| {
                let point = format!("{at:.1},{:.1}", HEIGHT - EDGE - value * scale);
                at += step;
                point
            })
            .collect();
        let line = points.join(" ");
        let area = format!("0,{HEIGHT} {line} {WIDTH},{HEIGHT}");
        let (now, top) = (number(last), number(top));
        let label = format!("{title}, last six hours: {now} {unit} now, {top} {unit} at most");
        Self { title, now: format!("{now} {unit}"), top: format!("{top} {unit}"), line, area, label }
    }
}

/// A number as short as it can be and still say something.
fn number(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_is_at_the_top_and_nothing_is_outside() {
        let chart = Chart::of("Events", "a minute", &[0.0, 10.0, 5.0]);
        assert_eq!(chart.line, "0.0,57.0 120.0,3.0 240.0,30.0");
        assert_eq!((chart.now.as_str(), chart.top.as_str()), ("5 a minute", "10 a minute"));
        let flat = Chart::of("Events", "a minute", &[]);
        assert_eq!((flat.line.as_str(), flat.now.as_str()), ("", "0 a minute"));
    }
}
