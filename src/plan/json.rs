//! Reads EXPLAIN (FORMAT JSON) of every server, and the objects of auto_explain.

use super::Plan;
use super::build::{Inside, Missing, PlanBuilder, Scalar};
use super::json_lexer::{Lexed, Lexer, Unexpected};
use crate::error::{Error, Kind, Result};

/// Reads the plans in `text`: one for each statement that the server explained.
///
/// `text` is what EXPLAIN (FORMAT JSON) printed, `[{"Plan": …}, …]`, or an object of auto_explain. A bare string in
/// the list (`Notify`, from a rule) gives a plan without nodes whose [`Plan::utility`] holds it. Text after the
/// last document is ignored.
///
/// # Errors
///
/// [`Kind::Input`](crate::error::Kind::Input), with line, column and excerpt, where `text` is no such document or
/// is cut short.
pub fn read_json(text: &str) -> Result<Vec<Plan>> {
    Ok(read_json_up_to(text)?.0)
}

/// The same, and where the last document ended, in bytes.
pub(super) fn read_json_up_to(text: &str) -> Result<(Vec<Plan>, usize)> {
    let mut reader =
        Reader { lexer: Lexer { text, at: 0 }, builder: PlanBuilder::default(), plans: Vec::new() };
    match reader.documents() {
        Ok(()) => Ok((reader.plans, reader.lexer.at)),
        Err(unexpected) => Err(reader.lexer.error(&unexpected)),
    }
}

/// The plan of one statement: the first in `text` that has nodes. Rules put others, and utility commands, beside it.
///
/// # Errors
///
/// As [`read_json`], and where no plan has nodes.
pub fn read_statement(text: &str) -> Result<Plan> {
    read_json(text)?.into_iter().find(|plan| !plan.nodes.is_empty()).ok_or_else(|| {
        Error::new(Kind::Input, "read the JSON plan")
            .because("the server printed no node: rules turn this statement into a utility command")
    })
}

/// A list or group that is open.
#[derive(Clone, Copy)]
struct Frame {
    place: Place,
    /// Where its opening bracket stands.
    start: usize,
    first: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// `[{"Plan": …}]`
    Plans,
    /// `{"Plan": …}`
    Plan,
    /// `"Plans": [{…}]`
    Nodes,
    /// `"Plan": {…}`
    Node,
    /// `"Workers": [{…}]`
    Workers,
    /// `{"Worker Number": 0}`
    Worker,
    /// Citus: `"Distributed Query": {"Job": {…}}`, whose members are the node's own.
    Through,
    /// Citus: `"Tasks": [{…}]`, `"Subplans": [{…}]`; each is a node without a type.
    Tasks(&'static str),
    /// Citus: `"Remote Plan": [[{"Plan": …}]]`, `"PlannedStmt": [{"Plan": …}]`.
    Remote,
    /// Citus: `{"Plan": {…}, "Planning Time": …}` of a worker.
    RemotePlan,
}

impl Place {
    fn close(self) -> u8 {
        match self {
            Place::Plans | Place::Nodes | Place::Workers | Place::Tasks(_) | Place::Remote => b']',
            Place::Plan | Place::Node | Place::Worker | Place::Through | Place::RemotePlan => b'}',
        }
    }
}

/// What a member of Citus' groups holds: nodes under other names.
fn distributed(key: &str, open: u8, place: Place) -> Option<Place> {
    Some(match (key, open) {
        ("Plan", b'{') if place == Place::RemotePlan => Place::Node,
        ("Distributed Query" | "Job", b'{') => Place::Through,
        ("Tasks", b'[') => Place::Tasks("Task"),
        ("Subplans", b'[') => Place::Tasks("Distributed Subplan"),
        ("Remote Plan" | "PlannedStmt", b'[') => Place::Remote,
        _ => return None,
    })
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    builder: PlanBuilder,
    plans: Vec<Plan>,
}

impl Reader<'_> {
    fn documents(&mut self) -> Lexed<()> {
        const EXPECTED: &str = "`[` or `{`, as EXPLAIN (FORMAT JSON) begins";
        loop {
            let place = match self.lexer.peek() {
                Some(b'[') => Place::Plans,
                Some(b'{') => Place::Plan,
                _ => return Err(self.lexer.unexpected(EXPECTED)),
            };
            let (start, before) = (self.lexer.at, self.plans.len());
            self.document(place)?;
            if self.plans.len() == before {
                return Err(Unexpected { at: start, expected: "a plan" });
            }
            if !self.document_follows() {
                return Ok(());
            }
        }
    }

    /// Whether another document comes next, rather than text that only begins with a bracket.
    fn document_follows(&mut self) -> bool {
        let second = match self.lexer.peek() {
            Some(b'[') => b'{',
            Some(b'{') => b'"',
            _ => return false,
        };
        let start = self.lexer.at;
        self.lexer.at += 1;
        let follows = self.lexer.peek() == Some(second);
        self.lexer.at = start;
        follows
    }

    fn document(&mut self, place: Place) -> Lexed<()> {
        let mut frames = vec![Frame { place, start: self.lexer.at, first: true }];
        self.lexer.at += 1;
        while let Some(frame) = frames.last_mut() {
            let first = std::mem::replace(&mut frame.first, false);
            if !self.lexer.more(first, frame.place.close())? {
                let Frame { place, start, .. } = *frame;
                frames.pop();
                self.close(place, start)?;
                continue;
            }
            let below = match frame.place {
                Place::Plans | Place::Nodes | Place::Workers | Place::Tasks(_) | Place::Remote => {
                    self.element(frame.place)?
                }
                place => self.member(place)?,
            };
            if let Some(place) = below {
                frames.push(Frame { place, start: self.lexer.at, first: true });
                self.lexer.at += 1;
            }
        }
        Ok(())
    }

    fn close(&mut self, place: Place, start: usize) -> Lexed<()> {
        let closed = match place {
            Place::Plan => self.builder.finish().map(|plan| self.plans.push(plan)),
            Place::Node => self.builder.close_node(),
            Place::Worker => {
                self.builder.close_worker();
                Ok(())
            }
            _ => Ok(()),
        };
        closed.map_err(|missing| Unexpected {
            at: start,
            expected: match missing {
                Missing::Plan => "a group with a `Plan`",
                Missing::NodeType => "a group with a `Node Type`",
            },
        })
    }

    /// An element of a list; where it is a group of ours, what it is, with its bracket still to be taken.
    fn element(&mut self, place: Place) -> Lexed<Option<Place>> {
        let next = self.lexer.peek();
        match (place, next) {
            (Place::Plans, Some(b'{')) => return Ok(Some(Place::Plan)),
            (Place::Nodes, Some(b'{')) => {
                self.builder.open_node();
                return Ok(Some(Place::Node));
            }
            (Place::Workers, Some(b'{')) => {
                self.builder.open_worker();
                return Ok(Some(Place::Worker));
            }
            (Place::Tasks(kind), Some(b'{')) => {
                self.builder.open_node();
                self.builder.scalar("Node Type", Scalar::Text(kind.into()));
                self.builder.scalar("Parent Relationship", Scalar::Text("Outer".into()));
                return Ok(Some(Place::Node));
            }
            (Place::Remote, Some(b'[')) => return Ok(Some(Place::Remote)),
            (Place::Remote, Some(b'{')) => return Ok(Some(Place::RemotePlan)),
            (Place::Plans, Some(b'"')) => {
                let utility = Some(self.lexer.string()?.into_owned());
                self.plans.push(Plan { utility, ..Plan::default() });
            }
            (Place::Plans, _) => return Err(self.lexer.unexpected("a plan, `{`")),
            // Version 12 prints `"Subplans Removed": 2` as if the list were a group.
            (Place::Nodes, Some(b'"')) => {
                let key = self.lexer.string()?;
                if self.lexer.peek() == Some(b':') {
                    self.lexer.at += 1;
                    let value = self.lexer.scalar()?;
                    self.builder.scalar(&key, value);
                } else {
                    self.builder.scalar("Plans", Scalar::Text(key));
                }
            }
            _ => {
                let value = self.lexer.value()?;
                let name = match place {
                    Place::Nodes => "Plans",
                    Place::Workers => "Workers",
                    Place::Tasks(_) => "Tasks",
                    _ => "Remote Plan",
                };
                self.builder.value(name, value);
            }
        }
        Ok(None)
    }

    /// A member of a group; where it holds a list or group of ours, what that is, with its bracket still to be taken.
    #[inline]
    fn member(&mut self, place: Place) -> Lexed<Option<Place>> {
        let key = self.lexer.key()?;
        let open = match self.lexer.peek() {
            Some(open @ (b'[' | b'{')) => open,
            _ => {
                let value = self.lexer.scalar()?;
                self.builder.scalar(&key, value);
                return Ok(None);
            }
        };
        if matches!(place, Place::Node | Place::Through | Place::RemotePlan)
            && let Some(place) = distributed(&key, open, place)
        {
            if place == Place::Node {
                self.builder.open_node();
                self.builder.scalar("Parent Relationship", Scalar::Text("Outer".into()));
            }
            return Ok(Some(place));
        }
        match (self.builder.inside(&key), open) {
            (Inside::Node, b'{') => {
                self.builder.open_node();
                return Ok(Some(Place::Node));
            }
            (Inside::Nodes, b'[') => return Ok(Some(Place::Nodes)),
            (Inside::Workers, b'[') => return Ok(Some(Place::Workers)),
            (Inside::Texts, b'[') => {
                if let Some(texts) = self.lexer.texts()? {
                    self.builder.texts(&key, texts);
                    return Ok(None);
                }
            }
            _ => {}
        }
        let value = self.lexer.value()?;
        self.builder.value(&key, value);
        Ok(None)
    }
}
