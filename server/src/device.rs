//! GPUs tried in a process of their own. A driver may panic, hang, or crash the whole process that calls it; here all
//! that comes to is a reason, in words, why another device was taken.

use std::{
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use steadymask_models::DeviceChoice;

use crate::video::tail;

/// How long a GPU may take where any device will do, shaders compiled.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for one that was asked for by name, even in software.
const LONG_PATIENCE: Duration = Duration::from_secs(600);

/// Runs this program's `try-device`.
///
/// # Errors
/// In words, why that kind of GPU cannot be used.
pub fn try_apart(gpu: DeviceChoice, software: bool) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| format!("this program does not find itself to try it: {e}"))?;
    let mut command = Command::new(program);
    command.args(["try-device", gpu.name()]);
    if software {
        command.arg("--software");
    }
    attempt(&mut command, if software { LONG_PATIENCE } else { PATIENCE })
}

/// Runs the command, which exits with 1 for a reason that is the last line of its standard error.
fn attempt(command: &mut Command, patience: Duration) -> Result<(), String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("a process to try it in cannot be started: {e}"))?;
    let (sender, said) = mpsc::channel();
    if let Some(pipe) = child.stderr.take() {
        // Nobody listens any more when it took too long.
        std::thread::spawn(move || sender.send(tail(pipe)));
    }
    // Standard error ends when the child does.
    let Ok(said) = said.recv_timeout(patience) else {
        // Fails only when the child has ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("it did not finish a small picture in {} s", patience.as_secs()));
    };
    let status = child.wait().map_err(|e| format!("it was tried, but how that ended is not known: {e}"))?;
    let last = said.lines().rfind(|line| !line.trim().is_empty()).map(|line| line.trim_start_matches("steadymask: "));
    match (status.code(), last) {
        (Some(0), _) => Ok(()),
        (Some(1), Some(reason)) => Err(reason.into()),
        (_, None) => Err(format!("its driver crashed when it was tried ({status})")),
        (_, Some(last)) => Err(format!("its driver crashed when it was tried ({status}, after: {last})")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Result<(), String> {
        attempt(Command::new("sh").args(["-c", script]), patience)
    }

    #[test]
    fn what_works_works_and_what_does_not_says_why() {
        assert_eq!(shell("echo noise >&2", PATIENCE), Ok(()));
        let refusal = "echo noise >&2; echo 'steadymask: no adapter' >&2; echo >&2; exit 1";
        assert_eq!(shell(refusal, PATIENCE), Err("no adapter".into()));
    }

    #[test]
    fn a_crash_is_told() {
        let reason = shell("kill -SEGV $$", PATIENCE).expect_err("a crash");
        assert!(reason.contains("crashed") && reason.contains("signal: 11"), "{reason}");
        let reason = shell("echo 'LLVM ERROR: oh' >&2; kill -ABRT $$", PATIENCE).expect_err("a crash");
        assert!(reason.contains("signal: 6") && reason.contains("LLVM ERROR: oh"), "{reason}");
    }

    #[test]
    fn what_hangs_is_ended() {
        let start = std::time::Instant::now();
        let reason = shell("exec sleep 600", Duration::from_secs(1)).expect_err("too long");
        assert_eq!(reason, "it did not finish a small picture in 1 s");
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let reason = attempt(&mut Command::new("/no/such/program"), PATIENCE).expect_err("nothing to start");
        assert!(reason.contains("cannot be started"), "{reason}");
    }
}
