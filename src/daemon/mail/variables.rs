//! Every name a template may use: variables with their kinds, helpers with what they take. What `check` knows, `templates/README.md` lists.

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line of text; empty where there is nothing to say.
    Text,
    /// A number.
    Count,
    /// A moment, in milliseconds; zero where it never came. Shown by `clock` or `day`.
    Instant,
    /// A length of time, in milliseconds. Shown by `span`.
    Length,
    /// Yes or no.
    Flag,
    /// A list of texts.
    Texts,
    /// A record of further names.
    One(&'static [Variable]),
    /// A list of records.
    Many(&'static [Variable]),
}

impl Kind {
    /// What a message calls it.
    pub(super) const fn called(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Count => "a number",
            Kind::Instant => "a moment",
            Kind::Length => "a length of time",
            Kind::Flag => "yes or no",
            Kind::Texts => "a list of texts",
            Kind::One(_) => "a record",
            Kind::Many(_) => "a list of records",
        }
    }
}

/// A name a template may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: &'static str,
    /// What it stands for.
    pub kind: Kind,
    /// What it says, for the README.
    pub says: &'static str,
}

const fn var(name: &'static str, kind: Kind, says: &'static str) -> Variable {
    Variable { name, kind, says }
}

/// The names at the top of every mail.
pub static ROOT: &[Variable] = &[
    var("reason", Kind::Text, "why the mail goes out: `opened`, `resolved`, …"),
    var("incident", Kind::Text, "the incident's id; empty in a digest"),
    var("page", Kind::Text, "the address of the incident's page"),
    var("act", Kind::One(ACT), "links that act; each is empty where there is nothing to do"),
    var("priority", Kind::Text, "`P1` to `P5`"),
    var("priority_before", Kind::Text, "the priority before it was raised"),
    var("state", Kind::Text, "`new`, `acknowledged`, `in_progress`, `on_hold`, `resolved` or `closed`"),
    var("title", Kind::Text, "what is wrong, in a sentence without a full stop"),
    var("now", Kind::Instant, "the moment the mail was planned"),
    var("since", Kind::Instant, "since when it is so: since it last came back; in `reopened` since the first time"),
    var("until", Kind::Instant, "when it ended; zero while it lasts"),
    var("acknowledged_at", Kind::Instant, "when somebody first had it; zero where nobody did"),
    var("hold_until", Kind::Instant, "in `held`: until when it waits at most; zero where it has no end"),
    var("reopens_until", Kind::Instant, "until when a return reopens it; zero where it does not"),
    var("zone", Kind::Text, "the zone that times are written in"),
    var("holder", Kind::Text, "who has it; empty where nobody does"),
    var("team", Kind::Text, "the team that has the cause"),
    var("by", Kind::Text, "once it is over, who resolved it, empty where it resolved itself; before that, who has it"),
    var("words", Kind::Text, "their words, or why it resolved itself, without a full stop; in `held` for what it waits"),
    var("item", Kind::One(ITEM), "the CI at fault"),
    var("quote", Kind::One(QUOTE), "the cause's alert as its sender wrote it; of a reported incident, who reported it and their words"),
    var("hurts", Kind::Many(HURT), "the services it affects, worst first; at most 4"),
    var("hurts_more", Kind::Count, "services beyond those"),
    var("services", Kind::Texts, "the ids of the services it affects; at most 4"),
    var("back", Kind::Texts, "services it affected that are up, while all its alerts have cleared; at most 4"),
    var("back_more", Kind::Count, "services beyond those"),
    var("resolves_at", Kind::Instant, "when it resolves by itself, while all its alerts have cleared; else zero"),
    var("cause", Kind::Text, "why that is the cause, without a full stop"),
    var("symptoms", Kind::Count, "symptoms in the incident that fire; in `resolved` all"),
    var("symptom_items", Kind::Texts, "the first CIs of the symptoms; at most 5"),
    var("symptom_more", Kind::Count, "CIs beyond those"),
    var("alerts", Kind::Count, "alerts in the incident"),
    var("cleared", Kind::Count, "of those, cleared"),
    var("yours", Kind::Texts, "the reader's own CIs, in `affected` and `released`; at most 5"),
    var("yours_more", Kind::Count, "CIs beyond those"),
    var("yours_since", Kind::Instant, "since when they fire"),
    var("yours_because", Kind::Text, "why they are symptoms, or why they were given back, without a full stop"),
    var("yours_incident", Kind::Text, "the incident they had before, which is now a child"),
    var("check", Kind::Text, "the note of the CI in the CMDB"),
    var("before", Kind::One(BEFORE), "the incident before this one with the same group"),
    var("runbook", Kind::Text, "where to read what to do; http or https, else empty"),
    var("told", Kind::Texts, "who else is told with it; at most 4"),
    var("told_more", Kind::Count, "further ones"),
    var("rule", Kind::Text, "the correlate rule"),
    var("notify", Kind::Text, "the notify rule"),
    var("reopened", Kind::Count, "how often it came back"),
    var("lasted_before", Kind::Length, "how long it was open before it last came back; zero where it did not"),
    var(
        "lasted",
        Kind::Length,
        "once it is over: how long it was open in all, without the times between a resolution and a return; else zero",
    ),
    var("acknowledged_before", Kind::Length, "how long it took before that until somebody had it; zero where nobody did"),
    var("left_over", Kind::Texts, "what still fires on the CIs after it was resolved, in sentences without a full stop; at most 4"),
    var("left_over_more", Kind::Count, "further ones"),
    var("due", Kind::One(CLOCK), "the promise of an SLA that the mail is about, else the one that presses most; empty where there is none"),
    var("clocks", Kind::Many(CLOCK), "every promise, those that the mail is about first; at most 6"),
    var("problem", Kind::One(PROBLEM), "the problem; its `id` is empty in a mail about anything else"),
    var("first", Kind::Flag, "whether it is the reader's first mail about the incident"),
    var("full", Kind::Flag, "whether the mail tells everything: a first one, or one that asks for attention"),
    var("open_lines", Kind::Many(LINE), "a digest's incidents that are open; at most 8"),
    var("open_count", Kind::Count, "how many there are"),
    var("open_more", Kind::Count, "those beyond the first 8"),
    var("settled_lines", Kind::Many(LINE), "a digest's incidents that are over; at most 4"),
    var("settled_count", Kind::Count, "how many there are"),
    var("settled_more", Kind::Count, "those beyond the first 4"),
    var("lines_since", Kind::Instant, "since when a digest reports"),
    var("subject", Kind::Text, "in a hook's template: the subject that a mail would have"),
    var("headline", Kind::Text, "in a hook's template: the first paragraph of the text part, the verdict and what it is about"),
    var("text", Kind::Text, "in a hook's template: the whole text part, several lines"),
    var("out", Kind::One(OUT), "in a hook's template: the hook"),
];

static OUT: &[Variable] =
    &[var("name", Kind::Text, "its name in daemon.toml"), var("topic", Kind::Text, "its `topic` in daemon.toml; may be empty")];

static ACT: &[Variable] = &[
    var("acknowledge", Kind::Text, "the reader has it; while nobody does"),
    var("not_mine", Kind::Text, "the reader says that it is not theirs; while nobody has it"),
    var("note", Kind::Text, "the reader writes something down; until it is closed"),
    var("take_over", Kind::Text, "the reader has it, whoever had it before; while it is open"),
    var("hold", Kind::Text, "it waits; while it is open and does not"),
    var("detach", Kind::Text, "in `affected`: the reader's alerts leave the incident"),
];

static ITEM: &[Variable] = &[
    var("id", Kind::Text, "its id"),
    var("class", Kind::Text, "its class"),
    var("owner", Kind::Text, "the team that owns it"),
    var("site", Kind::Text, "its label `site`"),
    var("known", Kind::Flag, "whether the CMDB knows it"),
    var("in_title", Kind::Flag, "whether `title` names it"),
];

static QUOTE: &[Variable] = &[
    var("name", Kind::Text, "its name"),
    var("summary", Kind::Text, "its summary, at most 200 characters"),
    var("source", Kind::Text, "who sent it"),
    var("url", Kind::Text, "where the sender shows it; http or https, else empty"),
];

static HURT: &[Variable] =
    &[var("id", Kind::Text, "its id"), var("tier", Kind::Text, "its tier"), var("health", Kind::Text, "`down`, `degraded` or `at_risk`")];

static BEFORE: &[Variable] = &[
    var("incident", Kind::Text, "its id; empty where there is none"),
    var("opened_at", Kind::Instant, "when it opened"),
    var("lasted", Kind::Length, "how long it took"),
    var("words", Kind::Text, "with which words it was resolved"),
];

static CLOCK: &[Variable] = &[
    var("sla", Kind::Text, "the SLA's name"),
    var("service", Kind::Text, "the service it is promised for"),
    var("target", Kind::Text, "`response`, `resolution` or `update`"),
    var("goal", Kind::Text, "what is to be done: `acknowledge`, `restore` or `update`"),
    var("kept", Kind::Text, "that done: `acknowledged`, `restored` or `updated`"),
    var("state", Kind::Text, "`running`, `paused`, `met`, `breached`, or `ended`: neither met nor missed"),
    var("allowed", Kind::Text, "how long it may take, in words"),
    var("percent", Kind::Count, "the used share; below 100 until it is breached"),
    var("deadline", Kind::Instant, "until when; zero while it is paused"),
    var("used", Kind::Length, "the used time, by the SLA's calendar"),
    var("left", Kind::Length, "the time left, by the SLA's calendar"),
    var("paused", Kind::Length, "what did not count, by the SLA's calendar"),
    var("ended", Kind::Instant, "when it was kept or ended; zero before"),
    var("reached", Kind::Texts, "the shares that the mail is about: `75 %`, `the deadline`; several where they fell due together"),
    var("next_percent", Kind::Count, "the share that is told next; 100 is the breach"),
    var("next_at", Kind::Instant, "when that is; zero where nothing is told any more"),
    var("counted_from", Kind::Instant, "of a resolution, once it is over: from when on it counts, where that is not `since`; else zero"),
    var("because", Kind::Text, "why it ended without having been met, without a full stop; else empty"),
];

static PROBLEM: &[Variable] = &[
    var("id", Kind::Text, "its id"),
    var("rule", Kind::Text, "the rule of `problems`"),
    var("same", Kind::Text, "what its incidents share, with the values"),
    var("because", Kind::Text, "why it was opened, without a full stop"),
    var("count", Kind::Count, "how many outages there were"),
    var("since", Kind::Instant, "when the first known one began"),
    var("lasted", Kind::Length, "how long it was out in all"),
    var("outages", Kind::Many(OUTAGE), "the last outages, the earliest first; at most 5"),
    var("workaround", Kind::Text, "what helps until it is fixed; empty where nobody knows"),
    var("fixes_failed", Kind::Count, "how often it came back after a fix"),
    var("fix", Kind::Text, "what was said of the fix that was tried last"),
    var("fixed_by", Kind::Text, "who said so"),
];

static OUTAGE: &[Variable] = &[
    var("incident", Kind::Text, "the incident"),
    var("at", Kind::Instant, "when it began"),
    var("lasted", Kind::Length, "how long it took; so far, where it is not over"),
    var("is_over", Kind::Flag, "whether it is over"),
    var("words", Kind::Text, "what helped; empty where it ended by itself"),
];

static LINE: &[Variable] = &[
    var("label", Kind::Text, "`Now P2` or `Over P4`"),
    var("incident", Kind::Text, "its id"),
    var("priority", Kind::Text, "its priority"),
    var("state", Kind::Text, "its state"),
    var("title", Kind::Text, "its title, at most 36 characters"),
    var("item", Kind::Text, "its CI"),
    var("holder", Kind::Text, "who has it; empty where nobody does"),
    var("since", Kind::Instant, "since when"),
    var("until", Kind::Instant, "when it ended; zero where it did not"),
    var("lasted", Kind::Length, "how long it was open, so far where it is, without the times between a resolution and a return"),
    var("take", Kind::Text, "the link by which the reader has it; empty where somebody does, or it is over"),
];

/// What a helper takes at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Whatever.
    Any,
    /// A text.
    Text,
    /// A number.
    Count,
    /// A moment.
    Instant,
    /// A length of time.
    Length,
    /// A list.
    List,
    /// A list of texts.
    Texts,
    /// A number or a list, which is counted.
    CountOrList,
}

impl Takes {
    /// Whether it takes `kind`.
    pub(super) const fn takes(self, kind: Kind) -> bool {
        match self {
            Takes::Any => true,
            Takes::Text => matches!(kind, Kind::Text),
            Takes::Count => matches!(kind, Kind::Count),
            Takes::Instant => matches!(kind, Kind::Instant),
            Takes::Length => matches!(kind, Kind::Length),
            Takes::List => matches!(kind, Kind::Texts | Kind::Many(_)),
            Takes::Texts => matches!(kind, Kind::Texts),
            Takes::CountOrList => matches!(kind, Kind::Count | Kind::Texts | Kind::Many(_)),
        }
    }

    /// What a message calls it.
    pub(super) const fn called(self) -> &'static str {
        match self {
            Takes::Any => "anything",
            Takes::Text => "a text",
            Takes::Count => "a number",
            Takes::Instant => "a moment",
            Takes::Length => "a length of time",
            Takes::List => "a list",
            Takes::Texts => "a list of texts",
            Takes::CountOrList => "a number or a list",
        }
    }
}

/// Whether a helper stands alone or around something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{{name …}}`, also inside another helper's brackets: gives a value of this kind.
    Inline(Kind),
    /// `{{name …}}` on its own: writes markup.
    Mark,
    /// `{{#name …}}…{{/name}}`.
    Block,
}

/// A helper that a template may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Helper {
    /// Its name.
    pub(super) name: &'static str,
    /// Alone or around something.
    pub(super) form: Form,
    /// What it needs, in order.
    pub(super) needs: &'static [Takes],
    /// What it may have after that.
    pub(super) may: &'static [Takes],
    /// What it may have by name.
    pub(super) named: &'static [(&'static str, Takes)],
    /// An example, for messages and the README.
    pub(super) example: &'static str,
}

const fn helper(name: &'static str, form: Form, needs: &'static [Takes], example: &'static str) -> Helper {
    Helper { name, form, needs, may: &[], named: &[], example }
}

/// Every helper, ours and those of handlebars that we take.
pub(super) static HELPERS: &[Helper] = &[
    helper("clock", Form::Inline(Kind::Text), &[Takes::Instant], "{{clock since}}"),
    helper("day", Form::Inline(Kind::Text), &[Takes::Instant], "{{day before.opened_at}}"),
    helper("between", Form::Inline(Kind::Text), &[Takes::Instant, Takes::Instant], "{{between since now}}"),
    helper("span", Form::Inline(Kind::Text), &[Takes::Length], "{{span before.lasted}}"),
    Helper {
        named: &[("more", Takes::Count)],
        ..helper("list", Form::Inline(Kind::Text), &[Takes::Texts], "{{list symptom_items more=symptom_more}}")
    },
    Helper {
        may: &[Takes::Text],
        ..helper("count", Form::Inline(Kind::Text), &[Takes::CountOrList, Takes::Text], "{{count alerts \"alert\"}}")
    },
    helper("plural", Form::Inline(Kind::Text), &[Takes::CountOrList, Takes::Text, Takes::Text], "{{plural yours \"fires\" \"fire\"}}"),
    helper("upper", Form::Inline(Kind::Text), &[Takes::Text], "{{upper state}}"),
    helper("plain", Form::Inline(Kind::Text), &[Takes::Text], "{{plain state}}"),
    helper("cut", Form::Inline(Kind::Text), &[Takes::Text, Takes::Count], "{{cut title 40}}"),
    helper("calm", Form::Inline(Kind::Text), &[Takes::Text], "{{calm headline}}"),
    helper("verdict", Form::Block, &[], "{{#verdict}}{{priority}} OPEN{{/verdict}}"),
    helper("say", Form::Block, &[], "{{#say}}{{title}}.{{/say}}"),
    helper("rows", Form::Block, &[], "{{#rows}}…{{/rows}}"),
    helper("row", Form::Block, &[Takes::Text], "{{#row \"Cause\"}}{{cause}}{{/row}}"),
    helper("actions", Form::Block, &[], "{{#actions}}…{{/actions}}"),
    helper("line", Form::Block, &[Takes::Count], "{{#line 160}}…{{/line}}"),
    Helper { named: &[("anchor", Takes::Text)], ..helper("button", Form::Mark, &[Takes::Text, Takes::Text], "{{button \"OPEN\" page}}") },
    helper("link", Form::Mark, &[Takes::Text], "{{link runbook}}"),
    helper("ref", Form::Mark, &[Takes::Text], "{{ref before.incident}}"),
    Helper { named: &[("includeZero", Takes::Any)], ..helper("if", Form::Block, &[Takes::Any], "{{#if holder}}…{{else}}…{{/if}}") },
    Helper { named: &[("includeZero", Takes::Any)], ..helper("unless", Form::Block, &[Takes::Any], "{{#unless holder}}…{{/unless}}") },
    helper("each", Form::Block, &[Takes::List], "{{#each hurts}}{{id}}{{/each}}"),
    helper("with", Form::Block, &[Takes::Any], "{{#with item}}{{id}}{{/with}}"),
    helper("eq", Form::Inline(Kind::Flag), &[Takes::Any, Takes::Any], "{{#if (eq priority \"P1\")}}"),
    helper("ne", Form::Inline(Kind::Flag), &[Takes::Any, Takes::Any], "{{#if (ne priority \"P1\")}}"),
    helper("gt", Form::Inline(Kind::Flag), &[Takes::Any, Takes::Any], "{{#if (gt alerts 1)}}"),
    helper("gte", Form::Inline(Kind::Flag), &[Takes::Any, Takes::Any], "{{#if (gte alerts 2)}}"),
    helper("lt", Form::Inline(Kind::Flag), &[Takes::Any, Takes::Any], "{{#if (lt cleared alerts)}}"),
    helper("lte", Form::Inline(Kind::Flag), &[Takes::Any, Takes::Any], "{{#if (lte alerts 1)}}"),
    Helper { may: &[Takes::Any; 6], ..helper("and", Form::Inline(Kind::Flag), &[Takes::Any, Takes::Any], "{{#if (and holder team)}}") },
    Helper { may: &[Takes::Any; 6], ..helper("or", Form::Inline(Kind::Flag), &[Takes::Any, Takes::Any], "{{#if (or holder team)}}") },
    helper("not", Form::Inline(Kind::Flag), &[Takes::Any], "{{#if (not holder)}}"),
    helper("len", Form::Inline(Kind::Count), &[Takes::List], "{{len hurts}}"),
];

/// The helper of a name.
pub(super) fn helper_named(name: &str) -> Option<&'static Helper> {
    HELPERS.iter().find(|helper| helper.name == name)
}

/// Names of the form `item.id` of every variable, lists with `[]`: what the README must list.
pub fn all_names() -> Vec<(String, Kind, &'static str)> {
    let mut names = Vec::new();
    for variable in ROOT {
        names.push((variable.name.to_owned(), variable.kind, variable.says));
        if let Kind::One(inner) | Kind::Many(inner) = variable.kind {
            for field in inner {
                names.push((format!("{}.{}", variable.name, field.name), field.kind, field.says));
            }
        }
    }
    names
}

/// Every helper's name and an example.
pub fn all_helpers() -> Vec<(&'static str, &'static str)> {
    HELPERS.iter().map(|helper| (helper.name, helper.example)).collect()
}
