//! The workers: messages to them, and what they say.
//!
//! In user mode there is one, in this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bits_core::error::Code;
use bits_core::file::{DestinationTag, LocalName};
use bits_core::queue;
use bits_worker::Nearby;
use bits_worker::link::{BrokerEnd, CheckOptions, CheckTicket, DestinationRefusal, FromWorker, ToWorker};
use tokio::sync::{mpsc, oneshot};

use crate::certificates::Certificates;
use crate::engine::{Input, Inputs};
use crate::metrics::Metrics;

type Waiting =
    Arc<Mutex<HashMap<CheckTicket, oneshot::Sender<Result<Vec<DestinationTag>, DestinationRefusal>>>>>;

/// The way to the workers.
#[derive(Debug, Clone)]
pub struct Workers {
    to_worker: mpsc::UnboundedSender<ToWorker>,
    waiting: Waiting,
    next_ticket: Arc<AtomicU64>,
    certificates: Certificates,
    metrics: Metrics,
    /// Where destinations are looked at here.
    nearby: Option<Nearby>,
}

impl Workers {
    /// Takes over the broker's end of a link: what the worker reports goes to the engine. To be
    /// called within a runtime.
    pub fn new(link: BrokerEnd, engine: Inputs) -> Self {
        let waiting = Waiting::default();
        let certificates = Certificates::new(link.to_worker.clone());
        let metrics = Metrics::default();
        let heard = (certificates.clone(), metrics.clone());
        tokio::spawn(listen(link.from_worker, engine, Arc::clone(&waiting), heard));
        Self {
            to_worker: link.to_worker,
            waiting,
            next_ticket: Arc::default(),
            certificates,
            metrics,
            nearby: None,
        }
    }

    /// The same, with a worker in this process that lets others look at destinations where that is quick.
    #[must_use]
    pub fn with_nearby(self, nearby: Nearby) -> Self {
        Self { nearby: Some(nearby), ..self }
    }

    /// What is counted of the service.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Who is asked about certificates.
    pub(crate) fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    pub(crate) fn tell(&self, message: ToWorker) {
        if self.to_worker.send(message).is_err() {
            tracing::error!("the worker is gone");
        }
    }

    /// Has a worker look, as the owner, whether files can be put there, and which places these are, in
    /// the order of `names`.
    ///
    /// # Errors
    /// What is wrong with the first that is not in order.
    pub async fn check(
        &self,
        names: Vec<LocalName>,
        options: CheckOptions,
    ) -> Result<Vec<DestinationTag>, DestinationRefusal> {
        if let Some(places) = self.nearby.as_ref().and_then(|nearby| nearby.check(&names)) {
            return Ok(places);
        }
        let ticket = CheckTicket(self.next_ticket.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket, answer);
        self.tell(ToWorker::Check { ticket, names, options });
        answered.await.unwrap_or_else(|_| {
            Err(DestinationRefusal {
                code: Code::UNSPECIFIED,
                message: "nobody could look at the destination; the service is stopping".to_owned(),
            })
        })
    }
}

async fn listen(
    mut from_worker: mpsc::UnboundedReceiver<FromWorker>,
    engine: Inputs,
    waiting: Waiting,
    (certificates, metrics): (Certificates, Metrics),
) {
    while let Some(message) = from_worker.recv().await {
        match message {
            FromWorker::Report { job, report } => {
                metrics.reported(job, &report);
                if engine.send(Input::Queue(queue::Input::Report { job, report })).is_err() {
                    return;
                }
            }
            FromWorker::Checked { ticket, outcome } => {
                let answer = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket);
                if let Some(answer) = answer {
                    // Whoever asked may have hung up.
                    let _ = answer.send(outcome);
                }
            }
            FromWorker::Certificate(question) => certificates.ask(*question),
        }
    }
}
