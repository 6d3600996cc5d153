//! What the doors do with the files that operators edit: reload, compare, check. All of it is the keeper's work.

use watchkeeper_engine::source::{Diagnostic, SourceFile};

use crate::diagnostics::Findings;
use crate::web::{Answer, FileWork};
use crate::world::{Comparison, Confirmed, IMPORTS_MAX, ImportWish, Imported, Keeper, Refusal};

/// The keeper as the doors see it.
pub(super) struct Files {
    pub(super) keeper: Keeper,
}

impl FileWork for Files {
    fn reload(&self, confirmed: Confirmed) -> Answer<'_, Result<String, Findings>> {
        Box::pin(async move {
            match self.keeper.reload(confirmed).await {
                Ok(reloaded) if reloaded.changed => {
                    let warnings = match reloaded.warnings.warnings() {
                        0 => String::new(),
                        _ => format!("; {}, see `watchkeeper check`", reloaded.warnings.counted()),
                    };
                    Ok(format!("policy {} is in force; CMDB {}: {}{warnings}", reloaded.policy, reloaded.cmdb, reloaded.cmdb_summary))
                }
                Ok(reloaded) => Ok(format!("nothing changed; policy {} is in force", reloaded.policy)),
                Err(refusal) => Err(refused(&refusal)),
            }
        })
    }

    fn import(&self, wish: ImportWish) -> Answer<'_, Result<Imported, Refusal>> {
        Box::pin(self.keeper.import(wish))
    }

    fn compare(&self) -> Answer<'_, Result<Comparison, Findings>> {
        Box::pin(async { self.keeper.compare().await.map_err(|refusal| refused(&refusal)) })
    }

    fn closing(&self, findings: &Findings) -> String {
        self.keeper.status().closing(findings)
    }
}

/// A refusal as findings.
pub(super) fn refused(refusal: &Refusal) -> Findings {
    match refusal {
        Refusal::Faulty(findings) => findings.clone(),
        Refusal::Unconfirmed { loss, .. } => in_words(loss),
        Refusal::TooManySources => in_words(&format!("there are {IMPORTS_MAX} sources already")),
        Refusal::Busy(full) => in_words(full),
    }
}

fn in_words(why: &dyn std::fmt::Display) -> Findings {
    let file = SourceFile::new("daemon", "");
    let found = Diagnostic::error(&file, &(0..0), why.to_string());
    Findings { files: vec![file], found: vec![found] }
}
