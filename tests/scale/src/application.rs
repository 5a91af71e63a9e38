//! The process of the application: what `intune-smime serve` starts, with a clock that can be made faster.

use std::path::PathBuf;

use clap::Args;
use local::{config::Config, serve};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    clock::FastClock,
    cost,
    counted::Counted,
    process::{Questions, say},
};

#[derive(Args)]
pub(crate) struct Options {
    /// The deployment file.
    #[arg(long)]
    config: PathBuf,
    /// Count the events of the log. It costs time.
    #[arg(long)]
    counting: bool,
}

/// What it can be asked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Question {
    /// Processor time and memory so far, and what was counted.
    Cost,
    /// So many bare RSA keys: the mean processor time of one.
    Keys { count: u32 },
    /// How fast its clock goes from now on.
    Speed { factor: u32 },
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let counted = options.counting.then(Counted::install);
    let text = std::fs::read_to_string(&options.config)?;
    let mut config = Config::read(&text, |_| None)?;
    let listener = TcpListener::bind(config.listen).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    // SSL.com calls back where this process happens to listen.
    config.deployment.public_url = Some(format!("{base_url}/").parse()?);
    let clock = FastClock::of_this_machine();
    let served = serve::start(config, listener, clock.as_clock()).await?;
    say(&json!({ "base_url": base_url }));

    let mut questions = Questions::of_this_process();
    while let Some(question) = questions.next().await? {
        let answer = match question {
            Question::Cost => {
                let mut answer = cost::of_this_process()?;
                answer["counted"] = json!(counted.as_ref().map(Counted::all));
                answer
            }
            Question::Keys { count } => {
                json!({ "cpu_ms": tokio::task::spawn_blocking(move || cost::of_bare_keys(count)).await?? })
            }
            Question::Speed { factor } => {
                clock.set_speed(factor);
                json!({})
            }
        };
        say(&answer);
    }
    served.running.stop().await
}
