//! The binary: runs [`pgproof::app`].

fn main() -> std::process::ExitCode {
    pgproof::app::main()
}
