//! What an operator can want of a problem.

use super::{Answer, Asked, Decision, Subject, bad_text, too_long};
use crate::command::{ProblemCommand, ProblemVerb};
use crate::fact::Fact;
use crate::ids::ProblemId;
use crate::model::problem::{self, Problem};
use crate::words::ProblemState;

/// Decides what they want of it.
pub(super) fn decide(asked: Asked<'_>, id: ProblemId, act: &ProblemCommand) -> Decision {
    let answer = match asked.state.problems.get(&id) {
        None => Answer::NotFound,
        Some(problem) => match act {
            ProblemCommand::Assign { to } => assign(asked, problem, to),
            ProblemCommand::Note { text } => {
                bad_text("text", text).unwrap_or_else(|| does([problem::Fact::Noted { id, because: asked.said(text) }]))
            }
            ProblemCommand::Investigate {} => investigate(asked, problem),
            ProblemCommand::KnownError { workaround } => known_error(asked, problem, workaround),
            ProblemCommand::Fix { words } => fix(asked, problem, words),
            ProblemCommand::Resolve { words } => resolve(asked, problem, words),
            ProblemCommand::Close { words } => {
                too_long("words", words).unwrap_or_else(|| does([problem::Fact::Closed { id, because: asked.said(words) }]))
            }
        },
    };
    Decision { subject: Subject::Problem(id), answer }
}

/// Somebody has it; one that nobody had is looked into from then on.
fn assign(asked: Asked<'_>, problem: &Problem, to: &str) -> Answer {
    if !problem.state.is_open() {
        return not_allowed(problem);
    }
    if let Some(answer) = bad_text("to", to) {
        return answer;
    }
    if problem.assignee == *to {
        return Answer::Holds;
    }
    let assigned = problem::Fact::Assigned { id: problem.id, to: to.to_owned(), because: asked.said("") };
    let moved = (problem.state == ProblemState::New).then(|| moved(asked, problem, ProblemState::Investigating, ""));
    does([Some(assigned), moved].into_iter().flatten())
}

/// They look for the cause; of what is said to be fixed, because it is not. What nobody has is theirs.
fn investigate(asked: Asked<'_>, problem: &Problem) -> Answer {
    if problem.state == ProblemState::Investigating {
        return Answer::Holds;
    }
    let assigned = problem.assignee.is_empty().then(|| problem::Fact::Assigned {
        id: problem.id,
        to: asked.actor.to_owned(),
        because: asked.said(""),
    });
    does([Some(moved(asked, problem, ProblemState::Investigating, "")), assigned].into_iter().flatten())
}

/// The cause is known, and what helps until it is gone.
fn known_error(asked: Asked<'_>, problem: &Problem, workaround: &str) -> Answer {
    if !problem.state.is_open() {
        return not_allowed(problem);
    }
    if let Some(answer) = bad_text("workaround", workaround) {
        return answer;
    }
    if problem.state == ProblemState::KnownError && problem.workaround == *workaround {
        return Answer::Holds;
    }
    does([problem::Fact::KnownError { id: problem.id, workaround: workaround.to_owned(), because: asked.said("") }])
}

/// The fix is under way.
fn fix(asked: Asked<'_>, problem: &Problem, words: &str) -> Answer {
    if !problem.state.is_open() {
        return not_allowed(problem);
    }
    if let Some(answer) = too_long("words", words) {
        return answer;
    }
    if problem.state == ProblemState::FixInProgress {
        return Answer::Holds;
    }
    does([moved(asked, problem, ProblemState::FixInProgress, words)])
}

/// It is fixed: it closes after a quiet time, or comes back as a fix that failed.
fn resolve(asked: Asked<'_>, problem: &Problem, words: &str) -> Answer {
    if let Some(answer) = too_long("words", words) {
        return answer;
    }
    if problem.state == ProblemState::Resolved {
        return Answer::Holds;
    }
    does([problem::Fact::Resolved {
        id: problem.id,
        by: asked.actor.to_owned(),
        words: words.to_owned(),
        close_at: asked.now + problem.quiet_after_fix,
    }])
}

fn moved(asked: Asked<'_>, problem: &Problem, to: ProblemState, words: &str) -> problem::Fact {
    problem::Fact::Moved { id: problem.id, to, because: asked.said(words) }
}

fn does(facts: impl IntoIterator<Item = problem::Fact>) -> Answer {
    Answer::does(facts.into_iter().map(Fact::Problem).collect())
}

fn not_allowed(problem: &Problem) -> Answer {
    let allowed = ProblemVerb::allowed_in(problem.state).iter().map(|verb| verb.word()).collect();
    Answer::NotAllowed { state: problem.state.word(), allowed }
}
