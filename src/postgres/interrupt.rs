//! The wish to stop: a signal, seen by every session at once.
//!
//! Refuses to exit the process: each wait ends with an error, so that everything is undone first.

use crate::error::{Error, Kind, Result};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A cheap handle on "somebody asked us to stop". Clones share the same wish.
#[derive(Debug, Clone)]
pub struct Interrupt {
    raised: Arc<watch::Sender<bool>>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}

impl Interrupt {
    /// A handle that nothing raises but [`Interrupt::raise`].
    pub fn new() -> Self {
        Interrupt { raised: Arc::new(watch::Sender::new(false)) }
    }

    /// A handle raised by Ctrl-C, SIGTERM or SIGHUP. Call it inside the tokio runtime.
    ///
    /// # Errors
    /// [`Kind::Environment`] when the handlers cannot be installed.
    pub fn on_signals() -> Result<Self> {
        let interrupt = Self::new();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = signal(kind)
                .map_err(|error| Error::new(Kind::Environment, "install signal handlers").because(error))?;
            let interrupt = interrupt.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    interrupt.raise();
                }
            });
        }
        Ok(interrupt)
    }

    /// Asks everything that holds a clone to stop.
    pub fn raise(&self) {
        self.raised.send_replace(true);
    }

    /// Whether somebody asked us to stop.
    pub fn is_raised(&self) -> bool {
        *self.raised.borrow()
    }

    /// Waits until somebody asks us to stop.
    pub async fn raised(&self) {
        let mut seen = self.raised.subscribe();
        // It cannot fail: `self` keeps the sender alive while we wait.
        let _ = seen.wait_for(|raised| *raised).await;
    }

    /// The error that an interrupted step ends with.
    pub fn error(doing: impl Into<String>) -> Error {
        Error::new(Kind::Interrupted, doing).because("interrupted by a signal")
    }
}
