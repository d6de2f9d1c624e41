//! What processes use, what one run measured, and the middle of several.

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

/// What a process has used.
pub(crate) struct Usage {
    cpu: f64,
    /// Memory at its peak, MiB.
    pub(crate) peak: f64,
}

impl Usage {
    /// What a running process has used so far.
    pub(crate) fn of(pid: u32) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, after) = stat.rsplit_once(')').unwrap();
        let ticks: Vec<f64> =
            after.split_whitespace().skip(11).take(2).map(|text| text.parse().unwrap()).collect();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        Self { cpu: (ticks[0] + ticks[1]) / 100.0, peak: peak / 1024.0 }
    }

    /// What two have used together; memory is that of the larger.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, peak: self.peak.max(other.peak) }
    }

    /// What was measured, the broker having used so much before and so much after.
    pub(crate) fn measured(&self, rate: f64, count: usize, before: &Self, after: &Self) -> Measured {
        let each = |seconds: f64| seconds * 100_000.0 / count as f64;
        Measured { rate, cpu: each(self.cpu), peak: self.peak, broker: each(after.cpu - before.cpu) }
    }
}

/// The median, the least and the most.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}
