//! Steps of which only a part takes effect, and answers of which only a part arrives.

use zendesk_dirsync::domain::change::Step;

/// Whether the product sees, when it reads back, that a step had no effect: it compares mail, name, role and suspension.
pub(super) fn read_back(step: &Step) -> bool {
    match step {
        Step::Write(patch) => patch.name.is_some() || patch.role.is_some() || patch.sign_in.is_some(),
        Step::ChangeEmail { .. } => true,
        _ => false,
    }
}

/// A step of which the second half is lost.
pub(super) fn part(step: &Step) -> Step {
    let mut step = step.clone();
    if let Step::Write(patch) = &mut step
        && patch.name.take().is_none()
        && patch.role.take().is_none()
    {
        patch.texts.clear();
    }
    step
}

/// How much of an answer arrives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Whole,
    Lacks,
    Blank,
}

impl Answer {
    pub(super) fn of<T>(self, whole: Vec<T>) -> Vec<T> {
        match self {
            Self::Whole => whole,
            Self::Lacks => whole.into_iter().skip(1).collect(),
            Self::Blank => Vec::new(),
        }
    }
}
