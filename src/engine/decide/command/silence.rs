//! What an operator can want of silences, by Alertmanager's rules.

use super::{Answer, Asked, Decision, Subject, Then, invalid, too_long};
use crate::expr::AlertView;
use crate::fact::Fact;
use crate::ids::SilenceId;
use crate::limits;
use crate::model::silence::{self, Over, Silence, SilenceState, StoredMatcher};
use crate::state::State;
use crate::text::Labels;
use crate::time::Time;

/// A silence as it shall be.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) matchers: &'a [StoredMatcher],
    pub(super) starts_at: Time,
    pub(super) ends_at: Time,
    pub(super) comment: &'a str,
    pub(super) annotations: &'a Labels,
}

/// A silence is made, or changed where `id` names one.
///
/// A change goes as far as Alertmanager's `canUpdate` lets it: the matchers stay, and the start of what holds does. Anything else, and anything for a silence that
/// is over, makes a new one with an id of its own, and ends the one named: what a silence muted stays true. A wrong one is wrong whatever it names.
pub(super) fn set(asked: Asked<'_>, id: Option<SilenceId>, wanted: Wanted<'_>) -> Decision {
    let known = id.and_then(|id| asked.state.silences.get(&id)).map(|known| &known.record);
    let changed = known.filter(|known| can_change(known, wanted, asked.now));
    // A new one cannot have begun before it was made.
    let starts_at = if changed.is_some() { wanted.starts_at } else { wanted.starts_at.max(asked.now) };
    let wanted = Wanted { starts_at, ..wanted };
    let number = changed.map_or(SilenceId(asked.state.counters.silences + 1), |known| known.id);
    let (subject, answer) = match (id, known) {
        (Some(id), None) => (id, Answer::NotFound),
        (_, known) => {
            let replaced = known.filter(|known| changed.is_none() && known.ends_at > asked.now);
            (number, put(asked, number, wanted, changed, replaced))
        }
    };
    Decision { subject: Subject::Silence(subject), answer: refused(asked, wanted).unwrap_or(answer) }
}

fn can_change(known: &Silence, wanted: Wanted<'_>, now: Time) -> bool {
    known.matchers == wanted.matchers
        && match known.state(now) {
            // Clients send back a start that they rounded to a second.
            SilenceState::Active => known.starts_at.0.div_euclid(1_000) == wanted.starts_at.0.div_euclid(1_000),
            SilenceState::Pending => wanted.starts_at >= now,
            SilenceState::Expired => false,
        }
}

/// A silence ends.
pub(super) fn expire(asked: Asked<'_>, id: SilenceId) -> Decision {
    let answer = match asked.state.silences.get(&id) {
        None => Answer::NotFound,
        Some(silence) if silence.record.ends_at <= asked.now => Answer::Holds,
        Some(_) => {
            let expired = Fact::Silence(silence::Fact::Expired { id, actor: asked.actor.to_owned() });
            Answer::Does { facts: vec![expired], then: Then::Judge(vec![id]) }
        }
    };
    Decision { subject: Subject::Silence(id), answer }
}

/// At least one matcher, one of them not matching the empty text, an end after the start and to come.
fn refused(asked: Asked<'_>, wanted: Wanted<'_>) -> Option<Answer> {
    if wanted.matchers.is_empty() {
        return Some(invalid("matchers", "at least one".to_owned()));
    }
    let mut some_selects = false;
    for (n, m) in wanted.matchers.iter().enumerate() {
        match m.compiled() {
            // As Alertmanager has it: what asks for another value selects, too.
            Ok(matcher) => some_selects |= !m.is_equal || !matcher.holds_as_shown(&AlertView::default()),
            Err(fault) => return Some(invalid(&format!("matchers[{n}]"), fault.message)),
        }
    }
    if !some_selects {
        return Some(invalid("matchers", "one that does not match an alert without labels".to_owned()));
    }
    if wanted.ends_at <= wanted.starts_at || wanted.ends_at <= asked.now {
        return Some(invalid("ends_at", "a time after the start and to come".to_owned()));
    }
    let annotations = wanted.annotations;
    let fits = annotations.len() <= limits::ANNOTATIONS_MAX
        && annotations
            .iter()
            .all(|(name, value)| name.len() <= limits::LABEL_NAME_BYTES_MAX && value.len() <= limits::ANNOTATION_BYTES_MAX);
    if !fits {
        return Some(invalid("annotations", format!("at most {} of {} bytes", limits::ANNOTATIONS_MAX, limits::ANNOTATION_BYTES_MAX)));
    }
    too_long("comment", wanted.comment)
}

fn put(asked: Asked<'_>, number: SilenceId, wanted: Wanted<'_>, known: Option<&Silence>, replaced: Option<&Silence>) -> Answer {
    let record = Silence {
        id: number,
        uuid: known.map_or_else(|| uuid(asked.state, number), |record| record.uuid.clone()),
        matchers: wanted.matchers.to_vec(),
        starts_at: wanted.starts_at,
        ends_at: wanted.ends_at,
        created_by: asked.actor.to_owned(),
        comment: wanted.comment.to_owned(),
        annotations: wanted.annotations.clone(),
        over: known.map_or(Over::Shown, |known| known.over),
        updated_at: asked.now,
        version: known.map_or(1, |record| record.version + 1),
    };
    // The same but for who says it and when: every field is either asked for or what a change alone brings.
    let same = |known: &Silence| {
        let Silence {
            id: _,
            uuid: _,
            matchers,
            starts_at,
            ends_at,
            created_by: _,
            comment,
            annotations,
            over: _,
            updated_at: _,
            version: _,
        } = known;
        (matchers, starts_at, ends_at, comment, annotations)
            == (&record.matchers, &record.starts_at, &record.ends_at, &record.comment, &record.annotations)
    };
    if known.is_some_and(same) {
        return Answer::Holds;
    }
    let ended = replaced.map(|known| silence::Fact::Expired { id: known.id, actor: asked.actor.to_owned() });
    let facts = ended.into_iter().chain([silence::Fact::Set { silence: Box::new(record) }]).map(Fact::Silence).collect();
    let changed = replaced.map(|known| known.id).into_iter().chain([number]).collect();
    Answer::Does { facts, then: Then::Judge(changed) }
}

/// A UUID of version 8 (RFC 9562): the store's id and the number, hashed.
fn uuid(state: &State, id: SilenceId) -> String {
    let store = state.counters.store;
    let mut bytes = [store.high.to_be_bytes(), store.low.to_be_bytes(), id.0.to_be_bytes()].concat();
    bytes.extend_from_slice(b"silence");
    let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
    let (a, b) = ((hash >> 64) as u64, hash as u64);
    let (a, b) = (a & !0xf000 | 0x8000, b & !(0b11 << 62) | 0b10 << 62);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xffff, b >> 48, b & 0xffff_ffff_ffff)
}
