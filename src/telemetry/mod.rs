//! What the daemon tells its operators: log lines and metrics, each thing in one place.

mod logs;
mod outage;
pub mod metric;

pub use outage::Outage;
pub use logs::start as start_logs;
pub use metric::{Recorder, install};
