//! The admin pages: what an administrator of a desk opens instead of reading logs.
//!
//! Drawn here, whole, for a browser without scripts; with one, what changes is drawn anew while somebody looks. Whatever a
//! page does goes the way that the API goes: a change, through the pipeline. So no page knows anything of its own.

mod agreement;
mod agreements;
mod assets;
mod attention;
mod chart;
mod form;
mod invite;
mod live;
mod overview;
mod session;
mod shell;
mod side;
mod ticket;
mod tickets;
mod timeline;
mod words;
mod work;

pub use session::Sessions;
pub use work::Works;

use axum::{Router, extract::DefaultBodyLimit, middleware};

use super::{Shared, problem};

/// How large a form is at most.
const FORM: usize = 64 * 1024;
/// How many lines of a list are on one page.
const LINES: usize = 25;

pub(super) fn routes(context: Shared) -> Router<Shared> {
    let guard = middleware::from_fn_with_state(context.clone(), session::guard);
    let drawn = Router::new()
        .merge(overview::routes())
        .merge(agreements::routes())
        .merge(agreement::routes())
        .merge(invite::routes())
        .merge(tickets::routes())
        .merge(ticket::routes())
        .merge(attention::routes())
        .merge(work::routes())
        .layer(DefaultBodyLimit::max(FORM))
        .layer(middleware::from_fn(problem::in_time))
        .layer(middleware::from_fn_with_state(context, shell::say_problems));
    Router::new()
        .merge(drawn)
        .merge(live::routes())
        .layer(guard)
        .merge(session::routes())
        .merge(assets::routes())
}
