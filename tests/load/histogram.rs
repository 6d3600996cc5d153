//! A histogram of the daemon's own metrics, between two looks at it.

/// Sum and count of what was observed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Histogram {
    sum: f64,
    count: f64,
}

/// Reads a histogram out of an exposition, all its label values together.
pub(crate) fn read(exposition: &str, name: &str) -> Histogram {
    let total = |part: &str| -> f64 {
        let start = format!("{name}_{part}");
        let lines = exposition.lines().filter(|line| line.strip_prefix(&start).is_some_and(|rest| rest.starts_with(['{', ' '])));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    let read = Histogram { sum: total("sum"), count: total("count") };
    assert!(read.count > 0.0, "the daemon has no histogram {name}");
    read
}

impl Histogram {
    /// What was observed after `before`.
    pub(crate) fn since(self, before: &Histogram) -> Histogram {
        Histogram { sum: self.sum - before.sum, count: self.count - before.count }
    }

    /// How much was observed.
    pub(crate) fn count(self) -> f64 {
        self.count
    }

    /// The mean of it.
    pub(crate) fn mean(self) -> f64 {
        self.sum / self.count
    }
}
