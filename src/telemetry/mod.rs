//! What the daemon tells its operators: log lines and metrics, each thing in one place.

mod logs;
pub mod metric;
mod outage;
mod tally;

pub use logs::{set_level, start as start_logs};
pub use metric::{Recorder, install};
pub use outage::{Outage, Outages};
pub use tally::{Counted, Tally};
