//! Every bound of the engine, each with what happens when it is reached.

use crate::time::Span;

/// Labels of one alert. More are refused with the alert: no sender we know comes near, and each one costs memory for as long as the alert lives.
pub const LABELS_MAX: usize = 64;
/// Bytes of a label name; a longer one refuses the alert.
pub const LABEL_NAME_BYTES_MAX: usize = 256;
/// Bytes of a label value; a longer one refuses the alert, because cutting it would make two alerts one.
pub const LABEL_VALUE_BYTES_MAX: usize = 4_096;
/// Bytes of an annotation value; a longer one is cut at a character and ends in `…`.
pub const ANNOTATION_BYTES_MAX: usize = 4_096;
/// Annotations of one alert; the rest, in name order, is left out.
pub const ANNOTATIONS_MAX: usize = 64;
/// Bytes of an alert's name, key or source; a longer one refuses the alert.
pub const NAME_BYTES_MAX: usize = 512;
/// Series that one capacity rule takes of an answer; further ones are left out and counted.
pub const SERIES_MAX: usize = 1_000;
/// Bytes of a series' labels in Prometheus' form; one with more is left out and counted.
pub const SERIES_NAME_BYTES_MAX: usize = 2_048;
/// Forecasts of all capacity rules. When full, further series are left out and counted.
pub const FORECASTS_MAX: usize = 50_000;
/// Live alerts. When full, a new alert is refused with a reason and counted; what lives goes on.
pub const ALERTS_MAX: usize = 2_000_000;
/// Sources that say an alert fires. A further one is counted into the last.
pub const ALERT_SOURCES_MAX: usize = 16;
/// Sources known by name. When full, further ones share the number of `other`.
pub const SOURCES_MAX: usize = 4_096;
/// Realms with a number of their own; further ones get ids of `main`. They come from daemon.toml, one a door.
pub const REALMS_MAX: usize = 1_000;
/// Items that one batch works on beyond its own events: alerts that are adopted, follow, are released, collected, merged, let go, judged again or asked
/// about for who hears of them, and children that resolve or close. The rest is queued and goes on with the next batch.
pub const CURSOR_ITEMS_MAX: usize = 1_000;
/// Changes of the health of CIs that one batch remembers, beside what its cursors do: each costs some microseconds. The others are remembered by the next batches,
/// with the time at which they came up; what has passed by then was too short to be seen.
pub const HEALTH_CHANGES_MAX: usize = 1_000;
/// Cursors that go on with one batch, the oldest; each gets ten items at least. The others wait until one of these is done.
pub const CURSORS_A_BATCH: usize = 100;
/// How long a first mail waits while alerts are on their way into its incident or out of it, before it looks again.
pub const MOVING_WAIT: Span = Span::seconds(1);
/// Timers that are set aside because they stopped the daemon. Beyond it the one that was due first goes: it is fired again by the next start.
pub const TIMERS_ASIDE_MAX: usize = 64;
/// Entries of an incident's log of what moved its SLA clocks. When full, the oldest pause is forgotten and counts as used: a deadline that comes
/// too early is looked at, one that comes too late is not.
pub const CLOCK_MARKS_MAX: usize = 1_000;
/// When a sweep looks at every SLA clock for what its timer missed, as a schedule in UTC.
pub const CLOCK_SWEEP: &str = "30 * * * *";
/// Timers that one batch fires; the rest are due in the next one.
pub const DUE_TIMERS_MAX: usize = 1_000;
/// Facts after which a batch fires no further timer: a mail to hundreds of people is as many facts, and a batch may take 50 ms.
pub const DUE_FACTS_MAX: usize = 2_500;
/// Persons told about one incident; further ones are left out and the timeline says so.
pub const TOLD_MAX: usize = 256;
/// Outages that a problem names; of more the last, and they are counted.
pub const PROBLEM_OUTAGES_MAX: usize = 200;
/// Series of outages that are counted and no problem yet, of all rules. When full, the one that would be too old first is forgotten.
pub const OUTAGE_SERIES_MAX: usize = 100_000;
/// Series that are too old and are let go with one outage that is counted.
pub const OUTAGE_SERIES_LET_GO: usize = 8;
/// Bytes of an operator's note or resolution; a longer one is refused.
pub const NOTE_BYTES_MAX: usize = 8_192;
/// Incidents that one command merges into another; more are refused.
pub const MERGED_MAX: usize = 100;
/// CIs that one walk visits beyond those it begins with. A larger reach is reported as "more than".
pub const WALK_MAX: usize = 100_000;
/// Bytes of a mail address; RFC 5321 allows a path of 256 with its brackets, so no server takes a longer one.
pub const ADDRESS_BYTES_MAX: usize = 254;
/// Contradictions between records of CMDB files that one check lists; the others are counted. A file that is there twice has one for every item.
pub const CMDB_FAULTS_MAX: usize = 1_000;
/// Different classes (environments, domains, tiers) among which a slip is looked for. Who has more of them has no vocabulary in which one could be wrong.
pub const CMDB_WORDS_MAX: usize = 200;
/// CIs that share such a word, so that another word a letter away of one CI alone is probably a slip. Fewer may well be two things.
pub const CMDB_WORD_OF_MANY: usize = 5;
/// Unknown names for which one check of CMDB files looks for the nearest known one: each costs a look at every id.
pub const CMDB_NEAREST_MAX: usize = 20;
/// An import that retires more than this share of a source's items, in percent, needs a confirmation: a half-written export looks just like that.
pub const RETIRE_PERCENT_MAX: usize = 20;
/// So many items of a source may go whatever their share: small sources change as a whole.
pub const RETIRE_ITEMS_FREE: usize = 10;
/// So many teams, people or contracts may go whatever their share.
pub const RETIRE_OTHERS_FREE: usize = 2;
/// Bytes of a mail's subject in characters: what a phone shows and a client keeps.
pub const SUBJECT_CHARS_MAX: usize = 70;

/// Without an `endsAt`, an alert clears this long after it was last heard. Alertmanager's `resolve_timeout`.
pub const RESOLVE_TIMEOUT: Span = Span::minutes(5);
/// How long after its cause cleared a symptom that still fires is given back. Two scrape intervals of one minute.
pub const RELEASE_AFTER: Span = Span::minutes(2);
/// How often in one step what alerts explained looks for its cause again after they moved: links of a chain. What still moves then waits for a release.
pub const FOLLOW_ROUNDS_MAX: usize = 16;
/// How long a cleared alert outside any live incident stays: Prometheus repeats a resolved alert for 15 minutes.
pub const FORGET_AFTER: Span = Span::minutes(15);

/// Bytes of one rule or CMDB file; a larger one is refused. Half a million items in CMDB files stay below it.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How deep values of a rule or CMDB file may be nested; a deeper one is refused, because the tree is walked on one stack.
pub const SOURCE_DEPTH_MAX: usize = 64;
/// Unquoted expressions that one reading of a file steps over; behind the last one the rest of the file is not looked at.
pub const SOURCE_TRAPS_MAX: usize = 100;
/// Bytes of an expression; a longer one is refused at load. Far above what a person writes, and a bound on all work below.
pub const EXPRESSION_BYTES_MAX: usize = 8_192;
/// Levels of an expression's tree; a deeper one is refused at load, so that no walk over it can overflow a stack. A chain of `&&` or `||` is one level.
pub const EXPRESSION_DEPTH_MAX: usize = 64;
/// Bytes of a compiled regex; a larger one is refused at load. An alternation of ten thousand host names stays below it.
pub const REGEX_BYTES_MAX: usize = 1 << 20;
/// Comprehensions inside each other; deeper ones are refused at load.
pub const NESTED_LOOPS_MAX: usize = 2;
/// Elements that one evaluation visits in `exists` and `all`; beyond it the evaluation fails, and does not match.
pub const ELEMENTS_MAX: u32 = 100_000;
/// Elements of one evaluation that cost nothing of the batch's budget: nearly every list that people write is shorter.
pub const ELEMENTS_FREE: u32 = 16;
/// Elements that all conditions of one batch visit in `exists` and `all`, beyond the free ones: about 25 ms of the writer, half of what a batch may take.
pub const BATCH_ELEMENTS_MAX: u32 = 250_000;
/// Elements that one evaluation may visit by its text alone before `check` warns of it: a hundred alerts would use up the batch's budget.
pub const ELEMENTS_WARNED: u64 = 2_500;
/// Bytes that `+` may join; a longer text fails the evaluation.
pub const TEXT_RESULT_BYTES_MAX: usize = 65_536;
/// Steps of its last judgements that an alert's row keeps; the oldest go first. A judgement has six, so this is the last five or so.
pub const JUDGEMENT_STEPS_MAX: usize = 32;
/// How long beyond its `group_wait` a first mail waits at most for causes still within their `for`.
pub const COMPANY_WAIT_MAX: Span = Span::minutes(10);
/// Promises of SLAs that a mail names; those that press most.
pub const CLOCKS_TOLD: usize = 6;
/// Outages of a problem that a mail names; the last.
pub const OUTAGES_TOLD: usize = 5;
/// Acknowledgements and notes of sources that an incident's timeline takes: a sender that repeats itself for ever ends there. Far above what people write.
pub const SOURCE_WORDS_MAX: u32 = 1_000;
/// Symptoms that a mail names before it counts the rest.
pub const SYMPTOMS_NAMED: usize = 5;
/// Alerts of an incident, and alerts on their items, that are looked at for what a mail about its end says of the rest: it names five.
pub const LEFT_OVER_LOOKS_MAX: usize = 1_000;
/// Alerts that the detach link of a mail takes out; further ones are taken out on the incident's page, each by its own button.
pub const YOURS_ALERTS_MAX: usize = 64;
/// `adopt_within` of an alert whose rule a reload took away: the default.
pub const ADOPT_WITHIN: Span = Span::minutes(10);
/// Rounds of timers that a rule test sees at one instant; more is a clock that does not get on, and fails the test.
pub const TRIAL_ROUNDS_MAX: usize = 10_000;
/// Incidents, alerts and mails, each, that the trace of a failed rule test names before it counts the rest.
pub const TRACE_NAMED_MAX: usize = 50;
/// After how long a message that did not leave, by mail or to a hook, is tried again; after the last of these, always so.
pub const MESSAGE_RETRY_AFTER: [Span; 5] = [Span::seconds(15), Span::minutes(1), Span::minutes(5), Span::minutes(15), Span::minutes(30)];
/// The longest wait that a hook may ask for (`Retry-After`).
pub const RETRY_AFTER_MAX: Span = Span::hours(24);
/// After how long a message that never left is given up: two nights, so that a mail server that fails on Friday evening is seen on Saturday.
pub const MESSAGE_GIVE_UP_AFTER: Span = Span::hours(48);
