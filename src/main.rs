//! The binary: hands the command line to [`pgproof::cli`] and turns its answer into an exit code.

fn main() -> std::process::ExitCode {
    pgproof::cli::main()
}
