//! What saves work and is not remembered.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Something that `step` notes for itself between facts. A start forgets it, and whoever applies facts alone never has it: then more is looked at again, and the
/// same comes of it. So it is no part of what one State and another have in common.
#[derive(Clone, Default)]
pub(super) struct Memo<T>(pub(super) T);

impl<T> Deref for Memo<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Memo<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> fmt::Debug for Memo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl<T> PartialEq for Memo<T> {
    fn eq(&self, _: &Memo<T>) -> bool {
        true
    }
}

impl<T> Eq for Memo<T> {}
