//! `steadymask`: see [`steadymask_server`].

fn main() -> std::process::ExitCode {
    steadymask_server::cli::main()
}
