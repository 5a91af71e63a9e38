//! Runs everything in one process: a worker per queue, the sweep, and the HTTP server.

use std::{future::IntoFuture, time::Duration};

use domain::jobs::QueueName;
use flow::{Flow, reconcile};
use ports::{Clock, Platform, message};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::platform::{Handled, LocalPlatform, Worker, queue::DeadLetter};

/// How fast it goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two sweeps.
    pub sweep_every: Duration,
    /// Orders placed at the same time, for all integrations.
    pub purchases_at_once: usize,
    /// Other jobs of one queue worked on at the same time.
    pub jobs_at_once: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { sweep_every: Duration::from_secs(2), purchases_at_once: 4, jobs_at_once: 8 }
    }
}

/// The application while it runs. Dropping it without [`Running::stop`] cuts off what is under way.
pub struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// Starts the workers, the sweep and the server.
pub fn start(
    platform: &LocalPlatform,
    flow: &Flow<LocalPlatform>,
    router: axum::Router,
    listener: TcpListener,
    clock: &Clock,
    pace: Pace,
) -> Running {
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for name in QueueName::ALL {
        let at_once = match name {
            QueueName::OrderPlacement => pace.purchases_at_once,
            // These continue themselves; two at once would only get in each other's way.
            QueueName::UserImport | QueueName::BatchEnrollment => 2,
            QueueName::OrderCheck | QueueName::PfxImport => pace.jobs_at_once,
        };
        let worker = Worker::new(platform.queue().clone(), name, at_once, clock.clone());
        tasks.spawn(work(worker, flow.clone(), name, stopped.clone()));
    }
    tasks.spawn(sweep(flow.clone(), pace.sweep_every, stopped.clone()));
    tasks.spawn(listen(listener, router, stopped));
    Running { stop, tasks }
}

impl Running {
    /// Takes no more work, waits for what is under way, and answers the first error that ended a part of it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        let mut ended = Ok(());
        while let Some(task) = self.tasks.join_next().await {
            let task = task.map_err(Into::into).flatten();
            ended = ended.and(task);
        }
        ended
    }

    /// Answers when a part of it ended by itself, which only an error does.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("a part of the application ended"),
            Some(Err(error)) => error.into(),
        }
    }
}

async fn work(
    worker: Worker,
    flow: Flow<LocalPlatform>,
    name: QueueName,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let burying = flow.clone();
    let handle = move |body: String| {
        let flow = flow.clone();
        async move { handled(&flow, name, &body).await }
    };
    let bury = move |letter: DeadLetter| {
        let flow = burying.clone();
        async move { buried(&flow, name, &letter).await }
    };
    Ok(worker.run(handle, bury, stopped).await?)
}

async fn handled(flow: &Flow<LocalPlatform>, name: QueueName, body: &str) -> Handled {
    tracing::debug!(queue = name.as_str(), event = "message.received", "a message of {} is handled", name.as_str());
    let job = match message::read(name, body) {
        Ok(job) => job,
        Err(problem) => {
            tracing::error!(queue = name.as_str(), event = "message.unreadable", "a message cannot be read: {problem}");
            return Handled::Failed;
        }
    };
    match flow::run(flow, job).await {
        Ok(_) => Handled::Done,
        Err(error) => {
            tracing::error!(
                queue = name.as_str(),
                event = "step.failed",
                "a step failed: {:#}",
                anyhow::Error::from(error)
            );
            Handled::Failed
        }
    }
}

/// A message that was given up is marked on its enrollment, where it names one.
async fn buried(flow: &Flow<LocalPlatform>, name: QueueName, letter: &DeadLetter) -> Handled {
    let Ok(job) = message::read(name, &letter.body) else { return Handled::Done };
    match reconcile::mark_dead_letter(flow, &job).await {
        Ok(()) => Handled::Done,
        Err(error) => {
            tracing::error!(
                event = "dead_letter.unmarked",
                "a dead letter was not marked: {:#}",
                anyhow::Error::from(error)
            );
            Handled::Failed
        }
    }
}

async fn sweep(flow: Flow<LocalPlatform>, every: Duration, mut stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
            _ = ticks.tick() => {}
        }
        match reconcile::reconcile(&flow).await {
            Ok(sent) => tracing::debug!(event = "sweep.ended", sent, "a sweep sent {sent} messages"),
            Err(error) => {
                tracing::error!(event = "sweep.failed", "the sweep failed: {:#}", anyhow::Error::from(error));
            }
        }
    }
}

async fn listen(listener: TcpListener, router: axum::Router, mut stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
    let stop = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(stop).into_future().await?)
}
