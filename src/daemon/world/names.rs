//! Names that one kind of file gives and another uses: formats, templates, teams, people, contracts, servers. Held against each other whatever else is wrong,
//! so that these faults come in the same round; what may be defined where a file could not be read is not missed.

use std::collections::BTreeSet;

use watchkeeper_engine::cmdb;
use watchkeeper_engine::policy::calendars::ALWAYS;
use watchkeeper_engine::policy::{self, Mention, Mentioned};
use watchkeeper_engine::source::{Diagnostic, SourceFile, Unread, nearest};

use super::frame::Frame;
use crate::diagnostics::Findings;
use crate::ingest::senders;
use crate::mail::shipped;

/// What the files give that others name.
#[derive(Debug)]
pub(super) struct Given<'a> {
    /// The rules.
    pub(super) rules: &'a policy::Checked,
    /// The CMDB.
    pub(super) cmdb: &'a cmdb::files::Checked,
    /// The operator's templates, by path in their folder.
    pub(super) templates: &'a [SourceFile],
    /// What could not be read of the folder of templates.
    pub(super) unread_templates: &'a Unread,
}

/// Reports every name that nothing gives.
pub(super) fn check(frame: &Frame, given: &Given<'_>, findings: &mut Findings) {
    check_formats(frame, given.rules, findings);
    check_format_names(given.rules, findings);
    check_hooks(frame, given, findings);
    for mention in &given.rules.policy.mentions {
        if let Some(found) = unknown(frame, given, mention) {
            let file = given.rules.policy.sources.iter().find(|file| file.path == mention.named.file);
            note(findings, file, found);
        }
    }
}

/// The calendar of every team is there. Where there are no rules at all, it is not there yet.
pub(super) fn check_calendars(rules: &policy::Checked, cmdb: &cmdb::files::Checked) -> Vec<Diagnostic> {
    let known = || rules.policy.calendars.keys().map(String::as_str).chain([ALWAYS]);
    let is_known = |name: &str| known().any(|known| known == name) || rules.unread.may_define(name) || name.is_empty();
    let unknown = cmdb.calendars.iter().filter(|(_, calendar)| !is_known(&calendar.value) && !rules.policy.sources.is_empty());
    let found = unknown.map(|(path, calendar)| {
        let message = format!("no rule file has the calendar `{}`", calendar.value);
        let warning = Diagnostic::warning(&SourceFile::new(path.as_str(), ""), &calendar.span, message);
        let label = nearest(&calendar.value, known()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        warning.label(label).help(format!("known are {}; rule files define them under `calendars`", known().collect::<Vec<_>>().join(", ")))
    });
    found.collect()
}

/// The format of every webhook and topic is known: built in, or in the rules.
fn check_formats(frame: &Frame, rules: &policy::Checked, findings: &mut Findings) {
    let webhooks = frame.config.webhooks.iter().map(|webhook| ("webhook", &webhook.name, &webhook.format, &webhook.format_span));
    let topics = frame.config.kafka.iter().flat_map(|kafka| &kafka.topics);
    let topics = topics.map(|topic| ("Kafka topic", &topic.name, &topic.format, &topic.format_span));
    for (what, name, format, span) in webhooks.chain(topics) {
        let known: Vec<&str> = senders::formats().chain(rules.policy.formats.names()).collect();
        if known.contains(&format.as_str()) || rules.policy.formats.named(format).is_some() || rules.unread.may_define(format) {
            continue;
        }
        let message = format!("the {what} `{name}` has the unknown format `{format}`");
        let label = nearest(format, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        let help = format!("known are {}; further ones are made in the rules, under `formats`", known.join(", "));
        let found = Diagnostic::error(&frame.config_file, span, message).label(label).help(help);
        note(findings, Some(&frame.config_file), found);
    }
}

/// No format of the rules has the name of one that the daemon reads itself: it would never be used.
fn check_format_names(rules: &policy::Checked, findings: &mut Findings) {
    for named in senders::formats().filter_map(|name| rules.policy.formats.named(name)) {
        let found = named.error(format!("`{}` is a format that the daemon reads itself", named.name));
        let file = rules.policy.sources.iter().find(|file| file.path == named.file);
        note(findings, file, found.help("choose another name, such as `my-events`"));
    }
}

/// The template of every hook is there: shipped, or in the folder of templates.
fn check_hooks(frame: &Frame, given: &Given<'_>, findings: &mut Findings) {
    let shipped = shipped();
    let known: BTreeSet<&str> = shipped.iter().chain(given.templates).filter_map(|file| file.path.strip_suffix(".json.hbs")).collect();
    for (out, template) in frame.config.outs.iter().filter_map(|out| Some((out, out.template.as_ref()?))) {
        let name = template.value.as_str();
        if known.contains(name) || given.unread_templates.may_define(name) {
            continue;
        }
        let label = nearest(name, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        let known = known.iter().copied().collect::<Vec<_>>().join(", ");
        let help = format!("known are {known}; put {name}.json.hbs into the folder of templates, or leave `template` out");
        let message = format!("[[out]] `{}` names the template `{name}`, which does not exist", out.name);
        note(findings, Some(&frame.config_file), Diagnostic::error(&frame.config_file, &template.span, message).label(label).help(help));
    }
}

/// That nothing has the name that a rule names; `None`: something has, may have, or is not there yet at all.
fn unknown(frame: &Frame, given: &Given<'_>, mention: &Mention) -> Option<Diagnostic> {
    let Mention { what, rule, named } = mention;
    let (name, inventory) = (named.name.as_str(), &given.cmdb.inventory);
    match what {
        Mentioned::Template => {
            let known = templates(given.templates);
            let is_there = known.contains(name) || given.unread_templates.may_define(name);
            (!is_there).then(|| {
                let label = match nearest(name, known.iter().map(String::as_str)) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("known are {}", known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
                };
                let help = format!("put {name}.text.hbs and {name}.html.hbs into the folder of templates, or leave `template` out");
                named.error(format!("{rule} names the template `{name}`, which does not exist")).label(label).help(help)
            })
        }
        // Where the CMDB has neither, it is not there yet.
        Mentioned::Team | Mentioned::Person if inventory.teams.is_empty() && inventory.people.is_empty() => None,
        Mentioned::Team => {
            let known = inventory.teams.values().map(|team| team.id.as_str()).collect();
            of_cmdb(given, mention, "team:", known, "tells", "teams")
        }
        Mentioned::Person => {
            let known = inventory.people.values().map(|person| person.id.as_str()).collect();
            of_cmdb(given, mention, "person:", known, "tells", "people")
        }
        Mentioned::Contract if inventory.contracts.is_empty() => None,
        Mentioned::Contract => {
            let known = inventory.contracts.values().map(|contract| contract.id.as_str()).collect();
            of_cmdb(given, mention, "", known, "names the contract", "contracts")
        }
        Mentioned::Hook => {
            let known: Vec<&str> = frame.config.outs.iter().map(|out| out.name.as_str()).collect();
            (!known.contains(&name)).then(|| {
                let label = nearest(name, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `hook:{word}`?"));
                let help = if known.is_empty() {
                    "daemon.toml has no [[out]] yet; add one with name and url".to_owned()
                } else {
                    format!("daemon.toml has {}", known.join(", "))
                };
                named.error(format!("{rule} tells hook:{name}, which daemon.toml does not know")).label(label).help(help)
            })
        }
        Mentioned::Server => {
            let known: Vec<&str> = frame.config.prometheus.iter().map(|server| server.name.as_str()).collect();
            if known.contains(&name) {
                return None;
            }
            // Where the configuration has none at all, the rules are for another machine, or it comes later.
            if known.is_empty() {
                let file = SourceFile::new(named.file.as_str(), "");
                let warning = Diagnostic::warning(&file, &named.span, format!("{rule} does nothing yet: daemon.toml names no Prometheus"));
                return Some(
                    warning.help(format!("nothing else depends on it; for forecasts add [[prometheus]] with name = \"{name}\" and url")),
                );
            }
            let label = nearest(name, known.iter().copied()).map_or_else(String::new, |word| format!("did you mean `{word}`?"));
            let help = format!("daemon.toml has {}", known.join(", "));
            Some(named.error(format!("{rule} asks the unknown Prometheus `{name}`")).label(label).help(help))
        }
    }
}

/// That the CMDB has no record of that id; ids ignore case.
fn of_cmdb(given: &Given<'_>, mention: &Mention, prefix: &str, known: Vec<&str>, verb: &str, section: &str) -> Option<Diagnostic> {
    let Mention { rule, named, .. } = mention;
    let name = &named.name;
    if known.iter().any(|known| known.eq_ignore_ascii_case(name)) || given.cmdb.unread.may_define(name) {
        return None;
    }
    let label = nearest(name, known).map_or_else(String::new, |word| format!("did you mean `{prefix}{word}`?"));
    let written = if prefix.is_empty() { format!("`{name}`") } else { format!("{prefix}{name}") };
    let message = format!("{rule} {verb} {written}, which the CMDB does not know");
    Some(named.error(message).label(label).help(format!("CMDB files list them under `{section}`")))
}

/// The templates that a rule can name, faulty or not: what has a text part.
fn templates(operator: &[SourceFile]) -> BTreeSet<String> {
    let files = shipped();
    files.iter().chain(operator).filter_map(|file| Some(file.path.strip_suffix(".text.hbs")?.to_owned())).collect()
}

/// A finding, with its file.
pub(super) fn note(findings: &mut Findings, file: Option<&SourceFile>, found: Diagnostic) {
    if let Some(file) = file.filter(|file| !findings.files.iter().any(|known| known.path == file.path)) {
        findings.files.push(file.clone());
    }
    findings.found.push(found);
}
