//! A program that does the same work beside this one, and waits while this one works.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A child that answers each line of JSON with one.
pub struct Rival {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Rival {
    /// Starts `program script arguments`.
    pub fn start(program: &Path, script: &Path, arguments: &[&Path]) -> Result<Self> {
        let mut command = Command::new(program);
        // One thread each, whatever the libraries would like.
        command.arg(script).args(arguments).env("OMP_NUM_THREADS", "1").env("OPENBLAS_NUM_THREADS", "1");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot run {}", program.display()))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no output of the rival")?);
        Ok(Self { child, input, output })
    }

    /// Sends a request and waits for the answer.
    pub fn ask(&mut self, request: &Value) -> Result<Value> {
        let input = self.input.as_mut().context("the rival has been told to stop")?;
        writeln!(input, "{request}").context("the rival is gone")?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the rival ended at {request}");
        }
        serde_json::from_str(&line).with_context(|| format!("the rival answered {line:?}"))
    }

    /// Has it lay out a job; gives the sum of its results.
    pub fn prepare(&mut self, name: &str, (width, height): (usize, usize), frames: usize, data: &Path) -> Result<f64> {
        let request = json!({
            "op": "prepare", "name": name, "width": width, "height": height, "frames": frames, "data": data,
        });
        number(&self.ask(&request)?, "check")
    }

    /// Has it do the work once; gives seconds.
    pub fn run(&mut self) -> Result<f64> {
        number(&self.ask(&json!({ "op": "run" }))?, "seconds")
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        let _ = self.child.wait();
    }
}

fn number(answer: &Value, field: &str) -> Result<f64> {
    answer[field].as_f64().with_context(|| format!("no {field} in {answer}"))
}
