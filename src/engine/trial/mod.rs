//! Rule tests on a virtual clock: what a test in a rules file says happens, through the same pipeline as in the daemon, against what it expects.
//!
//! Knows no clock and no file; the daemon prints what comes of it. Thousands run in a second, because a test is a State of its own and nothing waits.

mod bench;
mod compare;
mod coverage;
mod trace;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::cmdb::Cmdb;
use crate::policy::Policy;
use crate::policy::tests::RuleTest;
use crate::source::{Place, SourceFile};
use crate::time::Span;

pub use coverage::RuleRef;

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The test's name.
    pub name: String,
    /// The file it stands in.
    pub path: String,
    /// Where it begins there.
    pub place: Place,
    /// What did not come out as the test says, in the order of its clock; empty where it passed.
    pub failures: Vec<Failure>,
    /// Where it failed: the judgements of its alerts, the timelines of its incidents and its mails, a line each.
    pub trace: Vec<String>,
    /// The rules that took part.
    pub rules_touched: BTreeSet<RuleRef>,
}

/// One step that did not come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The file.
    pub path: String,
    /// Its bytes there.
    pub span: Range<usize>,
    /// Where it begins there.
    pub place: Place,
    /// When, after the test's start.
    pub at: Span,
    /// What was expected and what was found, in lines.
    pub text: String,
}

/// What came of all tests of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Each test, in the order of files.
    pub trials: Vec<Trial>,
    /// Rules that no test touched, in the order of sections and files.
    pub untouched: Vec<RuleRef>,
}

/// Runs one test. `real_cmdb` serves where the test brings none.
///
/// Mails to nobody go to the address `[mail] to`, whatever the configuration names there, so that a test stays true everywhere.
pub fn run(policy: &Arc<Policy>, real_cmdb: &Arc<Cmdb>, test: &RuleTest) -> Trial {
    let file = policy.sources.iter().find(|file| file.path == test.path);
    let mut trial = Trial {
        name: test.name.clone(),
        path: test.path.clone(),
        place: place(file, &test.span),
        failures: Vec::new(),
        trace: Vec::new(),
        rules_touched: BTreeSet::new(),
    };
    let ran = match cmdb(file, real_cmdb, test) {
        Ok(cmdb) => bench::run(policy, cmdb, test),
        Err(fault) => bench::Ran::refused(test, fault),
    };
    trial.failures = ran
        .failures
        .into_iter()
        .map(|(span, at, text)| Failure { path: test.path.clone(), place: place(file, &span), span, at, text })
        .collect();
    trial.trace = ran.trace;
    trial.rules_touched = ran.touched;
    trial
}

/// Runs every test of a policy.
pub fn run_all(policy: &Arc<Policy>, real_cmdb: &Arc<Cmdb>) -> Summary {
    let trials: Vec<Trial> = policy.tests.iter().map(|test| run(policy, real_cmdb, test)).collect();
    let touched: BTreeSet<&RuleRef> = trials.iter().flat_map(|trial| &trial.rules_touched).collect();
    let untouched = coverage::own_rules(policy).into_iter().filter(|rule| !touched.contains(rule)).collect();
    Summary { trials, untouched }
}

impl Trial {
    /// Whether everything came out as the test says.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl Summary {
    /// Whether every test passed: `watchkeeper test` exits with 0. Rules without a test do not fail it.
    pub fn passed(&self) -> bool {
        self.trials.iter().all(Trial::passed)
    }
}

/// A line where it passed; what failed, and the trace, where it did not.
impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.passed() {
            return writeln!(f, "ok      {}", self.name);
        }
        writeln!(f, "FAILED  {}", self.name)?;
        for failure in &self.failures {
            writeln!(f, "  {failure}")?;
        }
        if !self.trace.is_empty() {
            writeln!(f, "  what happened:")?;
        }
        self.trace.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// `rules/tests/outages.yaml:12:9, after 3m:` and the difference below it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}, after {}:", self.path, self.place, self.at)?;
        self.text.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// What `watchkeeper test` prints: every test, then how many passed and which rules no test touched.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trials.iter().try_for_each(|trial| trial.fmt(f))?;
        let failed = self.trials.iter().filter(|trial| !trial.passed()).count();
        writeln!(f, "{} passed, {failed} failed", self.trials.len() - failed)?;
        if !self.untouched.is_empty() {
            let names: Vec<String> = self.untouched.iter().map(RuleRef::to_string).collect();
            writeln!(f, "no test touches {}", names.join(", "))?;
        }
        Ok(())
    }
}

fn cmdb(file: Option<&SourceFile>, real: &Arc<Cmdb>, test: &RuleTest) -> Result<Arc<Cmdb>, String> {
    let Some(node) = &test.cmdb else { return Ok(Arc::clone(real)) };
    let Some(file) = file else { return Err(format!("the file {} is not among the policy's", test.path)) };
    let reading = crate::source::Reading::new(file);
    match crate::cmdb::files::read_inline(node, &reading) {
        Some(inventory) => Ok(Arc::new(Cmdb::build(inventory, 1))),
        None => {
            let faults = reading.finish();
            let lines: Vec<String> = faults
                .iter()
                .filter(|fault| fault.is_error())
                .map(|fault| format!("the CMDB of the test at {}: {}", file.place(fault.span.start), fault.message))
                .collect();
            Err(lines.join("\n"))
        }
    }
}

fn place(file: Option<&SourceFile>, span: &Range<usize>) -> Place {
    file.map_or(Place { line: 1, column: 1 }, |file| file.place(span.start))
}
