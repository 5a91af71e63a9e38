//! The whole job on one machine: simulators of every vendor, the application, and an operator who does by the API what
//! a newcomer would do in the console.

mod operator;
mod progress;
mod report;
mod vendors;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use domain::operator::Role;
use flow::{Deployment, Flow, VendorEndpoints};
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use tokio::net::TcpListener;

use crate::{
    platform::LocalPlatform,
    runner::{self, Pace},
};
use operator::Operator;
use progress::Progress;
use report::Report;
use vendors::Vendors;

/// How the demonstration goes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many people the organisation has.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub people: u32,
    /// Leave when the job is done. The exit status is 0 only if every certificate is in Intune and on its device.
    #[arg(long)]
    pub once: bool,
    /// Print one JSON object on the last line.
    #[arg(long)]
    pub json: bool,
    /// Keep everything in this folder, and go on from it when it exists.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Decides names, keys of the simulators and their faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Let a vendor fail: CALL=FAULT, such as sslcom.create=lose-answer. FAULT is one of fail, drop, lose-answer,
    /// fail-after, throttle, slow, malformed; it happens once for each enrollment on sslcom.create, else once; with
    /// a colon and a number (graph.pfx_create=throttle:5) that many times; with :always each time.
    #[arg(long, value_name = "CALL=FAULT")]
    pub fault: Vec<String>,
}

/// Does the job and shows it. True: every enrollment is imported and opened by its device.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    let started = Instant::now();
    let scratch;
    let data = match &options.data {
        Some(data) => data.clone(),
        None => {
            scratch = tempfile::tempdir().context("no temporary folder can be made")?;
            scratch.path().to_owned()
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port of this machine is free")?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let vendors = Vendors::start(&options, &data.join("vendors"), &base_url).await?;
    let app = Application::start(&data.join("application"), &vendors, listener, &base_url)?;

    let progress = Progress::new(&options);
    let operator = Operator::new(&base_url, app.token.clone())?;
    let worked = work(&options, &vendors, &operator, &progress, started).await;
    progress.finish();
    let report = match worked {
        Ok(report) => report,
        Err(error) => {
            app.running.stop().await?;
            return Err(error);
        }
    };
    progress::print(&report.table());
    if !options.once {
        progress::print(&format!(
            "\nThe page, signed in once:\n{base_url}/#ticket={}\nThe API is described at {base_url}/openapi.json; it wants the header\nAuthorization: Bearer {}\nCtrl-C stops.",
            app.access.one_time_ticket("newcomer", Role::Admin, Timestamp::now()),
            app.token,
        ));
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be listened for")?;
    }
    app.running.stop().await?;
    if options.json {
        progress::print(&report.json());
    }
    Ok(report.as_hoped())
}

/// What the operator does, from the settings to the last device.
async fn work(
    options: &Options,
    vendors: &Vendors,
    operator: &Operator,
    progress: &Progress,
    started: Instant,
) -> anyhow::Result<Report> {
    let integration = operator.connect(vendors).await?;
    progress.say("connected: settings saved, Authorize done");
    let people = operator.import_people(&integration, progress).await?;
    let batch = operator.approve_everybody(&integration, progress).await?;
    operator.watch(&integration, &batch, vendors, progress).await?;
    let counts = operator.counts(&integration, &batch).await?;
    Ok(Report::new(options, people, &counts, vendors, started))
}

/// The application under test, as `serve` would start it.
struct Application {
    running: runner::Running,
    access: web::Access,
    token: String,
}

impl Application {
    fn start(data: &Path, vendors: &Vendors, listener: TcpListener, base_url: &str) -> anyhow::Result<Self> {
        let clock: Clock = Arc::new(Timestamp::now);
        let platform = LocalPlatform::open(data, clock.clone())?;
        let flow = Flow::new(platform.clone(), endpoints(vendors)?, deployment(base_url)?, clock.clone())?;
        let token = random_token()?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let mut token_sha256 = [0; 32];
        token_sha256.copy_from_slice(hash.as_ref());
        let name = "demonstration".to_owned();
        let access = web::Access::new(vec![web::ApiToken { name, token_sha256, role: Role::Admin }]);
        let hosts = Some(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let router = web::router(flow.clone(), access.clone(), web::Options { hosts, ..web::Options::default() });
        let pace = Pace { sweep_every: Duration::from_millis(200), ..Pace::default() };
        let running = runner::start(&platform, &flow, router, listener, &clock, pace);
        Ok(Self { running, access, token })
    }
}

fn endpoints(vendors: &Vendors) -> anyhow::Result<VendorEndpoints> {
    let mut sslcom = sslcom::Endpoint::at(vendors.sslcom().parse()?);
    sslcom.create_timeout = CREATE_TIMEOUT;
    sslcom.first_page = 0;
    let microsoft = microsoft::Endpoints::new(vendors.entra().parse()?, vendors.graph().parse()?)?;
    Ok(VendorEndpoints { sslcom, statuses: sslcom::StatusTable::default(), microsoft: Some(microsoft) })
}

const CREATE_TIMEOUT: Duration = Duration::from_secs(3);

/// As in production, but in seconds where production waits for minutes: the simulators answer at once.
fn deployment(base_url: &str) -> anyhow::Result<Deployment> {
    let seconds = |list: &[i64]| list.iter().copied().map(SignedDuration::from_secs).collect();
    let base = format!("{base_url}/");
    Ok(Deployment {
        public_url: Some(base.parse()?),
        redirect_url: format!("{base}oauth/callback").parse()?,
        products: vendors::products()?,
        purchase_window: SignedDuration::from_secs(3),
        quiet_time: SignedDuration::from_secs(8),
        look_up_after: seconds(&[1, 2, 4]),
        poll_after: seconds(&[1, 2, 5, 10]),
        read_back_after: seconds(&[0, 1, 2]),
        retry_after: SignedDuration::from_secs(1),
        released_per_sweep: 200,
        ..Deployment::default()
    })
}

/// New for every run, and nowhere but in memory and on this terminal.
fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
