//! What an examination found, point by point.

use serde::Serialize;

/// How a point came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As the protocol has it.
    Kept,
    /// Not so.
    Broken,
    /// Some implementations do without; a partner can live with it.
    Lacking,
}

/// One point of the protocol.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Whose dialect it is: `all`, `zendesk` (the gem that Zendesk uses), `node`, `request_tracker`.
    pub dialect: &'static str,
    /// What is wanted.
    pub wanted: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was answered.
    pub answered: String,
}

/// All points.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Paper {
    /// In the order in which they were asked.
    pub points: Vec<Point>,
}

impl Paper {
    /// Whether no point is broken.
    pub fn is_passed(&self) -> bool {
        self.points.iter().all(|point| point.verdict != Verdict::Broken)
    }

    /// How many of a dialect are kept, and how many there are.
    pub fn of(&self, dialect: &str) -> (usize, usize) {
        let all = self.points.iter().filter(|point| point.dialect == dialect);
        let kept = all.clone().filter(|point| point.verdict == Verdict::Kept).count();
        (kept, all.count())
    }
}
