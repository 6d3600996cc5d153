//! Timers: what becomes due, and which of them are set aside because they stopped the daemon.

use minicbor::{Decode, Encode};

use crate::ids::{AlertId, IncidentId, MessageId, ProblemId, SilenceId};
use crate::time::Time;

/// What becomes due. A timer is never taken out: it fires, looks whether its thing still wants it, and is armed again or not.
/// Indices are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Timer {
    /// An alert's `for` is over, or it is looked at again.
    #[n(0)]
    Judge(#[n(0)] AlertId),
    /// The last source's end of an alert passes.
    #[n(1)]
    Ends(#[n(0)] AlertId),
    /// Symptoms whose cause cleared are given back.
    #[n(2)]
    Release(#[n(0)] IncidentId),
    /// A cleared alert is forgotten.
    #[n(3)]
    Forget(#[n(0)] AlertId),
    /// An incident's first mail is due.
    #[n(4)]
    Notify(#[n(0)] IncidentId),
    /// An incident resolves, or reopens where it was resolved by hand.
    #[n(5)]
    Settle(#[n(0)] IncidentId),
    /// An incident is closed.
    #[n(6)]
    Close(#[n(0)] IncidentId),
    /// A hold ends.
    #[n(7)]
    Hold(#[n(0)] IncidentId),
    /// A silence begins or ends.
    #[n(8)]
    Silence(#[n(0)] SilenceId),
    /// A silence is forgotten.
    #[n(9)]
    ForgetSilence(#[n(0)] SilenceId),
    /// Silence rules begin or end.
    #[n(10)]
    SilenceRules,
    /// Jobs are due; which, is looked up among them.
    #[n(11)]
    Jobs,
    /// A message is tried again.
    #[n(12)]
    Retry(#[n(0)] MessageId),
    /// Queued work goes on.
    #[n(13)]
    Cursors,
    /// A share of an SLA clock's time is used up.
    #[n(14)]
    Clock(#[n(0)] IncidentId),
    /// A sweep over SLA clocks goes on. Stores written before there were cursors may have it set aside; nothing arms it.
    #[n(15)]
    ClockSweep,
    /// A problem that stayed quiet after its fix closes.
    #[n(16)]
    CloseProblem(#[n(0)] ProblemId),
}

/// A timer that is not fired, because it stopped the daemon twice. What it is about stays as it is until something else arms it for another time,
/// or another release of the daemon starts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Aside {
    /// The timer.
    #[n(0)]
    pub timer: Timer,
    /// When it was due.
    #[n(1)]
    pub due_at: Time,
    /// The release that it stopped; another one may fire it.
    #[n(2)]
    pub release: String,
}
