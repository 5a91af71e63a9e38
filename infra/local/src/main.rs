//! `intune-smime`: without a command, the whole job against simulators; `serve`, the application against real
//! endpoints; `config check`, what is wrong with a deployment file.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use local::{
    config::{Config, Problems},
    demo::{self, End},
    serve,
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};
use zeroizing_alloc::ZeroAlloc;

/// PFX building leaves copies of a key behind in freed memory; freed memory is overwritten.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

/// S/MIME certificates from SSL.com on every device that Microsoft Intune manages.
///
/// Without a command it does the whole job once on this machine, against simulators of Entra ID, Microsoft Graph,
/// Intune and SSL.com over real HTTP: no account is needed and nothing leaves the machine.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: demo::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the application against the endpoints of a deployment file.
    Serve(File),
    /// After a backup was put back: stop buying, and compare what is open with SSL.com's orders.
    AfterRestore(File),
    /// Look at a deployment file.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Name everything that is wrong with it, at once, and start nothing.
    Check {
        /// The deployment file.
        file: PathBuf,
    },
}

#[derive(Args)]
struct File {
    /// The deployment file (TOML).
    #[arg(long)]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let ended = match arguments.command {
        None => runtime.block_on(demonstrate(arguments.demo)),
        Some(Command::Serve(file)) => runtime.block_on(serve_until_interrupted(file)),
        Some(Command::AfterRestore(file)) => runtime.block_on(after_restore(file)),
        Some(Command::Config { command: ConfigCommand::Check { file } }) => check(&file),
    };
    ended.unwrap_or_else(|error| failed(&error))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    say(&format!("intune-smime: {error:#}"));
    ExitCode::FAILURE
}

async fn demonstrate(options: demo::Options) -> anyhow::Result<ExitCode> {
    log_to_stderr("warn");
    Ok(match demo::run(options).await? {
        End::Delivered => ExitCode::SUCCESS,
        // 2 is for arguments that cannot be read.
        End::NeedsAPerson => ExitCode::from(3),
        End::Wrong => ExitCode::FAILURE,
    })
}

async fn serve_until_interrupted(file: File) -> anyhow::Result<ExitCode> {
    log_to_stderr("info");
    let served = serve::serve(read(&file.config)?).await?;
    say(&format!("serving on {}\nsign in once with {}\nCtrl-C stops", served.base_url, served.sign_in_link));
    let mut running = served.running;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("Ctrl-C cannot be listened for")?,
        error = running.failed() => return Err(error),
    }
    say("stopping: work under way is finished");
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}

async fn after_restore(file: File) -> anyhow::Result<ExitCode> {
    log_to_stderr("info");
    let mut all_compared = true;
    for (name, compared) in serve::after_restore(read(&file.config)?).await? {
        let compared = match compared {
            Ok(compared) => compared,
            Err(problem) => {
                all_compared = false;
                say(&format!("{name}: not compared, so do it again: {problem}"));
                continue;
            }
        };
        all_compared &= compared.unread.is_empty();
        say(&format!(
            "{name}: {} open enrollments compared, {} orders found that the backup did not know, {} plans given up",
            compared.enrollments, compared.found, compared.abandoned
        ));
        for order in compared.unknown {
            say(&format!("    look at order {order}: it belongs to no enrollment of the backup"));
        }
        for order in compared.used {
            say(&format!("    look at order {order}: unused as far as the backup knows, it is used"));
        }
        for order in compared.unread {
            say(&format!("    compare again: there was no time to read order {order}, which may be yours"));
        }
    }
    say("buying is stopped for every integration; take the switch off when you have looked");
    Ok(if all_compared { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(file: &PathBuf) -> anyhow::Result<ExitCode> {
    match read_text(file).and_then(|text| Ok(Config::read(&text, variable)?)) {
        Ok(config) => {
            let count = config.integrations.len();
            say(&format!("{} is good: listens on {}, {count} integration(s)", file.display(), config.listen));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => match error.downcast::<Problems>() {
            Ok(problems) => {
                say(&problems.to_string());
                Ok(ExitCode::FAILURE)
            }
            Err(error) => Err(error),
        },
    }
}

fn read(file: &PathBuf) -> anyhow::Result<Config> {
    Ok(Config::read(&read_text(file)?, variable)?)
}

fn read_text(file: &PathBuf) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// The one place where the environment is read.
#[expect(clippy::disallowed_methods, reason = "this is main")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// `RUST_LOG` chooses what is logged. Libraries of the transport are held at `info`: their finer levels print what
/// goes over the wire, and that holds secrets.
fn log_to_stderr(default: &str) {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    for library in ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tower", "tower_http", "axum"] {
        if let Ok(directive) = format!("{library}={}", if default == "warn" { "warn" } else { "info" }).parse() {
            filter = filter.add_directive(directive);
        }
    }
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(layer).init();
}

#[expect(clippy::print_stderr, reason = "this is what the person at the terminal reads")]
fn say(text: &str) {
    eprintln!("{text}");
}
