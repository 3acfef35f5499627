//! Small plots: what CloudWatch has of a few metrics, as lines or bars.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::aws::{Aws, AwsError};

/// Sizes, in the units of a plot.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 120.0;

/// Which numbers are asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// For example `AWS/Lambda`.
    pub namespace: &'static str,
    /// For example `Invocations`.
    pub metric: &'static str,
    /// What it is of: a dimension and its value.
    pub of: (&'static str, String),
    /// For example `Sum` or `p99`.
    pub stat: &'static str,
}

/// A stretch of time that ends now.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// When it ends, in seconds since 1970.
    pub until: i64,
    /// How long it is, in seconds.
    pub seconds: i64,
    /// How long each point of it is, in seconds.
    pub period: i64,
}

impl Span {
    /// The stretches that can be chosen, by their names.
    pub const NAMES: [&str; 4] = ["1h", "3h", "24h", "7d"];

    /// That of a name; of the first where it is none.
    pub fn named(name: &str, now: Timestamp) -> Self {
        let (seconds, period) = match name {
            "3h" => (3 * 3600, 60),
            "24h" => (24 * 3600, 600),
            "7d" => (7 * 24 * 3600, 3600),
            _ => (3600, 60),
        };
        // Whole points, the one that is under way included.
        let until = now.as_second().div_euclid(period) * period + period;
        Self { until, seconds, period }
    }

    fn from(self) -> i64 {
        self.until - self.seconds
    }

    /// Its beginning, its middle and its end, in UTC: with the day where it is longer than one.
    fn times(self) -> [String; 3] {
        let form = if self.seconds > 24 * 3600 { "%m-%d %H:%M" } else { "%H:%M" };
        [self.from(), self.until - self.seconds / 2, self.until].map(|second| {
            let moment = Timestamp::from_second(second).unwrap_or_default();
            moment.strftime(form).to_string()
        })
    }

    fn points(self) -> usize {
        usize::try_from(self.seconds / self.period).unwrap_or_default()
    }
}

/// What there is of a metric: a value for each point of time, or none.
pub type Series = Vec<Option<f64>>;

/// Asks for all of them with one request.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>.
///
/// # Errors
/// All of [`AwsError`].
pub async fn read(aws: &Aws, asked: &[Asked], span: Span) -> Result<Vec<Series>, AwsError> {
    let queries = asked.iter().enumerate().map(|(at, Asked { namespace, metric, of, stat })| {
        let dimension = json!({"Name": of.0, "Value": of.1});
        let metric =
            json!({"Namespace": namespace, "MetricName": metric, "Dimensions": [dimension]});
        json!({
            "Id": format!("m{at}"),
            "MetricStat": {"Metric": metric, "Period": span.period, "Stat": stat},
        })
    });
    let request = json!({
        "MetricDataQueries": queries.collect::<Vec<_>>(),
        "StartTime": span.from(),
        "EndTime": span.until,
    });
    let target = "GraniteServiceVersion20100801.GetMetricData";
    let answer = aws.json("monitoring", target, &request).await?;
    let results = answer["MetricDataResults"].as_array().cloned().unwrap_or_default();
    let all = (0..asked.len()).map(|at| {
        let id = format!("m{at}");
        let found = results.iter().find(|result| result["Id"] == id.as_str());
        found.map_or_else(|| vec![None; span.points()], |result| series(result, span))
    });
    Ok(all.collect())
}

/// The values of a result, each at its place.
fn series(result: &Value, span: Span) -> Series {
    let mut series = vec![None; span.points()];
    let list = |name: &str| result[name].as_array().cloned().unwrap_or_default();
    for (time, value) in list("Timestamps").iter().zip(list("Values")) {
        // Seconds, and in some answers a text.
        let second = time.as_f64().map(|it| it as i64).or_else(|| {
            let moment: Timestamp = time.as_str()?.parse().ok()?;
            Some(moment.as_second())
        });
        let at = second.map(|it| (it - span.from()).div_euclid(span.period));
        let at = at.and_then(|it| usize::try_from(it).ok());
        if let Some(point) = at.and_then(|at| series.get_mut(at)) {
            *point = value.as_f64();
        }
    }
    series
}

/// A line or a row of bars.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What it shows.
    pub name: &'static str,
    /// Its colour: a class of the style sheet.
    pub class: &'static str,
    /// Its path, as SVG has it.
    pub path: String,
    /// Whether it is a row of bars.
    pub has_bars: bool,
    /// What it comes to, in words.
    pub told: String,
}

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it is of.
    pub title: &'static str,
    /// The value at its upper edge.
    pub top: String,
    /// What is in it.
    pub drawn: Vec<Drawn>,
    /// Its left edge, its middle and its right edge in time.
    pub times: [String; 3],
    /// Whether there is nothing in it.
    pub is_empty: bool,
}

/// How a plot is drawn, and its values told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Bars, whose sum is told.
    Count,
    /// Lines, whose last value is told, in milliseconds.
    Milliseconds,
}

impl Plot {
    /// A plot of some series, each with its name and its class.
    pub fn of(
        title: &'static str,
        kind: Kind,
        span: Span,
        all: &[(&'static str, &'static str, &Series)],
    ) -> Self {
        let values = all.iter().flat_map(|(_, _, series)| series.iter().flatten().copied());
        let top = nice(values.fold(0.0, f64::max));
        let drawn = all.iter().map(|&(name, class, series)| {
            let told = match kind {
                Kind::Count => number(series.iter().flatten().sum()),
                Kind::Milliseconds => {
                    let last = series.iter().rev().flatten().next();
                    last.map_or_else(|| "\u{2013}".to_owned(), |it| milliseconds(*it))
                }
            };
            let has_bars = kind == Kind::Count;
            let path = if has_bars { bars(series, top) } else { line(series, top) };
            Drawn { name, class, path, has_bars, told }
        });
        let is_empty = all.iter().all(|(_, _, series)| series.iter().flatten().next().is_none());
        let top = if kind == Kind::Count { number(top) } else { milliseconds(top) };
        Self { title, top, drawn: drawn.collect(), times: span.times(), is_empty }
    }
}

/// The least of 1, 2, 5, 10, 20 and so on that is not less.
fn nice(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * magnitude);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

fn bars(series: &Series, top: f64) -> String {
    let width = WIDTH / series.len().max(1) as f64;
    let points = series.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
    let bars = points.filter(|(_, value)| *value > 0.0).map(|(at, value)| {
        let (x, height) = (at as f64 * width, value / top * HEIGHT);
        let wide = (width - 1.0).max(width * 0.7);
        format!("M{x:.1} {HEIGHT}v-{height:.1}h{wide:.1}v{height:.1}z")
    });
    bars.collect()
}

fn line(series: &Series, top: f64) -> String {
    let width = WIDTH / series.len().max(1) as f64;
    let mut path = String::new();
    let mut is_open = false;
    for (at, value) in series.iter().enumerate() {
        let Some(value) = value else {
            // What is not known is not drawn.
            is_open = false;
            continue;
        };
        let (x, y) = ((at as f64 + 0.5) * width, HEIGHT - value / top * HEIGHT);
        path += &if is_open { format!("L{x:.1} {y:.1}") } else { format!("M{x:.1} {y:.1}h0.01") };
        is_open = true;
    }
    path
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn milliseconds(value: f64) -> String {
    match value {
        value if value >= 1000.0 => format!("{:.1} s", value / 1000.0),
        value if value >= 10.0 || value.fract() == 0.0 => format!("{value:.0} ms"),
        value => format!("{value:.1} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Stub, answer};

    #[tokio::test]
    async fn all_metrics_are_asked_for_with_one_request_and_put_in_their_places() {
        let now: Timestamp = "2026-11-25T17:30:20Z".parse().unwrap();
        let span = Span::named("1h", now);
        let first = span.from();
        let stub = Stub::start_with(move |_, _| {
            answer(
                200,
                &json!({"MetricDataResults": [
                    {"Id": "m1", "Timestamps": ["2026-11-25T17:30:00Z"], "Values": [7.5]},
                    {"Id": "m0", "Timestamps": [first + 60, first], "Values": [2.0, 1.0]},
                ]}),
            )
        });
        let asked = |metric, stat| Asked {
            namespace: "AWS/Lambda",
            metric,
            of: ("FunctionName", "hello".to_owned()),
            stat,
        };
        let all = [asked("Invocations", "Sum"), asked("Duration", "p99"), asked("Errors", "Sum")];
        let found = read(&stub.aws(), &all, span).await.unwrap();
        assert_eq!(stub.asked().len(), 1);
        let seen = &stub.asked()[0];
        assert!(seen.head.contains("content-type: application/x-amz-json-1.0"), "{seen:?}");
        assert_eq!(seen.json()["MetricDataQueries"][1]["MetricStat"]["Stat"], "p99");
        assert_eq!(found[0][..3], [Some(1.0), Some(2.0), None]);
        assert_eq!((found[1].len(), found[1][59]), (60, Some(7.5)));
        assert!(found[2].iter().all(Option::is_none));
    }

    #[test]
    fn a_plot_is_as_high_as_its_highest_value_and_has_gaps_where_nothing_is_known() {
        let series = vec![Some(3.0), None, Some(1.0), Some(2.0)];
        let span = Span::named("3h", "2026-11-25T17:30:20Z".parse().unwrap());
        let plot = Plot::of("T", Kind::Count, span, &[("sum", "a", &series)]);
        assert_eq!(plot.times, ["14:31", "16:01", "17:31"]);
        assert_eq!((plot.top.as_str(), plot.drawn[0].told.as_str()), ("5", "6"));
        assert_eq!(plot.drawn[0].path.matches('M').count(), 3);
        let plot = Plot::of("T", Kind::Milliseconds, span, &[("p50", "a", &series)]);
        assert_eq!((plot.top.as_str(), plot.drawn[0].told.as_str()), ("5 ms", "2 ms"));
        assert_eq!(
            (plot.drawn[0].path.matches('M').count(), plot.drawn[0].path.matches('L').count()),
            (2, 1)
        );
        assert!(Plot::of("T", Kind::Count, span, &[("sum", "a", &vec![None; 3])]).is_empty);
        for (value, expected) in
            [(0.0, 1.0), (1.0, 1.0), (1.5, 2.0), (30.0, 50.0), (99.0, 100.0), (1001.0, 2000.0)]
        {
            assert_eq!(nice(value), expected);
        }
    }
}
