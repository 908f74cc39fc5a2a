//! A CEL expression over facts: names and types are checked when it is read, then the `cel` crate evaluates it.
//!
//! Refuses what has no bound: loops in loops, long texts, deep nesting. Absent facts are no values: a comparison with
//! one has no answer, and only `fact == null` asks for it.

use super::facts::{self, FACTS, Fact, Scope, Type, Value, View};
use crate::words::distance;
use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr, SourceInfo};
use cel::common::types::CelDouble;
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::parser::Parser;
use cel::{Context, Env};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// Bytes of an expression at most: its work grows with its text, times a plan's nodes.
const LONGEST: usize = 2_000;
/// Brackets in brackets at most.
const DEPTH: u16 = 48;

/// CEL's own functions, made once.
static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A fact that an expression names, and that it is there.
const PRESENT: &str = "?";

/// Functions that an expression may call.
const FUNCTIONS: &[&str] =
    &["contains", "endsWith", "size", "startsWith", "has", "all", "exists", "exists_one"];

/// An expression that fits its facts.
#[derive(Debug, Clone)]
pub struct Expression {
    tree: IdedExpr,
    pub of: Type,
    /// The one fact or threshold that it is, where it is nothing else.
    pub bare: Option<String>,
    /// It cannot be answered without an execution.
    pub measured: bool,
}

/// What is wrong with an expression, and where in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrong {
    pub span: Range<usize>,
    pub what: String,
    pub help: String,
}

/// What an expression may name.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    pub scope: Scope,
    /// Thresholds, as CEL spells them.
    pub thresholds: &'a [String],
}

impl Expression {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// The place in `text`, what is wrong there, and the nearest right name.
    pub fn read(text: &str, names: Names) -> Result<Expression, Wrong> {
        let whole = || 0..text.len();
        if text.len() > LONGEST {
            let what = format!("an expression has {LONGEST} bytes at most");
            return Err(Wrong { span: whole(), what, help: "make two rules of it".to_owned() });
        }
        let (tree, source) =
            Parser::new().max_recursion_depth(DEPTH).parse_with_source_info(text).map_err(|errors| {
                let first = errors.errors.first();
                let at = first.map_or(0, |e| place(text, e.pos));
                let what = first.map_or("this is no CEL".to_owned(), |e| plain(&e.msg));
                Wrong { span: at..at, what, help: "see https://cel.dev for the language".to_owned() }
            })?;
        let mut reader = Reader { text, source, names, locals: Vec::new(), measured: false };
        let bare = reader.path(&tree.expr);
        let (tree, of) = reader.check(tree)?;
        Ok(Expression { tree, of, bare, measured: reader.measured })
    }

    /// The value for one view; `None` where a fact that decides is absent.
    pub fn value(&self, view: &View) -> Option<Value> {
        let seen = Seen { view };
        let mut context = Context::with_env(STANDARD.clone());
        context.set_variable_resolver(&seen);
        match context.resolve(&self.tree).ok()? {
            cel::Value::Float(number) => Some(Value::Number(number)).filter(|_| !number.is_nan()),
            cel::Value::String(text) => Some(Value::Text(text.as_ref().clone())),
            cel::Value::Bool(flag) => Some(Value::Flag(flag)),
            cel::Value::List(list) => {
                let text = |value: &cel::Value| match value {
                    cel::Value::String(text) => text.as_ref().clone(),
                    cel::Value::Float(number) => number.to_string(),
                    _ => String::new(),
                };
                Some(Value::Texts(list.iter().map(text).collect()))
            }
            _ => None,
        }
    }
}

/// Byte of a line and column, both counted from 1.
fn place(text: &str, (line, column): (isize, isize)) -> usize {
    let before = usize::try_from(line - 1).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let column = usize::try_from(column - 1).unwrap_or(0);
    let rest = text.get(start..).unwrap_or("");
    start + rest.chars().take(column).map(char::len_utf8).sum::<usize>()
}

/// The parser's sentence without its repetition of the source.
fn plain(message: &str) -> String {
    let line = message.lines().next().unwrap_or(message);
    line.strip_prefix("Syntax error: ").unwrap_or(line).to_owned()
}

struct Reader<'a> {
    text: &'a str,
    source: SourceInfo,
    names: Names<'a>,
    /// Variables of the loop that is being read.
    locals: Vec<(String, Type)>,
    measured: bool,
}

type Checked = Result<(IdedExpr, Type), Wrong>;

impl Reader<'_> {
    fn wrong(&self, id: u64, what: impl Into<String>, help: impl Into<String>) -> Wrong {
        let span = self.source.offset_for(id).map_or(0..self.text.len(), |(start, stop)| {
            let start = (start as usize).min(self.text.len());
            start..(stop as usize + 1).clamp(start, self.text.len())
        });
        let inside = self.text.is_char_boundary(span.start) && self.text.is_char_boundary(span.end);
        let span = if inside { span } else { 0..self.text.len() };
        Wrong { span, what: what.into(), help: help.into() }
    }

    /// `a.b.c`, where an expression is nothing else and no variable of a loop.
    fn path(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Ident(name) if !self.locals.iter().any(|(local, _)| local == name) => Some(name.clone()),
            Expr::Select(select) if !select.test => {
                Some(format!("{}.{}", self.path(&select.operand.expr)?, select.field))
            }
            _ => None,
        }
    }

    fn check(&mut self, expr: IdedExpr) -> Checked {
        let id = expr.id;
        if let Some(path) = self.path(&expr.expr) {
            let of = self.named(id, &path)?;
            return Ok((IdedExpr { id, expr: Expr::Ident(path) }, of));
        }
        match expr.expr {
            Expr::Ident(name) => {
                let local = self.locals.iter().find(|(local, _)| *local == name);
                let of = local.map_or(Type::Null, |(_, of)| *of);
                Ok((IdedExpr { id, expr: Expr::Ident(name) }, of))
            }
            Expr::Select(select) => self.select(id, select),
            Expr::Literal(literal) => self.literal(id, literal),
            Expr::List(list) => self.list(id, list),
            Expr::Call(call) => self.call(id, call),
            Expr::Comprehension(each) => {
                if !self.locals.is_empty() {
                    return Err(self.wrong(id, "a loop inside a loop has no bound", "ask in two rules"));
                }
                let mut each = *each;
                let (range, of) = self.check(each.iter_range)?;
                let item = match of {
                    Type::Texts => Type::Text,
                    Type::Numbers => Type::Number,
                    of => return Err(self.unfit(id, "a list", of)),
                };
                if facts::find(&each.iter_var).is_some() {
                    let what = format!("`{}` is a fact, so no variable can be called that", each.iter_var);
                    return Err(self.wrong(id, what, "choose another name"));
                }
                each.iter_range = range;
                let (init, accumulated) = self.check(each.accu_init)?;
                each.accu_init = init;
                self.locals = vec![(each.iter_var.clone(), item), (each.accu_var.clone(), accumulated)];
                let mut part = |expr| self.check(expr);
                each.loop_cond = part(each.loop_cond)?.0;
                each.loop_step = part(each.loop_step)?.0;
                let (result, of) = part(each.result)?;
                each.result = result;
                self.locals.clear();
                Ok((IdedExpr { id, expr: Expr::Comprehension(Box::new(each)) }, of))
            }
            _ => {
                Err(self.wrong(id, "facts are numbers, texts, truth values and lists", "write none of this"))
            }
        }
    }

    /// The type of a fact or threshold.
    fn named(&mut self, id: u64, path: &str) -> Result<Type, Wrong> {
        if self.names.thresholds.iter().any(|name| name == path) {
            return Ok(Type::Number);
        }
        let scope = self.names.scope;
        if let Some(fact) = facts::find(path).filter(|fact| scope.sees(fact.scope)) {
            self.measured |= fact.measured;
            return Ok(fact.of);
        }
        if let Some(fact) = facts::find(path) {
            let what = format!("`{path}` is a fact of each {}, not of a {}", fact.scope.word(), scope.word());
            return Err(self.wrong(id, what, format!("write for-each = \"{}\"", fact.scope.word())));
        }
        let seen = FACTS.iter().filter(|fact| scope.sees(fact.scope)).map(|fact| fact.name);
        let known = seen.chain(self.names.thresholds.iter().map(String::as_str));
        let nearest = known.min_by_key(|known| distance(known, path)).unwrap_or_default();
        let help = format!("did you mean `{nearest}`? `pgproof rule --facts` lists them");
        Err(self.wrong(id, format!("there is no fact or threshold `{path}`"), help))
    }

    fn unfit(&self, id: u64, wanted: &str, of: Type) -> Wrong {
        let what = format!("{wanted} belongs here, not a {}", of.word());
        self.wrong(id, what, "`pgproof rule --facts` tells the type of each fact")
    }

    fn expect(&mut self, expr: IdedExpr, wanted: Type) -> Result<IdedExpr, Wrong> {
        let id = expr.id;
        match self.check(expr)? {
            (expr, of) if of == wanted => Ok(expr),
            (_, of) => Err(self.unfit(id, &format!("a {}", wanted.word()), of)),
        }
    }

    /// `has(relation.rows)`.
    fn select(&mut self, id: u64, select: SelectExpr) -> Checked {
        let inner = SelectExpr { test: false, ..select };
        match self.path(&Expr::Select(inner)) {
            Some(path) => {
                self.named(id, &path)?;
                Ok((IdedExpr { id, expr: Expr::Ident(path + PRESENT) }, Type::Flag))
            }
            None => Err(self.wrong(id, "only facts have parts", "write the fact's whole name")),
        }
    }

    /// All numbers are of one kind: `self_ms > 5` compares what `self_ms > 5.0` does.
    fn literal(&self, id: u64, literal: LiteralValue) -> Checked {
        let double = |number: f64| LiteralValue::Double(CelDouble::from(number));
        let (literal, of) = match literal {
            LiteralValue::Int(number) => (double(*number.inner() as f64), Type::Number),
            LiteralValue::UInt(number) => (double(*number.inner() as f64), Type::Number),
            LiteralValue::Double(number) => (LiteralValue::Double(number), Type::Number),
            LiteralValue::String(text) => (LiteralValue::String(text), Type::Text),
            LiteralValue::Boolean(flag) => (LiteralValue::Boolean(flag), Type::Flag),
            LiteralValue::Null => (LiteralValue::Null, Type::Null),
            LiteralValue::Bytes(_) => return Err(self.wrong(id, "no fact is bytes", "write a text")),
        };
        Ok((IdedExpr { id, expr: Expr::Literal(literal) }, of))
    }

    fn list(&mut self, id: u64, list: ListExpr) -> Checked {
        let mut elements = Vec::with_capacity(list.elements.len());
        let mut of = Type::Texts;
        for (index, element) in list.elements.into_iter().enumerate() {
            let place = element.id;
            let (element, one) = self.check(element)?;
            let this = match one {
                Type::Text => Type::Texts,
                Type::Number => Type::Numbers,
                other => return Err(self.unfit(place, "a text or a number", other)),
            };
            if index > 0 && this != of {
                return Err(self.unfit(place, "what the list began with", one));
            }
            of = this;
            elements.push(element);
        }
        Ok((IdedExpr { id, expr: Expr::List(ListExpr::new(elements)) }, of))
    }

    fn call(&mut self, id: u64, mut call: CallExpr) -> Checked {
        let name = call.func_name.clone();
        let whole = |call, of| Ok((IdedExpr { id, expr: Expr::Call(call) }, of));
        let mut arguments = std::mem::take(&mut call.args);
        match (name.as_str(), arguments.len()) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, _) => {
                let checked = arguments.into_iter().map(|a| self.expect(a, Type::Flag));
                call.args = checked.collect::<Result<_, _>>()?;
                whole(call, Type::Flag)
            }
            (op::EQUALS | op::NOT_EQUALS, 2) => self.equal(id, call, arguments),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, 2) => {
                let of = self.alike(&mut call, arguments, &[Type::Number, Type::Text])?;
                let _ = of;
                whole(call, Type::Flag)
            }
            (op::ADD, 2) => {
                let of = self.alike(&mut call, arguments, &[Type::Number, Type::Text])?;
                whole(call, of)
            }
            (op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::NEGATE, _) => {
                let checked = arguments.into_iter().map(|a| self.expect(a, Type::Number));
                call.args = checked.collect::<Result<_, _>>()?;
                whole(call, Type::Number)
            }
            (op::CONDITIONAL, 3) => {
                let otherwise = arguments.split_off(1);
                let test = arguments.pop().map(|test| self.expect(test, Type::Flag)).transpose()?;
                let of = self.alike(&mut call, otherwise, &[Type::Number, Type::Text, Type::Flag])?;
                call.args.splice(0..0, test);
                whole(call, of)
            }
            (op::IN, 2) => {
                let list = arguments.pop().map(|list| (list.id, self.check(list)));
                let Some((place, list)) = list else { return Err(self.wrong(id, "nothing to look in", "")) };
                let (list, of) = list?;
                let item = match of {
                    Type::Texts => Type::Text,
                    Type::Numbers => Type::Number,
                    of => return Err(self.unfit(place, "a list", of)),
                };
                let mut checked = arguments.into_iter().map(|a| self.expect(a, item));
                call.args = checked.next().transpose()?.into_iter().chain([list]).collect();
                whole(call, Type::Flag)
            }
            (op::INDEX, 2) => {
                let index = arguments.pop();
                let number =
                    matches!(index.as_ref().map(|i| &i.expr), Some(Expr::Literal(LiteralValue::Int(_))));
                let Some(index) = index.filter(|_| number) else {
                    return Err(self.wrong(id, "a list is asked by a whole number", "write sort_key[0]"));
                };
                let list = arguments.into_iter().map(|a| self.expect(a, Type::Texts));
                call.args = list.chain([Ok(index)]).collect::<Result<_, _>>()?;
                whole(call, Type::Text)
            }
            ("contains" | "startsWith" | "endsWith", 1) if call.target.is_some() => {
                let target = call.target.take().map(|t| self.expect(*t, Type::Text)).transpose()?;
                call.target = target.map(Box::new);
                let checked = arguments.into_iter().map(|a| self.expect(a, Type::Text));
                call.args = checked.collect::<Result<_, _>>()?;
                whole(call, Type::Flag)
            }
            ("size", _) => {
                let of = call.target.take().map(|t| *t).into_iter().chain(arguments).next();
                let Some(of) = of else { return Err(self.wrong(id, "the size of what?", "size(sort_key)")) };
                let place = of.id;
                let (of, kind) = self.check(of)?;
                if !matches!(kind, Type::Text | Type::Texts | Type::Numbers) {
                    return Err(self.unfit(place, "a text or a list", kind));
                }
                call.args = vec![of];
                let size = IdedExpr { id, expr: Expr::Call(call) };
                let double = CallExpr { func_name: "double".to_owned(), target: None, args: vec![size] };
                whole(double, Type::Number)
            }
            _ => {
                let shown = op_name(&name);
                let nearest = FUNCTIONS.iter().min_by_key(|known| distance(known, shown)).unwrap_or(&"");
                let help = format!("did you mean `{nearest}`? There are: {}", FUNCTIONS.join(", "));
                Err(self.wrong(id, format!("`{shown}` cannot be used here"), help))
            }
        }
    }

    /// Checks arguments that have one type among `allowed`, and gives them to the call.
    fn alike(&mut self, call: &mut CallExpr, args: Vec<IdedExpr>, allowed: &[Type]) -> Result<Type, Wrong> {
        let mut first = None;
        for argument in args {
            let place = argument.id;
            let (argument, of) = self.check(argument)?;
            if let Some(first) = first.filter(|first| *first != of) {
                return Err(self.unfit(place, &format!("a {}", Type::word(first)), of));
            }
            if !allowed.contains(&of) {
                let words: Vec<&str> = allowed.iter().map(|of| of.word()).collect();
                return Err(self.unfit(place, &format!("a {}", words.join(" or a ")), of));
            }
            first = Some(of);
            call.args.push(argument);
        }
        Ok(first.unwrap_or(Type::Null))
    }

    /// `fact == null` asks whether it is there; any other comparison with what is absent has no answer.
    fn equal(&mut self, id: u64, mut call: CallExpr, mut arguments: Vec<IdedExpr>) -> Checked {
        let null = |e: &IdedExpr| e.expr == Expr::Literal(LiteralValue::Null);
        if let Some(at) = arguments.iter().position(null) {
            arguments.remove(at);
            let Some(path) = arguments.first().and_then(|other| self.path(&other.expr)) else {
                return Err(self.wrong(id, "only a fact can be null", "compare the fact itself with null"));
            };
            self.named(id, &path)?;
            let present = IdedExpr { id, expr: Expr::Ident(path + PRESENT) };
            let expr = match call.func_name == op::EQUALS {
                false => present.expr,
                true => Expr::Call(CallExpr {
                    func_name: op::LOGICAL_NOT.to_owned(),
                    target: None,
                    args: vec![present],
                }),
            };
            return Ok((IdedExpr { id, expr }, Type::Flag));
        }
        self.alike(&mut call, arguments, &[Type::Number, Type::Text, Type::Flag])?;
        Ok((IdedExpr { id, expr: Expr::Call(call) }, Type::Flag))
    }
}

/// An operator as it is typed.
fn op_name(name: &str) -> &str {
    let bare = name.trim_matches('_');
    if name.starts_with('_') && !bare.is_empty() { bare } else { name }
}

/// Facts as CEL asks for them; one that is absent is not declared, so that what needs it has no answer.
struct Seen<'a> {
    view: &'a View<'a>,
}

impl VariableResolver for Seen<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let fact = |name: &str| facts::find(name).and_then(|fact: &Fact| (fact.get)(self.view));
        let threshold = |name: &str| {
            let set = self.view.thresholds.iter().find(|(known, _)| known == name);
            set.map(|(_, number)| Value::Number(*number))
        };
        let value = match name.strip_suffix(PRESENT) {
            Some(name) => cel::Value::Bool(fact(name).is_some()),
            None => match threshold(name).or_else(|| fact(name))? {
                Value::Number(number) => cel::Value::Float(number),
                Value::Text(text) => text.into(),
                Value::Flag(flag) => cel::Value::Bool(flag),
                Value::Texts(texts) => {
                    let texts: Vec<cel::Value> = texts.into_iter().map(cel::Value::from).collect();
                    texts.into()
                }
            },
        };
        value.try_into().ok().map(CowVal::Owned)
    }
}
