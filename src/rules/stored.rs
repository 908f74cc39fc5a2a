//! A plan that somebody stored, without its statement and its server, for tests of what no page can tell: the cases
//! there have both.
//!
//! Refuses to stand in for a case.

use super::{Check, Config, Spec, Tuning};
use crate::capture::Mode;
use crate::catalog::Catalog;
use crate::context::PlanContext;
use crate::facts::facts;
use crate::finding::Finding;
use crate::plan::read_text;

/// Hands the plan over as a rule sees it; `None` where the text is no plan.
pub(super) fn seen<T>(plan: &str, look: impl FnOnce(&PlanContext) -> T) -> Option<T> {
    let plan = read_text(plan).ok()?.pop()?;
    let facts = facts(&plan);
    let ctx = PlanContext {
        statement_id: 0,
        run_id: 0,
        statement: &crate::sql::read(""),
        parsed: None,
        mode: Mode::Stored,
        parameters: &[],
        plan: &plan,
        facts: &facts,
        catalog: &Catalog::default(),
        server: None,
    };
    Some(look(&ctx))
}

/// What a rule finds in the plan; `None` too where it is a rule that compares plans.
pub(super) fn found(spec: &Spec, plan: &str) -> Option<Vec<Finding>> {
    let Check::Plan(check) = spec.check else { return None };
    seen(plan, |ctx| check(ctx, &Tuning { spec, config: &Config::default() }))
}
