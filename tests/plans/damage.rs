//! Damaged and arbitrary input: every reader gives plans or an error that says where or why, and never panics.
//!
//! Short recordings are damaged at every byte; all of them are damaged at random places.

use super::sane::check;
use super::{MAJORS, recorded};
use pgproof::plan::Notation;
use proptest::prelude::*;
use std::path::Path;

const NOTATIONS: [(Notation, &str); 4] =
    [(Notation::Text, "txt"), (Notation::Json, "json"), (Notation::Yaml, "yaml"), (Notation::Xml, "xml")];

/// The shortest, without figures and with them.
const SHORT: [&str; 2] = ["18/costs-off", "13/tid-scan"];

/// Pieces of EXPLAIN in every notation, and what breaks readers.
const FRAGMENTS: &[&str] = &[
    "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)",
    "->  ",
    "\n",
    "\n  ",
    "\n        ",
    "Sort",
    "Filter: (a = 1)",
    "(cost=0.00..1e999 rows=-1 width=nan)",
    " (actual time=0.1..NaN rows=inf loops=0)",
    " (actual rows=99999999999999999999 loops=99999999999999999999)",
    " (never executed)",
    "Worker 0:  actual time=0.1..0.2 rows=3 loops=1",
    "Workers Launched: 2",
    "Buffers: shared hit=99999999999999999999 read=-1",
    "I/O Timings: shared read=1",
    "WAL: records=1 fpi=2 bytes=3",
    "Sort Method: quicksort  Memory: 25kB",
    "Buckets: 1024  Batches: 1 (originally 2)  Memory Usage: 4kB",
    "Hits: 1  Misses: 2",
    "Heap Blocks: exact=1 lossy=2",
    "Group Key: ()",
    "Settings: a = 'b', c = '",
    "Trigger for constraint x on t: time=1 calls=1",
    "JIT:\n  Functions: 1\n  Timing: Generation 0.5 ms (Deform 0.1 ms)",
    "Planning Time: 1 ms",
    "Execution Time: -1 ms",
    "InitPlan 1 (returns $0)\n",
    "CTE x\n",
    "QUERY PLAN\n-----\n",
    "(1 row)",
    "[{\"Plan\": {\"Node Type\": \"Sort\"",
    "\"Plans\": [",
    "\"Workers\": [",
    "\"Actual Rows\": 1e400",
    "\"Actual Loops\": -5",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u12",
    "\\ud800",
    "<explain xmlns=\"x\"><Query><Plan><Node-Type>Sort</Node-Type>",
    "<Plans><Plan>",
    "</Plan></Plans>",
    "</Query></explain>",
    "<Workers><Worker>",
    "<!--",
    "&lt;&#x0d;&",
    "<a/>",
    "- Plan: \n    Node Type: \"Sort\"\n",
    "    Plans: \n      - ",
    "      - Node Type: \"Sort\"\n",
    "    Actual Rows: .nan\n",
    "- ",
    "é",
    "\u{a0}",
    "\u{feff}",
    "\t",
    "\r\n",
    "\0",
    "│",
];

fn text_of(name: &str, ending: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans").join(format!("{name}.{ending}"));
    std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// The outcome is checked, whatever it is.
fn survives(text: &str, notation: Notation) {
    let _ = check(text, Some(notation));
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Calls `damage` with every byte of every short recording.
fn at_every_byte(damage: impl Fn(&[u8], usize) -> Vec<u8>) {
    for name in SHORT {
        for (notation, ending) in NOTATIONS {
            let bytes = text_of(name, ending).into_bytes();
            for at in 0..bytes.len() {
                survives(&lossy(&damage(&bytes, at)), notation);
            }
        }
    }
}

#[test]
fn a_byte_left_out_anywhere() {
    at_every_byte(|bytes, at| [&bytes[..at], &bytes[at + 1..]].concat());
}

#[test]
fn cut_off_anywhere() {
    at_every_byte(|bytes, at| bytes[..at].to_vec());
}

#[test]
fn begun_anywhere() {
    at_every_byte(|bytes, at| bytes[at..].to_vec());
}

#[test]
fn a_digit_turned_into_a_minus_or_a_letter_anywhere() {
    at_every_byte(|bytes, at| {
        let mut bytes = bytes.to_vec();
        bytes[at] = match bytes[at] {
            b'0'..=b'4' => b'-',
            b'5'..=b'9' => b'e',
            b' ' => b'\n',
            other => other ^ 0x20,
        };
        bytes
    });
}

/// What happens to a text on its way to us.
#[derive(Debug, Clone)]
enum Damage {
    Delete(prop::sample::Index),
    Cut(prop::sample::Index),
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, &'static str),
    Repeat(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        place().prop_map(Damage::Delete),
        place().prop_map(Damage::Cut),
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (place(), prop::sample::select(b"-9e.([{\"<>:=\n".to_vec()))
            .prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (place(), prop::sample::select(FRAGMENTS)).prop_map(|(at, text)| Damage::Insert(at, text)),
        place().prop_map(Damage::Repeat),
        (place(), place()).prop_map(|(a, b)| Damage::Swap(a, b)),
    ]
}

impl Damage {
    fn apply(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        if bytes.is_empty() {
            return String::new();
        }
        match self {
            Damage::Delete(at) => drop(bytes.remove(at.index(text.len()))),
            Damage::Cut(at) => bytes.truncate(at.index(text.len())),
            Damage::Replace(at, byte) => bytes[at.index(text.len())] = *byte,
            Damage::Insert(at, fragment) => {
                let at = at.index(text.len());
                bytes.splice(at..at, fragment.bytes());
            }
            Damage::Repeat(at) => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at]);
                return lines.concat();
            }
            Damage::Swap(a, b) => {
                let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                lines.swap(a, b);
                return lines.concat();
            }
        }
        lossy(&bytes)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for (notation, _) in NOTATIONS {
            survives(&lossy(&bytes), notation);
        }
        let _ = check(&lossy(&bytes), None);
    }

    #[test]
    fn arbitrary_strings(text in "\\PC{0,200}") {
        for (notation, _) in NOTATIONS {
            survives(&text, notation);
        }
        let _ = check(&text, None);
    }

    #[test]
    fn arbitrary_fragments(fragments in prop::collection::vec(prop::sample::select(FRAGMENTS), 0..40)) {
        let text = fragments.concat();
        for (notation, _) in NOTATIONS {
            survives(&text, notation);
        }
        let _ = check(&text, None);
    }

    #[test]
    fn any_recording_damaged_anywhere(
        which in any::<prop::sample::Index>(),
        notation in 0..NOTATIONS.len(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let (notation, ending) = NOTATIONS[notation];
        let names = recorded();
        let text = text_of(&names[which.index(names.len())], ending);
        let damaged = damages.iter().fold(text, |text, damage| damage.apply(&text));
        survives(&damaged, notation);
        let _ = check(&damaged, None);
    }
}

/// What fuzzing found once.
#[test]
fn regressions_stay_mended() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions");
    let targets = NOTATIONS.map(|(notation, _)| Some(notation)).into_iter().chain([None]);
    let mut replayed = 0;
    for (name, notation) in ["text", "json", "yaml", "xml", "sniff"].into_iter().zip(targets) {
        let Ok(folder) = std::fs::read_dir(top.join(name)) else { continue };
        for entry in folder {
            let path = entry.unwrap().path();
            let _ = check(&lossy(&std::fs::read(&path).unwrap()), notation);
            replayed += 1;
        }
    }
    assert!(replayed > 0, "{} holds nothing", top.display());
}

#[test]
fn undamaged_recordings_are_sane() {
    for name in recorded().iter().filter(|name| name.starts_with(&format!("{}/", MAJORS[MAJORS.len() - 1]))) {
        for (notation, ending) in NOTATIONS {
            let text = text_of(name, ending);
            let plans =
                check(&text, Some(notation)).unwrap_or_else(|error| panic!("{name}.{ending}: {error}"));
            let guessed = check(&text, None).unwrap_or_else(|error| panic!("{name}.{ending}: {error}"));
            assert!(plans == guessed, "{name}.{ending}: the guess of the notation is wrong");
        }
    }
}

/// A server prints no negative, endless or undefined figure; what was damaged into one is kept, and not reckoned with.
#[test]
fn figures_that_cannot_be_are_kept_as_they_were_spelt() {
    for (spelt, kept) in [("-1", "-1"), ("-0.5", "-0.5"), ("1e160", "1e+160")] {
        let text = format!(
            r#"[{{"Plan": {{"Node Type": "Seq Scan", "Actual Rows": {spelt}, "Actual Loops": 1,
                "Shared Hit Blocks": {spelt}, "Rows Removed by Filter": {spelt}}}, "Execution Time": {spelt}}}]"#
        );
        let plans = check(&text, Some(Notation::Json)).expect("a plan");
        let (plan, node) = (&plans[0], &plans[0].nodes[0]);
        let extra =
            |key: &str| node.extra.iter().find(|(found, _)| found == key).map(|(_, value)| value.to_string());
        for key in ["Actual Rows", "Shared Hit Blocks", "Rows Removed by Filter"] {
            assert_eq!(extra(key).as_deref(), Some(kept), "{key}: {:?}", node.extra);
        }
        assert_eq!((node.ran(), node.buffers, node.detail.rows_removed_by_filter), (None, None, None));
        assert_eq!((plan.execution_time, plan.extra.len()), (None, 1));
    }
    let plans = check("Seq Scan on t  (actual rows=inf loops=nan)", Some(Notation::Text)).expect("a plan");
    let kept =
        [("Actual Rows", "inf"), ("Actual Loops", "nan")].map(|(key, spelt)| (key.to_owned(), spelt.into()));
    assert_eq!(plans[0].nodes[0].extra, kept);
}
