//! The first page: how much crosses, how quickly, and which partner is unwell.

use std::time::Duration;

use askama::Template;
use axum::{Extension, Router, extract::State, response::Response, routing::get};

use super::{
    agreements::Line,
    chart::Chart,
    session::{self, Session},
    shell::Shell,
};
use crate::{
    domain::{AgreementStatus, Timestamp},
    http::{Shared, problem::Problem},
    ports::{Counts, Minute},
};

/// How far back the charts go.
const SHOWN: Duration = Duration::from_secs(6 * 3600);
/// How many minutes one point of a chart stands for.
const STEP: i64 = 5;
/// How many partners are listed.
const PARTNERS: usize = 10;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/", get(overview))
}

#[derive(Template)]
#[template(config = ".askama.toml", path = "overview.html")]
struct Overview {
    shell: Shell,
    charts: Vec<Chart>,
    partners: Vec<Line>,
    more: usize,
    accepted: usize,
    invites: usize,
    waiting: i64,
    counts: Counts,
}

async fn overview(
    State(context): State<Shared>,
    Extension(session): Extension<Session>,
) -> Result<Response, Problem> {
    let store = &context.options.store;
    let now = context.options.clock.now();
    let (minutes, backlog) = (store.minutes(now.minus(SHOWN)).await?, store.backlog().await?);
    let agreements = store.agreements().await?;
    let is = |status: AgreementStatus| agreements.iter().filter(move |agreement| agreement.status == status);
    let mut partners: Vec<Line> =
        is(AgreementStatus::Accepted).map(|agreement| Line::of(agreement, &backlog, &[], now)).collect();
    partners.sort_by_key(|line| (line.is_well, std::cmp::Reverse(line.waiting)));
    let page = Overview {
        shell: Shell::of(&context, &session, "overview").await?,
        charts: charts(&minutes, now),
        more: partners.len().saturating_sub(PARTNERS),
        accepted: partners.len(),
        partners: partners.into_iter().take(PARTNERS).collect(),
        invites: is(AgreementStatus::Pending).count(),
        waiting: backlog.values().sum(),
        counts: store.counts().await?,
    };
    Ok(session::drawn(&page))
}

/// The charts: sums of five minutes each, so that a quiet desk's line is no comb.
fn charts(minutes: &[Minute], now: Timestamp) -> Vec<Chart> {
    let steps = i64::try_from(SHOWN.as_secs()).unwrap_or_default() / 60 / STEP;
    let first = now.minus(SHOWN).millis();
    let mut sums = vec![Minute::default(); usize::try_from(steps).unwrap_or_default()];
    for minute in minutes {
        let at = (minute.at.millis() - first).div_euclid(STEP * 60_000);
        let Some(sum) = usize::try_from(at).ok().and_then(|at| sums.get_mut(at)) else { continue };
        sum.events += minute.events;
        sum.delivered += minute.delivered;
        sum.failed += minute.failed;
        sum.lag += minute.lag;
        sum.lagged += minute.lagged;
        sum.waiting = minute.waiting;
    }
    let float = |count: i64| f64::from(i32::try_from(count).unwrap_or(i32::MAX));
    let each = |value: fn(&Minute) -> i64| -> Vec<f64> {
        sums.iter().map(|sum| float(value(sum)) / float(STEP)).collect()
    };
    let lag: Vec<f64> = sums
        .iter()
        .map(|sum| if sum.lagged > 0 { float(sum.lag) / float(sum.lagged) / 1000.0 } else { 0.0 })
        .collect();
    let waiting: Vec<f64> = sums.iter().map(|sum| float(sum.waiting)).collect();
    vec![
        Chart::of("Events of the desk", "a minute", &each(|sum| sum.events)),
        Chart::of("Delivered to partners", "a minute", &each(|sum| sum.delivered)),
        Chart::of("Failed attempts", "a minute", &each(|sum| sum.failed)),
        Chart::of("From event to partner", "s", &lag),
        Chart::of("Waiting for partners", "messages", &waiting),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_are_one_point_of_a_chart() {
        let now = Timestamp::from_millis(100 * 3_600_000);
        let minute = |before: u64, events: i64| Minute {
            at: now.minus(Duration::from_secs(before * 60)),
            events,
            lag: 900,
            lagged: 3,
            ..Minute::default()
        };
        let charts = charts(&[minute(7 * 60, 99), minute(4, 20), minute(2, 30)], now);
        let now: Vec<&str> = charts.iter().map(|chart| chart.now.as_str()).collect();
        assert_eq!(now, ["10 a minute", "0 a minute", "0 a minute", "0.3 s", "0 messages"]);
    }
}
