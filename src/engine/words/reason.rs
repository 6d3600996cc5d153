//! Why messages go out: one table, from which rules, subjects, the built-in text and the help of `send` come. The texts of mails are `templates/WORD.*`.

use minicbor::{Decode, Encode};

/// Which rules send a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Also those without `send`: it asks for attention.
    ByDefault,
    /// Those that name it; those without `send` tell it the assignee and the lead, and the owner where neither can be told, instead of their `to`.
    ToAssignee,
    /// Those that name it in `send`.
    WhenNamed,
    /// None: the daemon sends it by itself.
    ByItself,
}

/// How much a message says to somebody who was told before. A first one always says everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Everything: it asks somebody to act who may have to start from here.
    Full,
    /// What is new.
    Brief,
}

/// The closed words of `reason`, with what each decides.
///
/// `subject` begins a subject of its own, in the same thread, because people must not miss it; where it is empty the thread's subject stays. `says` is the
/// verdict of the built-in text, which goes out where the templates fail; the daemon's `mail/builtin.rs` names what may stand in braces.
macro_rules! reasons {
    ($($(#[$doc:meta])* $index:literal $variant:ident $word:literal { $sent:ident, $length:ident, subject: $subject:literal, says: $says:literal })+) => {
        words!(
            /// Why a message goes out.
            Reason { $($(#[$doc])* $index $variant $word),+ }
        );

        impl Reason {
            /// Which rules send it.
            pub const fn sent(self) -> Sent {
                match self { $(Reason::$variant => Sent::$sent),+ }
            }

            /// How much it says to somebody who was told before.
            pub const fn length(self) -> Length {
                match self { $(Reason::$variant => Length::$length),+ }
            }

            /// What its own subject begins with; empty where the thread's subject stays. `{priority}` is the incident's.
            pub const fn subject(self) -> &'static str {
                match self { $(Reason::$variant => $subject),+ }
            }

            /// The verdict of the built-in text.
            pub const fn says(self) -> &'static str {
                match self { $(Reason::$variant => $says),+ }
            }
        }
    };
}

reasons! {
    /// An incident is new to this person.
    0 Opened "opened" { ByDefault, Full, subject: "", says: "{priority} OPEN {open}, {has}." }
    /// A resolved incident came back.
    1 Reopened "reopened" { ByDefault, Full, subject: "", says: "{priority} OPEN AGAIN, first opened {since}, {has}." }
    /// The priority went up.
    2 Raised "raised" { ByDefault, Full, subject: "{priority} now:", says: "NOW {priority}, open {open}, {has}." }
    /// Their CI is a symptom of somebody else's incident.
    3 Affected "affected" { ByDefault, Brief, subject: "", says: "NOT YOURS TO FIX: because of {item}, {has}." }
    /// Their CI still fires after the cause is gone.
    4 Released "released" { ByDefault, Full, subject: "", says: "{priority} YOURS AGAIN: it still fires, {has}." }
    /// Somebody acknowledged it.
    5 Acknowledged "acknowledged" { WhenNamed, Brief, subject: "", says: "ACKNOWLEDGED, {has}. {priority}, still open." }
    /// It was assigned to somebody.
    8 Assigned "assigned" { WhenNamed, Brief, subject: "", says: "ASSIGNED, {has}. {priority}, open {open}." }
    /// It was put on hold.
    9 Held "held" { WhenNamed, Brief, subject: "", says: "ON HOLD: {words}. {priority}, open {open}." }
    /// So much of the time of an SLA target is used.
    11 SlaWarning "sla_warning" { ToAssignee, Brief, subject: "", says: "TIME IS RUNNING OUT: {clock}, {has}. {priority}, open {open}." }
    /// An SLA target was missed.
    12 SlaBreached "sla_breached" { ByDefault, Brief, subject: "BREACHED: {priority}", says: "BREACHED: {clock}, {has}. {priority}, open {open}." }
    /// A problem was opened: the incident keeps coming back.
    13 ProblemOpened "problem_opened" { ByDefault, Brief, subject: "Problem:", says: "PROBLEM OPEN: {count} times since {first_outage}, {has}." }
    /// It came back after it was said to be fixed.
    14 FixFailed "fix_failed" { ByDefault, Brief, subject: "Fix failed:", says: "FIX FAILED: it came back, {count} times since {first_outage}, {has}." }
    /// A problem that is known had one more outage.
    15 ProblemRecurred "problem_recurred" { WhenNamed, Brief, subject: "Problem again:", says: "AGAIN: {count} times since {first_outage}, {has}." }
    /// The incident is resolved.
    6 Resolved "resolved" { ByDefault, Brief, subject: "", says: "RESOLVED {until}: {words}." }
    /// The incident is closed.
    10 Closed "closed" { WhenNamed, Brief, subject: "", says: "CLOSED: over since {until}." }
    /// A folded list of what was not worth a mail of its own.
    7 Digest "digest" { ByItself, Brief, subject: "", says: "{lines} INCIDENTS since {lines_since}." }
}

/// The words that a rule may name in `send`: all but those that the daemon sends by itself.
pub const SENDABLE_REASONS: &[&str] = &sendable::<{ count_sendable() }>();

/// Words of reasons that a later version will send.
pub const LATER_REASONS: &[&str] =
    &["reminder", "unacknowledged", "update", "joined", "flapping", "storm", "major", "known_error", "problem_closed"];

const fn count_sendable() -> usize {
    let (mut n, mut found) = (0, 0);
    while n < Reason::ALL.len() {
        found += !matches!(Reason::ALL[n].sent(), Sent::ByItself) as usize;
        n += 1;
    }
    found
}

const fn sendable<const N: usize>() -> [&'static str; N] {
    let mut words = [""; N];
    let (mut n, mut found) = (0, 0);
    while n < Reason::ALL.len() {
        if !matches!(Reason::ALL[n].sent(), Sent::ByItself) {
            words[found] = Reason::ALL[n].word();
            found += 1;
        }
        n += 1;
    }
    words
}
