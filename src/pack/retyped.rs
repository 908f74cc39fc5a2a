//! What is left of a column's statistics where a migration changes its type: what ANALYZE would find afterwards.
//!
//! Refuses to convert a value: those stay that another type writes in the same way.

use super::{Slot, kind};

/// How the collation of a database is called in a pack.
const DEFAULT: &str = "pg_catalog.\"default\"";

/// What the values of a type are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared<'a> {
    Text,
    Labels,
    Own(&'a str),
}

impl<'a> Compared<'a> {
    fn of(kind: &'a str, labels: bool) -> Compared<'a> {
        match kind {
            "text" | "character varying" => Compared::Text,
            _ if labels => Compared::Labels,
            kind => Compared::Own(kind),
        }
    }

    /// The arguments of its operators, as `regoperator` prints them.
    fn pair(self) -> String {
        let kind = match self {
            Compared::Text => "text",
            Compared::Labels => "anyenum",
            Compared::Own(kind) => kind,
        };
        format!("({kind},{kind})")
    }
}

/// A type without its length: `character varying(20)` is stored as `character varying`.
pub(super) fn bare(kind: &str) -> &str {
    kind.split('(').next().unwrap_or(kind)
}

/// Makes a slot of one type one of another, where its values stay what they are: whether they do. Values of another type
/// under a column would end the server's process. `labels`: the new type is an enum.
pub(super) fn becomes(slot: &mut Slot, was: &str, is: &str, labels: bool) -> bool {
    if slot.element.as_deref().is_some_and(|element| element != was) {
        return false;
    }
    let of_labels =
        slot.operator.as_ref().is_some_and(|operator| operator.ends_with(&Compared::Labels.pair()));
    let (from, to) = (Compared::of(was, of_labels), Compared::of(is, labels));
    // Both are compared as text: nothing but the name of the type differs.
    if from != to || from != Compared::Text {
        let operators = (from.pair(), to.pair());
        if slot.operator.as_ref().is_some_and(|operator| !operator.ends_with(&operators.0)) {
            return false;
        }
        // Where values have another order, what is counted of each is left. Rows with one label lie together as before.
        let stays = match (from, to) {
            (Compared::Own(_), Compared::Own(_)) => true,
            (Compared::Labels, Compared::Labels) => slot.kind != kind::HISTOGRAM,
            (Compared::Text, other) | (other, Compared::Text) => match other {
                Compared::Labels => slot.kind != kind::HISTOGRAM,
                Compared::Own("uuid") => true,
                Compared::Own("smallint" | "integer" | "bigint") => slot.kind == kind::COMMON,
                _ => false,
            },
            _ => false,
        };
        if !stays {
            return false;
        }
        slot.operator = slot.operator.as_ref().map(|operator| operator.replace(&operators.0, &operators.1));
        slot.labels = labels && slot.values.is_some();
        if from == Compared::Text || to == Compared::Text {
            slot.collation = (to == Compared::Text).then(|| DEFAULT.to_owned());
        }
    }
    slot.element = slot.element.as_ref().map(|_| is.to_owned());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_where_the_other_type_writes_them_alike() {
        let slot = |kind: i16, element: &str, compared: &str| Slot {
            kind,
            operator: Some(format!("=({compared},{compared})")),
            collation: (compared == "text").then(|| DEFAULT.to_owned()),
            numbers: None,
            values: Some("{a}".to_owned()),
            element: Some(element.to_owned()),
            labels: compared == "anyenum",
        };
        let (common, histogram) = (kind::COMMON, kind::HISTOGRAM);
        for (was, is, kind, stays) in [
            (("text", "text"), ("character varying", "text"), histogram, true),
            (("integer", "integer"), ("bigint", "bigint"), histogram, true),
            (("public.state", "anyenum"), ("text", "text"), common, true),
            (("text", "text"), ("public.state", "anyenum"), common, true),
            (("public.state", "anyenum"), ("public.kind", "anyenum"), common, true),
            (("character varying", "text"), ("uuid", "uuid"), common, true),
            (("integer", "integer"), ("text", "text"), common, true),
            (("integer", "integer"), ("text", "text"), histogram, false),
            (("uuid", "uuid"), ("text", "text"), histogram, true),
            (("public.state", "anyenum"), ("text", "text"), kind::CORRELATION, true),
            (("public.state", "anyenum"), ("text", "text"), histogram, false),
            (("boolean", "boolean"), ("text", "text"), common, false),
            (("integer", "integer"), ("public.state", "anyenum"), common, false),
        ] {
            let mut one = slot(kind, was.0, was.1);
            assert_eq!(becomes(&mut one, was.0, is.0, is.1 == "anyenum"), stays, "{was:?} {is:?}");
            if stays {
                assert_eq!(one, slot(kind, is.0, is.1), "{was:?} {is:?}");
            }
        }
        let mut other = slot(common, "date", "date");
        assert!(!becomes(&mut other, "timestamp without time zone", "date", false));
    }
}
