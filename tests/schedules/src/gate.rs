//! Where everybody stops before anything outside of them happens, until the schedule says how it goes on.

use std::sync::{Arc, Mutex, PoisonError};

use ports::PlatformError;
use tokio::sync::{mpsc, oneshot};

use crate::proxy::Request;

/// What the schedule hears of the one who runs. Only one runs at a time, so it need not say who it is.
pub(crate) enum Arrival {
    /// Before a call of Store, Queue or Vault.
    Platform { name: &'static str, go: oneshot::Sender<Go> },
    /// It did what it was told to do before it stopped for good.
    Frozen,
    /// Before a vendor sees the request.
    Vendor(Box<Request>),
    /// It came to its end, or panicked.
    Ended(Ended),
}

/// How the one who ran came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well(String),
    /// Nothing could be done about it here: what an operator is told.
    Refused(String),
    /// The platform failed; the message comes again.
    Failed(String),
    Panicked,
}

/// How a call of the platform goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    Act,
    FailBefore,
    /// It is done, and the answer is lost.
    FailAfter,
    /// It is done, and then the process is gone.
    ActAndFreeze,
}

#[derive(Clone)]
pub(crate) struct Gate {
    arrivals: mpsc::UnboundedSender<Arrival>,
    /// The stop switch as the product read it last.
    stop_read: Arc<Mutex<Option<bool>>>,
}

impl Gate {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Arrival>) {
        let (arrivals, arrived) = mpsc::unbounded_channel();
        (Self { arrivals, stop_read: Arc::default() }, arrived)
    }

    /// False when nobody listens any more.
    pub(crate) fn tell(&self, arrival: Arrival) -> bool {
        self.arrivals.send(arrival).is_ok()
    }

    pub(crate) async fn pass<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, PlatformError>>,
    ) -> Result<T, PlatformError> {
        let (go, told) = oneshot::channel();
        self.tell(Arrival::Platform { name, go });
        match told.await {
            Ok(Go::Act) => call.await,
            Ok(Go::FailBefore) => Err(PlatformError::new(name, INJECTED)),
            Ok(Go::FailAfter) => {
                call.await?;
                Err(PlatformError::new(name, INJECTED))
            }
            Ok(Go::ActAndFreeze) => {
                let _ = call.await;
                self.tell(Arrival::Frozen);
                std::future::pending().await
            }
            Err(_nobody_decides) => std::future::pending().await,
        }
    }

    pub(crate) fn note_stop(&self, stopped: bool) {
        *self.stop_read.lock().unwrap_or_else(PoisonError::into_inner) = Some(stopped);
    }

    /// What was read since this was asked last.
    pub(crate) fn take_stop(&self) -> Option<bool> {
        self.stop_read.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// In the text of each error that the schedule made.
const INJECTED: &str = "the schedule wants it so";
