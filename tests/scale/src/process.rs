//! A process that is asked by lines: each line of JSON that goes in is answered by one.

use std::process::Stdio;

use anyhow::{Context, bail};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// One that was started here. Killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// This program with other arguments, and what it said when it was ready.
    pub(crate) async fn start(arguments: &[&str]) -> anyhow::Result<(Self, Value)> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let questions = child.stdin.take().context("a process without input")?;
        let answers = BufReader::new(child.stdout.take().context("a process without output")?).lines();
        let mut process = Self { child, questions, answers };
        let ready = process.answer().await?;
        Ok((process, ready))
    }

    pub(crate) async fn ask(&mut self, question: &impl Serialize) -> anyhow::Result<Value> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        self.questions.write_all(&line).await?;
        self.answer().await
    }

    /// Without a warning, as a machine that loses its power.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    async fn answer(&mut self) -> anyhow::Result<Value> {
        match self.answers.next_line().await? {
            Some(line) => Ok(serde_json::from_str(&line)?),
            None => bail!("a process ended: {}", self.child.wait().await?),
        }
    }
}

/// The questions that come in, one for each line; none when whoever asks is gone.
pub(crate) struct Questions(Lines<BufReader<Stdin>>);

impl Questions {
    pub(crate) fn of_this_process() -> Self {
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> anyhow::Result<Option<T>> {
        Ok(match self.0.next_line().await? {
            Some(line) => Some(serde_json::from_str(&line)?),
            None => None,
        })
    }
}

/// Says one thing to whoever asked, or to the person at the terminal.
#[expect(clippy::print_stdout, reason = "this is what the program is for")]
pub(crate) fn say(answer: &Value) {
    println!("{answer}");
}
