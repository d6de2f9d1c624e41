//! Pages that keep themselves up to date: the browser is told that something was written, and fetches the page anew.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures_util::{Stream, StreamExt, stream};

use crate::http::Shared;

/// No more often than this, however much is written.
const PAUSE: Duration = Duration::from_secs(1);
/// As often as this, whatever is written: another daemon on the same database may have done something.
const AT_LEAST: Duration = Duration::from_secs(15);
/// How long one stream lasts; the browser comes again, and has to be signed in still.
const LASTS: Duration = Duration::from_secs(600);

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/live", get(live))
}

async fn live(State(context): State<Shared>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let written = context.pipeline.written.clone();
    let news = stream::unfold(written, async |mut written| {
        tokio::time::sleep(PAUSE).await;
        // One that has nothing more to come is the daemon's end, and so the stream's.
        if let Ok(Err(_)) = tokio::time::timeout(AT_LEAST, written.changed()).await {
            return None;
        }
        let seen = *written.borrow_and_update();
        Some((Ok(Event::default().event("written").data(seen.to_string())), written))
    });
    let stop = context.stop.clone();
    let news = news.take_until(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LASTS) => {}
        }
    });
    Sse::new(news).keep_alive(KeepAlive::default())
}
