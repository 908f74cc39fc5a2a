//! Inverts every condition and takes away every threshold of the rules, one at a time, and demands that a case of
//! their pages notices; or, where no page can tell, a unit test of the rules.
//!
//!     cargo run --release --manifest-path tests/mutants/Cargo.toml            every rule
//!     cargo run --release --manifest-path tests/mutants/Cargo.toml -- jit     the rules whose name contains `jit`
//!
//! A copy of the sources is changed so that all mutants stand in one binary and the environment names the one that is
//! awake: it is compiled once, and each mutant costs one replay of the recorded cases (`tests/rules.rs`), without a
//! server. Prints the mutants that nothing kills and exits with 1 if there are any.
//!
//! Refuses to touch the sources themselves.

use quote::ToTokens;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{BinOp, Expr, UnOp, parse_quote};

/// A mutant that loops is noticed by its time.
const LIMIT: Duration = Duration::from_secs(60);

/// One change, and where it is made.
struct Mutant {
    rule: String,
    line: usize,
    what: String,
}

struct Inverter<'a> {
    rule: &'a str,
    mutants: &'a mut Vec<Mutant>,
}

impl Inverter<'_> {
    fn add(&mut self, expr: &Expr, how: &str) -> usize {
        let text = expr.to_token_stream().to_string();
        let text: String = text.chars().take(90).collect();
        let line = expr.span().start().line;
        self.mutants.push(Mutant { rule: self.rule.to_owned(), line, what: format!("{how}: {text}") });
        self.mutants.len()
    }

    /// Wraps a condition, so that one mutant sees its opposite.
    fn invert(&mut self, expr: &mut Expr) {
        if holds_let(expr) || inverted(expr) {
            return;
        }
        let number = self.add(expr, "not");
        let inner = expr.clone();
        *expr = parse_quote!(crate::mutant::not(#number, #inner));
    }
}

/// `if let`, and chains of it, bind names: they are no values.
fn holds_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => holds_let(&binary.left) || holds_let(&binary.right),
        Expr::Paren(paren) => holds_let(&paren.expr),
        _ => false,
    }
}

/// It is a mutant already, or the opposite of one.
fn inverted(expr: &Expr) -> bool {
    let expr = match expr {
        Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => &unary.expr,
        expr => expr,
    };
    expr.to_token_stream().to_string().starts_with("crate :: mutant :: not")
}

impl VisitMut for Inverter<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        match expr {
            Expr::Binary(binary) => match binary.op {
                BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) | BinOp::Eq(_) | BinOp::Ne(_) => {
                    self.invert(expr);
                }
                BinOp::And(_) | BinOp::Or(_) => {
                    self.invert(&mut binary.left);
                    self.invert(&mut binary.right);
                }
                _ => {}
            },
            Expr::If(branch) => self.invert(&mut branch.cond),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => self.invert(&mut unary.expr),
            Expr::MethodCall(call)
                if call.method == "get" && call.receiver.to_token_stream().to_string() == "tuning" =>
            {
                let absent = self.add(expr, "no threshold");
                let endless = self.add(expr, "endless threshold");
                let inner = expr.clone();
                *expr = parse_quote!(crate::mutant::threshold(#absent, #endless, #inner));
            }
            _ => {}
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut syn::Arm) {
        visit_mut::visit_arm_mut(self, arm);
        if let Some((_, guard)) = &mut arm.guard {
            self.invert(guard);
        }
    }

    // What tests and constants compare is no condition of the rule.
    fn visit_item_mod_mut(&mut self, _: &mut syn::ItemMod) {}
    fn visit_item_const_mut(&mut self, _: &mut syn::ItemConst) {}
}

const SWITCH: &str = "//! Which mutant is awake: the environment says.
#![allow(clippy::disallowed_methods)]
fn awake() -> usize {
    static AWAKE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *AWAKE.get_or_init(|| std::env::var(\"PGPROOF_MUTANT\").ok().and_then(|n| n.parse().ok()).unwrap_or(0))
}
pub(crate) fn not(mutant: usize, value: bool) -> bool { value ^ (awake() == mutant) }
pub(crate) fn threshold(absent: usize, endless: usize, value: f64) -> f64 {
    match awake() { n if n == absent => 0.0, n if n == endless => f64::INFINITY, _ => value }
}
";

fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository");
    let copy = top.join("target/mutants");
    copy_sources(&top, &copy);
    let mut mutants = Vec::new();
    for path in rule_files(&copy.join("src/rules")) {
        let rule = path.file_stem().expect("a file").to_string_lossy().replace('_', "-");
        if rule.contains(&only) {
            mutate(&path, &rule, &mut mutants);
        }
    }
    std::fs::write(copy.join("src/mutant.rs"), SWITCH).expect("write the switch");
    let lib = copy.join("src/lib.rs");
    let text = std::fs::read_to_string(&lib).expect("read lib.rs");
    std::fs::write(&lib, format!("{text}\nmod mutant;\n")).expect("write lib.rs");
    let (Some(cases), Some(units)) = build(&copy) else {
        eprintln!("the changed sources do not compile, see above");
        return ExitCode::from(2);
    };
    let passes = |mutant| passes(&cases, "", &copy, mutant) && passes(&units, "rules::", &copy, mutant);
    if !passes(0) {
        eprintln!("the cases fail without any mutant: run `cargo test --test rules --lib` first");
        return ExitCode::from(2);
    }
    let mut alive = 0;
    for (at, mutant) in mutants.iter().enumerate() {
        if passes(at + 1) {
            alive += 1;
            println!(
                "{}: src/rules/{}.rs:{}: {}",
                mutant.rule,
                mutant.rule.replace('-', "_"),
                mutant.line,
                mutant.what
            );
        }
    }
    println!("{} mutants, {} killed, {alive} alive", mutants.len(), mutants.len() - alive);
    ExitCode::from(u8::from(alive > 0))
}

/// The files that hold a rule.
fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the rules' folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("const SPEC: Spec")))
        .collect();
    files.sort();
    files
}

fn mutate(path: &Path, rule: &str, mutants: &mut Vec<Mutant>) {
    let text = std::fs::read_to_string(path).expect("read a rule");
    let mut file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Inverter { rule, mutants }.visit_file_mut(&mut file);
    std::fs::write(path, prettyplease::unparse(&file)).expect("write a rule");
}

/// A copy that keeps the times of unchanged files, so that cargo compiles no more than it must.
fn copy_sources(top: &Path, copy: &Path) {
    for folder in ["src", "tests", "rules", "benches"] {
        let _ = std::fs::remove_dir_all(copy.join(folder));
        copy_folder(&top.join(folder), &copy.join(folder));
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        std::fs::copy(top.join(file), copy.join(file)).expect("copy a file");
    }
    let fixtures = copy.join("fixtures");
    if !fixtures.exists() {
        std::os::unix::fs::symlink(top.join("fixtures"), fixtures).expect("link the fixtures");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("make a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        if path.is_dir() {
            if name != "target" && name != "mutants" {
                copy_folder(&path, &to.join(name));
            }
        } else {
            std::fs::copy(&path, to.join(name)).expect("copy a file");
        }
    }
}

/// Compiles the replay and the unit tests, and says where they are.
fn build(copy: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    let output = Command::new("cargo")
        .args([
            "test",
            "--test",
            "rules",
            "--lib",
            "--no-run",
            "--message-format=json",
            "--config",
            "profile.dev.opt-level=1",
        ])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .env("RUSTFLAGS", "-A warnings")
        .stderr(Stdio::inherit())
        .output()
        .expect("run cargo");
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        for line in text.lines().filter(|l| l.contains("\"level\":\"error\"")) {
            let rendered = line.split("\"rendered\":\"").nth(1).unwrap_or(line);
            eprintln!("{}", rendered.replace("\\n", "\n"));
        }
        return (None, None);
    }
    let executable = |kind: &str, name: &str| {
        let (kind, name) = (format!("\"kind\":[\"{kind}\"]"), format!("\"name\":\"{name}\""));
        let made = |l: &&str| l.contains(&kind) && l.contains(&name) && l.contains("\"executable\":\"");
        let line = text.lines().rev().find(made)?;
        line.split("\"executable\":\"").nth(1)?.split('"').next().map(PathBuf::from)
    };
    (executable("test", "rules"), executable("lib", "pgproof"))
}

fn passes(binary: &Path, only: &str, copy: &Path, mutant: usize) -> bool {
    let mut child = Command::new(binary)
        .arg(only)
        .current_dir(copy)
        .env("PGPROOF_MUTANT", mutant.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("run the replay");
    let start = Instant::now();
    loop {
        match child.try_wait().expect("wait for the replay") {
            Some(status) => return status.success(),
            None if start.elapsed() > LIMIT => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
