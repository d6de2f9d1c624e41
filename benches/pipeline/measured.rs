//! What one run measured, and the middle of several.

/// What one run measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Events a second.
    pub(crate) rate: f64,
    /// CPU seconds of the process for 100,000 events.
    pub(crate) cpu: f64,
    /// Peak memory, MiB.
    pub(crate) peak: f64,
    /// CPU seconds of RabbitMQ for 100,000 events.
    pub(crate) broker: f64,
}

/// The median, the least and the most.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}
