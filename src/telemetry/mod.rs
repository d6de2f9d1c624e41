//! What the daemon tells its operators: log lines, metrics and traces, each thing in one place.

mod flood;
mod logs;
pub mod metric;
mod outage;
mod tally;
mod trace;

pub use logs::{change as change_logs, start as start_logs, tell_left_out};
pub use metric::{Recorder, install};
pub use outage::{Outage, Outages};
pub use tally::{Counted, Tally};
pub use trace::{Span, Step, start_traces};
